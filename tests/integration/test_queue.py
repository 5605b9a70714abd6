"""The queue on one machine: moto's SQS as a server of the stack, polled by the gateway as Lambda would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.fixtures.waiting import until_async
from tests.unit.local.gateway.test_environments import function

from coliseum import aws
from coliseum.aws import delay_message, send_batch
from coliseum.errors import SourceRefused
from coliseum_local import redrive
from coliseum_local.gateway.environments import EnvironmentPool
from coliseum_local.gateway.queues import PolledQueue, polled
from coliseum_local.processes import ServerProcess
from coliseum_local.queue import create_queues, sqs_at
from coliseum_local.template import Queue, QueueMapping, Template
from coliseum_local.variables import of_queue

HANDLER = """
import json

def handler(event, context):
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    if any(body == "crash" for body in bodies):
        raise ValueError("as asked")
    if any(body == "lie" for body in bodies):
        return {"batchItemFailures": [{"itemIdentifier": "nobody"}]}
    with open(SEEN, "a") as seen:
        for record in event["Records"]:
            print(json.dumps(record), file=seen)
    bad = [record["messageId"] for record in event["Records"] if "bad" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("queue")
    arguments = ["--port", "0", "--state", str(folder), "--template", str(root / "template.yaml")]
    process = ServerProcess("coliseum_local.queue", arguments, log=folder / "queue.log")
    yield process
    process.stop()


@dataclass
class Pair:
    """A queue whose messages are back at once, and where they end after three deliveries."""

    sqs: Any
    url: str
    dead: str

    def count(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in found.values())


@pytest.fixture
def pair(server: ServerProcess) -> Pair:
    sqs, name = sqs_at(server.ready["url"]), uuid4().hex
    queues = [Queue(name, {"VisibilityTimeout": "0"}, f"{name}-dead", 3), Queue(f"{name}-dead", {})]
    urls = create_queues(sqs, queues)
    return Pair(sqs, urls[name], urls[f"{name}-dead"])


Poll = Callable[..., PolledQueue]


@pytest.fixture
def poll(pair: Pair, tmp_path: Path) -> Poll:
    """Poll with the handler until `done(polled)`."""

    def run(done: Callable[[PolledQueue], bool], *, batch_size: int = 10) -> PolledQueue:
        code = f"SEEN = {str(tmp_path / 'seen')!r}\n{HANDLER}"
        messages = QueueMapping("Decisions", "Queue", batch_size, 1)  # one at a time: nothing is hidden meanwhile

        async def until() -> PolledQueue:
            environments = EnvironmentPool(function(tmp_path, code=code))
            source = PolledQueue(
                messages, environments, sqs=pair.sqs, url=pair.url, sleep=lambda _: asyncio.sleep(0.01)
            )
            task = asyncio.create_task(source.run())
            await until_async(lambda: done(source))
            task.cancel()
            await asyncio.gather(task, *source.batches, return_exceptions=True)
            return source

        return asyncio.run(until())

    return run


def seen(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]


def put(pair: Pair, *bodies: Any) -> None:
    for body in bodies:
        pair.sqs.send_message(QueueUrl=pair.url, MessageBody=json.dumps(body))


def test_the_queues_of_the_template_are_there_with_their_rules(server: ServerProcess, root: Path) -> None:
    template = Template.read(root / "template.yaml")
    assert set(server.ready["variables"]) == set(template.queue_variables) == {"DECISIONS_QUEUE_URL"}
    names = ["RedrivePolicy", "VisibilityTimeout", "MessageRetentionPeriod"]
    url = server.ready["variables"]["DECISIONS_QUEUE_URL"]
    found = sqs_at(server.ready["url"]).get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    policy = json.loads(found.pop("RedrivePolicy"))
    assert found == {"VisibilityTimeout": "900", "MessageRetentionPeriod": "86400"}
    assert policy["deadLetterTargetArn"].endswith(":coliseum-local-DecisionFailures")
    assert int(policy["maxReceiveCount"]) == 3
    (mapping,) = template.function("Forecaster").messages
    assert (mapping.queue, mapping.batch_size, mapping.concurrency) == ("DecisionsQueue", 10, 8)


def test_the_time_to_decide_fits_six_times_into_the_queues_patience(root: Path) -> None:
    template = Template.read(root / "template.yaml")
    forecaster = template.function("Forecaster")
    queue = next(one for one in template.queues if one.logical_id == forecaster.messages[0].queue)
    assert int(queue.attributes["VisibilityTimeout"]) >= 6 * forecaster.timeout_seconds


def test_what_goes_well_is_delivered_once_and_deleted(pair: Pair, poll: Poll, tmp_path: Path) -> None:
    put(pair, *({"decision_id": str(number)} for number in range(12)))
    done = poll(lambda source: source.deleted == 12)
    assert done.received == 12
    assert pair.count(pair.url) == pair.count(pair.dead) == 0
    record = seen(tmp_path)[0]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].startswith("arn:aws:sqs:us-east-1:123456789012:")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {one["body"] for one in seen(tmp_path)} == {f'{{"decision_id": "{number}"}}' for number in range(12)}


def test_a_message_that_fails_three_times_is_put_aside_and_its_neighbours_are_not(
    pair: Pair, poll: Poll, tmp_path: Path
) -> None:
    put(pair, "good", "bad", "fine")
    poll(lambda source: source.deleted == 2 and pair.count(pair.dead) == 1)
    counts = [one["attributes"]["ApproximateReceiveCount"] for one in seen(tmp_path) if "bad" in one["body"]]
    assert counts == ["1", "2", "3"]
    assert pair.count(pair.url) == 0


@pytest.mark.parametrize("body", ["crash", "lie"])
def test_a_function_that_fails_or_answers_nonsense_keeps_its_batch(pair: Pair, poll: Poll, body: str) -> None:
    put(pair, body)
    done = poll(lambda _: pair.count(pair.dead) == 1)
    assert (done.deleted, done.failed) == (0, 3)


def test_dead_letters_go_out_again(pair: Pair, poll: Poll, tmp_path: Path) -> None:
    put(pair, "bad", "bad too")
    poll(lambda _: pair.count(pair.dead) == 2)
    assert redrive.dead_letters_of(pair.sqs, pair.url) == pair.dead
    assert redrive.move(pair.sqs, source=pair.dead, target=pair.url) == 2
    assert (pair.count(pair.url), pair.count(pair.dead)) == (2, 0)
    assert redrive.move(pair.sqs, source=pair.dead, target=pair.url) == 0


def test_a_queue_without_dead_letters_has_none_to_hand_out(pair: Pair) -> None:
    with pytest.raises(LookupError, match="no dead-letter queue"):
        redrive.dead_letters_of(pair.sqs, pair.dead)


def test_without_an_address_nothing_is_polled(tmp_path: Path) -> None:
    messages = QueueMapping("Decisions", "Queue", 5, None)
    environments = EnvironmentPool(function(tmp_path, code="def handler(event, context): ..."))
    assert polled(messages, environments, variables={"QUEUE_URL": "Queue"}, environment={}) is None
    assert polled(messages, environments, variables={}, environment={"QUEUE_URL": "http://127.0.0.1:1/x"}) is None


@pytest.fixture
def aws_variables(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment in which the local stack runs functions, for `coliseum.aws`."""
    for name, value in of_queue(server.ready).items():
        monkeypatch.setenv(name, value)
    aws.sqs_client.cache_clear()
    yield
    aws.sqs_client.cache_clear()


@pytest.mark.usefixtures("aws_variables")
def test_a_sent_message_arrives_and_can_be_delayed(pair: Pair) -> None:
    send_batch(pair.url, [{"decision_id": str(number)} for number in range(11)])
    send_batch(pair.url, [{"decision_id": "later"}], delay_seconds=900)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
    found = pair.sqs.get_queue_attributes(QueueUrl=pair.url, AttributeNames=names)["Attributes"]
    assert found == {"ApproximateNumberOfMessages": "11", "ApproximateNumberOfMessagesDelayed": "1"}


@pytest.mark.usefixtures("aws_variables")
def test_a_postponed_message_waits_out_of_sight(pair: Pair) -> None:
    put(pair, "one")
    (message,) = pair.sqs.receive_message(QueueUrl=pair.url, VisibilityTimeout=60)["Messages"]
    delay_message(pair.url, message["ReceiptHandle"], seconds=0)
    (again,) = pair.sqs.receive_message(QueueUrl=pair.url, VisibilityTimeout=0)["Messages"]
    delay_message(pair.url, again["ReceiptHandle"], seconds=600)
    assert "Messages" not in pair.sqs.receive_message(QueueUrl=pair.url)
    with pytest.raises(SourceRefused, match="could not be delayed"):
        delay_message(pair.url, "nonsense", seconds=1)


def test_the_command_hands_dead_letters_out_again(
    pair: Pair, poll: Poll, server: ServerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(pair, "bad")
    poll(lambda _: pair.count(pair.dead) == 1)
    for name, value in of_queue(server.ready).items():
        monkeypatch.setenv(name, value)
    assert redrive.redrive(pair.url) == 0
    assert capsys.readouterr().out == "1 handed out again\n"
    assert pair.count(pair.url) == 1


def test_the_command_says_what_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLISEUM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DECISIONS_QUEUE_URL", "")
    assert redrive.redrive(None, root=tmp_path) == 1
    assert "--queue-url" in capsys.readouterr().err
