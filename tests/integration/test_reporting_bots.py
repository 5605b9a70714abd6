"""The one-file kits in bots of their own: kill -9, full disks, forks, no network, and what Coliseum makes of them."""

from __future__ import annotations

import json
import os
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.push_receiver import SECRET, FakeReceiver, receiving
from tests.fixtures.reporting_bots import COMMANDS, ReportingBot
from tests.fixtures.waiting import PATIENCE_SECONDS, until

from coliseum.bot.parse import trades_from

Start = Callable[..., ReportingBot]
KILLS = 60 if os.environ.get("COLISEUM_SOAK") else 20


@pytest.fixture(params=sorted(COMMANDS))
def kit(request: pytest.FixtureRequest) -> str:
    if COMMANDS[request.param] is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "trades.log")


@pytest.fixture
def start(kit: str, tmp_path: Path, path: str) -> Iterator[Start]:
    """Starts bots that end with the test."""
    running: list[ReportingBot] = []

    def one(*, limits: str = "", **options: Any) -> ReportingBot:
        given = {"file": path, "port": None, **options}
        running.append(ReportingBot(kit, given, log=tmp_path / "bot.log", limits=limits))
        return running[-1]

    yield one
    for bot in running:
        bot.kill()


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with receiving(FakeReceiver()) as started:
        yield started


def names(first: int, last: int) -> list[str]:
    return [f"t{number}" for number in range(first, last + 1)]


def test_no_trade_that_was_reported_is_lost_by_a_kill(start: Start, path: str) -> None:
    rng, known, run = random.Random(7), 0, ""
    for _ in range(KILLS):
        bot = start()
        answer = bot.do("answer", "/trades")
        assert answer["started_at"] == run or not run
        run = answer["started_at"]
        numbers = bot.numbers()
        newest = numbers[-1] if numbers else 0
        # A trade may be on disk although the kill came before its report returned.
        assert known <= newest <= known + 1
        assert answer["trade_count"] == newest
        assert numbers == list(range(newest - len(numbers) + 1, newest + 1))
        bot.tell("forever", newest + 1)
        last = newest + rng.randrange(1, 900)
        for known in bot.lines():
            if known >= last:
                bot.process.kill()
        bot.kill()
    assert known > 1000  # the file was shortened, too


def test_it_keeps_the_newest_thousand_over_restarts(start: Start) -> None:
    first = start()
    first.trades(1, 1500)
    assert first.exit(PATIENCE_SECONDS) == 0
    second = start()
    second.trades(1400, 2600)  # what it has reported before is not new
    answer = second.do("answer", "/trades")
    assert answer["trade_count"] == 2600
    assert second.numbers() == list(range(1601, 2601))


def test_a_full_disk_loses_nothing_while_the_bot_runs_and_nothing_that_fitted(start: Start, path: str) -> None:
    bot = start(limits="ulimit -f 32")  # 16 kB with a POSIX sh, 32 kB with another
    bot.trades(1, 300)
    assert bot.numbers() == list(range(1, 301))
    assert "cannot be written, trades are kept in memory" in bot.do("state")["problems"]["file"]
    bot.kill()
    whole = Path(path).read_bytes()
    assert whole.endswith(b"\n")
    again = start()
    numbers = again.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    assert 20 < len(numbers) < 300


def test_coliseum_can_poll_it(start: Start) -> None:
    bot = start(port=0)
    bot.do("status", {"mode": "paper", "strategy": "example"})
    bot.trades(1, 3)
    port = until(lambda: bot.do("state")["port"])
    answers = [_get(port, name) for name in ("health", "status", "trades")]
    assert (answers[0]["status"], answers[0]["trade_count"], answers[1]["mode"]) == ("alive", 3, "paper")
    assert [row["trade_id"] for row in answers[2]["trades"]] == ["t3", "t2", "t1"]
    assert answers[2]["started_at"] == answers[0]["started_at"]


def _get(port: int, name: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}") as response:
        return json.loads(response.read())


def test_it_pushes_signed_and_in_order(start: Start, receiver: FakeReceiver) -> None:
    bot = start(url=receiver.url, secret=SECRET)
    for first in (1, 11, 12, 13):
        bot.trades(first, first + 9 if first == 1 else first)
    until(lambda: receiver.taken_ids == names(1, 13))
    until(lambda: bot.do("state")["problems"] == {})
    assert {each.status for each in receiver.pushed} == {200}


def test_it_pushes_what_is_left_when_the_bot_ends(start: Start, receiver: FakeReceiver) -> None:
    bot = start(url=receiver.url, secret=SECRET)
    bot.trades(1, 1)
    assert bot.exit(PATIENCE_SECONDS) == 0
    assert receiver.taken_ids == ["t1"]


def test_without_a_network_it_trades_on_and_ends_soon(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        bot = start(url=f"http://127.0.0.1:{silent.getsockname()[1]}", secret=SECRET)
        bot.trades(1, 200)
        assert bot.numbers() == list(range(1, 201))
        began = time.monotonic()
        assert bot.exit(PATIENCE_SECONDS) == 0
        assert time.monotonic() - began < 9  # the answer would be waited for 10 s


def test_pushes_begin_when_the_receiver_comes(start: Start, receiver: FakeReceiver) -> None:
    with receiving(FakeReceiver()) as later:
        port = later.port
    bot = start(url=f"http://127.0.0.1:{port}", secret=SECRET)
    bot.trades(1, 50)
    until(lambda: "does not answer" in bot.do("state")["problems"].get("push", ""))
    with receiving(FakeReceiver(port=port)) as later:
        until(lambda: later.taken_ids == names(1, 50))


def test_a_receiver_without_the_route_is_left_alone(start: Start, receiver: FakeReceiver) -> None:
    receiver.answers = [(404, {}, b'{"detail":"there is no such route"}')]
    bot = start(url=receiver.url, secret=SECRET)
    bot.trades(1, 1)
    until(lambda: "the bot is polled instead" in bot.do("state")["problems"].get("push", ""))
    bot.trades(2, 50)
    assert len(receiver.pushed) == 1
    assert bot.numbers() == list(range(1, 51))


def test_a_second_bot_on_a_file_waits_for_the_first(start: Start) -> None:
    first, second = start(), start()
    first.trades(1, 2)
    second.trades(3, 3)
    assert "in use by another process" in second.do("state")["problems"]["file"]
    first.kill()
    until(lambda: second.do("state")["problems"] == {})
    assert second.numbers() == [1, 2, 3]


def test_a_wrong_call_is_refused_with_a_sentence_in_the_log(start: Start, tmp_path: Path) -> None:
    bot = start()
    fields = {"ticker": "A", "side": "BUY", "quantity": 5, "price": 65}
    assert [bot.do("trade", fields), bot.do("trade", fields)] == [False, False]
    sentence = "price: got 65, expected dollars per contract between 0 and 1 (0.65, not 65)"
    until(lambda: sentence in (tmp_path / "bot.log").read_text())
    assert bot.do("state")["refused"] == 2
    assert (tmp_path / "bot.log").read_text().count(sentence) == 1


FIELDS = {"ticker": "KXA-1", "side": "BUY", "quantity": 5, "price": "0.65", "trade_id": "t1"}
SAME_IN_EACH_LANGUAGE: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"side": "sell", "outcome": "NO", "fee": "-0.01", "order_id": 9, "strategy": "spread"}, True),
    ({"quantity": "4.920", "price": 0, "trade_id": 7, "timestamp": "2026-11-21T07:00:00Z"}, True),
    ({"price": 1, "timestamp": "1796000000.5", "trade_id": "\u00e9 x"}, True),
    ({"fee": "free", "order_id": "", "strategy": "x" * 101, "outcome": "maybe"}, True),
    ({"price": 65}, False),
    ({"price": "1.01"}, False),
    ({"price": None}, False),
    ({"price": True}, False),
    ({"quantity": 0}, False),
    ({"quantity": "-1"}, False),
    ({"quantity": 1e15}, False),
    ({"quantity": []}, False),
    ({"side": "long"}, False),
    ({"ticker": "A B"}, False),
    ({"ticker": ".."}, False),
    ({"ticker": "A\n"}, False),
    ({"trade_id": "a\nb"}, False),
    ({"trade_id": "x" * 201}, False),
    ({"trade_id": -1}, False),
    ({"timestamp": 1796000000123}, False),
    ({"timestamp": "2026-11-21T07:00:00"}, False),
    ({"timestamp": "yesterday"}, False),
    ({"qty": 5}, False),
]


def test_each_language_takes_the_same_trades_and_coliseum_reads_them(start: Start) -> None:
    bot = start(file=None)
    trades = [{**FIELDS, "trade_id": f"t{at}", **more} for at, (more, _) in enumerate(SAME_IN_EACH_LANGUAGE)]
    taken = [bot.do("trade", trade) for trade in trades]
    assert taken == [good for _, good in SAME_IN_EACH_LANGUAGE]
    answer = trades_from(json.dumps(bot.do("answer", "/trades")).encode())
    assert (len(answer.trades), answer.rejected) == (sum(taken), ())
    assert bot.do("state")["refused"] == len(taken) - sum(taken) + 4  # and four optional fields


def test_a_repetition_is_listed_once_and_a_correction_in_its_place(start: Start) -> None:
    bot = start()
    for trade_id, price in (("t1", "0.65"), ("t2", "0.65"), ("t1", "0.65"), ("t1", "0.66")):
        assert bot.do("trade", {**FIELDS, "trade_id": trade_id, "price": price})
    bot.kill()
    rows = start().do("answer", "/trades")["trades"]
    assert [(row["trade_id"], row["price"]) for row in rows] == [("t2", "0.65"), ("t1", "0.66")]


def test_damaged_lines_cost_only_themselves(start: Start, path: str) -> None:
    bot, rng = start(), random.Random(3)
    bot.trades(1, 300)
    bot.kill()
    lines = Path(path).read_bytes().splitlines(keepends=True)
    damaged = sorted(rng.sample(range(1, 300), 40))
    for number in damaged:
        place = rng.randrange(len(lines[number]) - 1)
        wrong = bytes([lines[number][place] ^ (1 << rng.randrange(8))])
        lines[number] = lines[number][:place] + wrong.replace(b"\n", b"x") + lines[number][place + 1 :]
    Path(path).write_bytes(b"".join(lines)[:-20])  # and the last line is torn
    again = start()
    assert again.numbers() == [number for number in range(1, 300) if number not in damaged]
    again.trades(301, 301)
    assert again.numbers()[-1] == 301


def test_each_kit_reads_the_file_of_the_other(kit: str, start: Start, tmp_path: Path, path: str) -> None:
    other = "python" if kit == "node" else "node"
    if COMMANDS[other] is None:
        pytest.skip(f"{other} is not installed")
    with ReportingBot(other, {"file": path, "port": None}, log=tmp_path / "other.log") as first:
        first.trades(1, 30)
        before = first.do("answer", "/trades")
    second = start()
    assert second.do("answer", "/trades") == before
    second.trades(25, 31)
    assert second.numbers() == list(range(1, 32))


def test_a_taken_port_leaves_the_push(start: Start, receiver: FakeReceiver) -> None:
    bot = start(port=receiver.port, url=receiver.url, secret=SECRET)
    bot.trades(1, 1)
    until(lambda: receiver.taken_ids == ["t1"])
    until(lambda: "cannot be used, trades are pushed only" in bot.do("state")["problems"].get("port", ""))


@pytest.fixture
def forking(kit: str) -> None:
    if not kit.startswith("python"):
        pytest.skip("only Python programs fork")


@pytest.mark.usefixtures("forking")
def test_a_forked_child_reports_nothing_beside_its_parent(start: Start) -> None:
    bot = start(port=0)
    bot.trades(1, 2)
    child = bot.do("fork", 3)
    assert bot.process.stdout is not None
    assert json.loads(bot.process.stdout.readline()) is True
    assert [row["trade_id"] for row in child["child"]["trades"]] == ["t3"]
    assert child["port"] is None
    bot.trades(4, 4)
    assert bot.numbers() == [1, 2, 4]
    assert _get(bot.do("state")["port"], "health")["trade_count"] == 3


@pytest.mark.usefixtures("forking")
def test_a_child_that_outlives_its_parent_takes_over(start: Start, receiver: FakeReceiver) -> None:
    bot = start(port=0, url=receiver.url, secret=SECRET)
    bot.trades(1, 2)
    bot.do("daemonize", 3)
    until(lambda: bot.do("state")["port"] is not None)
    assert bot.numbers() == [1, 2, 3]
    until(lambda: receiver.taken_ids == names(1, 3))
    bot.do("close")
