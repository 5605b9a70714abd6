"""The Python client and `coliseum enter` against a served arena, and the page /arena/SKILL.md run by curl and sh."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import yaml
from functions.arena.app import build
from tests.contract.conftest import served
from tests.contract.rest_world import API, settings_of
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import enrolled, open_round

from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.client import Arena, ArenaRefused, OpenQuestion
from coliseum.store.client import Store
from coliseum_local.enter import Player, enter


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def address(postgres_server: PostgresServer, records: ArenaRecords) -> Iterator[str]:
    enrolled(records)
    open_round(records, ["A", "B", "C"], minutes=60)
    with served(build(settings_of(postgres=postgres_server).model_copy(update={"arena_entry": "open"}))) as url:
        yield url


def test_a_client_plays_and_a_repetition_stores_nothing_new(address: str, records: ArenaRecords) -> None:
    with Arena(address) as arena:
        made = arena.register("Client", "me@example.org")
        asked = list(arena.questions())
        assert [each.ticker for each in asked] == ["A", "B", "C"]
        assert arena.submit(asked[0], 0.2, dry_run=True) is None
        first = arena.submit(asked[0], 0.2, rationale="why")
        again = arena.submit(asked[0].question_id, 0.9)
        assert first is not None
        assert again is not None
        assert (first.new, again.new, again.seal) == (True, False, first.seal)
        assert [each.ticker for each in arena.questions()] == ["B", "C"]
        assert arena.record()["answered"] == 1
    (stored,) = records.forecasts()
    assert stored.agent_id == made["entrant_id"]


class LosesAnswers(httpx.BaseTransport):
    """Passes requests on to the server, and loses the answers to the first two with this path."""

    def __init__(self, path: str) -> None:
        self._real, self._path, self._left = httpx.HTTPTransport(), path, 2

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        if request.url.path.endswith(self._path) and self._left:
            self._left -= 1
            response.close()
            raise httpx.ReadError("the answer was lost", request=request)
        return response

    def close(self) -> None:
        self._real.close()


def test_a_client_replaces_its_token_although_answers_are_lost(address: str) -> None:
    with Arena(address, transport=LosesAnswers("/me/token"), wait=lambda _: None) as arena:
        old = arena.register("Client", "me@example.org")["token"]
        new = arena.replace_token()
        assert arena.record()["answered"] == 0
        assert (arena.token, new != old) == (new, True)
    with Arena(address, token=old) as late, pytest.raises(ArenaRefused, match="401"):
        late.record()


def test_a_client_sets_resumes_and_removes_its_endpoint(address: str) -> None:
    url = "https://agent.example/forecast"
    with Arena(address) as arena:
        made = arena.register("Client", "me@example.org", endpoint=url)
        secret = arena.set_endpoint(url)
        assert made["signing_secret"] != secret
        arena.resume_endpoint()
        assert arena.record()["endpoint_state"]["status"] == "unproven"
        arena.remove_endpoint()
        assert arena.record()["endpoint"] is None
        with pytest.raises(ArenaRefused, match="no endpoint") as refused:
            arena.resume_endpoint()
        assert refused.value.status == 409
        with pytest.raises(ArenaRefused, match="422"):
            arena.set_endpoint("https://127.0.0.1/")


@pytest.mark.parametrize(
    ("token", "question", "probability", "status"),
    [
        ("clm_" + "A" * 43, "r-1.A", 0.5, 401),
        (None, "r-1.A", 0.5, 404),
        (None, "{A}", 1.5, 422),
        (None, "{A}", -1, 422),
    ],
)
def test_a_refusal_has_its_status_and_says_what_is_wrong(
    address: str, token: str | None, question: str, probability: float, status: int
) -> None:
    with Arena(address) as arena:
        arena.register("Client", "me@example.org")
        first = next(arena.questions()).question_id
        arena.token = token or arena.token
        with pytest.raises(ArenaRefused) as refused:
            arena.submit(question.replace("{A}", first), probability)
    assert refused.value.status == status
    assert refused.value.detail


def test_a_client_waits_as_long_as_the_server_says_and_repeats_after_a_lost_answer() -> None:
    waits: list[float] = []
    answers: Iterator[int | Exception] = iter([httpx.ConnectError("gone"), 503, 429, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        headers = {"Retry-After": "7"} if found == 429 else {}
        return httpx.Response(found, headers=headers, json={"asked": 0})

    with Arena("https://arena.test", token="t", transport=httpx.MockTransport(answer), wait=waits.append) as arena:
        assert arena.record() == {"asked": 0}
    assert len(waits) == 3
    assert waits[2] == 7


AGENT = """
async def forecast(question):
    if question.ticker == "B":
        return None
    if question.ticker == "C":
        raise RuntimeError("no idea")
    return 0.25, "base rate"

def wrong(question):
    return "0.5"
"""


def test_a_function_is_played_and_keeps_its_token(
    address: str, records: ArenaRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_arena_agent.py").write_text(AGENT)
    keep = tmp_path / "token"

    def play(target: str = "my_arena_agent:forecast", contact: str | None = "me@example.org") -> int:
        return enter(target, url=address, name="Mine", contact=contact, keep=keep, every=60, once=True)

    assert play(contact=None) == 2
    assert play() == 0
    assert [(one.ticker, one.p) for one in records.forecasts()] == [("A", Decimal("0.25"))]
    assert stat.S_IMODE(keep.stat().st_mode) == 0o600
    assert play(contact=None) == 0
    assert play("my_arena_agent:wrong") == 0
    assert len(records.forecasts()) == 1


def test_a_token_goes_only_to_the_address_that_it_is_for(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_second_agent.py").write_text(AGENT)
    keep = tmp_path / "token"

    def play(url: str) -> int:
        return enter("my_second_agent:forecast", url=url, name="M", contact="a@b.org", keep=keep, every=60, once=True)

    assert play("http://127.0.0.1:9") == 2
    assert not keep.exists()
    assert (
        enter("my_second_agent:forecast", url=address, name="Mine", contact="a@b.org", keep=keep, every=60, once=True)
        == 0
    )
    assert play("http://localhost:9") == 2
    assert "this token is for" in capsys.readouterr().err
    keep.write_text("no token")
    assert play(address) == 2
    assert keep.read_text() == "no token"
    with pytest.raises(ValueError, match="https"):
        Arena("http://arena.example")


@pytest.mark.parametrize("text", ["def forecast(:", "nothing.at_all", "raise KeyError('x')"])
def test_a_module_that_fails_is_named_with_its_error(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"broken_agent_{len(text)}"
    (tmp_path / f"{name}.py").write_text(text)
    nowhere = "http://127.0.0.1:9"
    assert (
        enter(f"{name}:forecast", url=nowhere, name=None, contact="a@b", keep=tmp_path / "t", every=60, once=True) == 2
    )
    assert "cannot be imported" in capsys.readouterr().err


def test_an_abstention_is_not_asked_again_and_an_error_three_times(address: str) -> None:
    asked: list[str] = []

    def play(question: OpenQuestion) -> float | None:
        asked.append(question.ticker)
        if question.ticker == "C":
            raise RuntimeError("no idea")
        return None

    with Arena(address) as arena:
        arena.register("Abstains", "me@example.org")
        player = Player(arena, play)
        for _ in range(5):
            assert player.answer_questions() == 0
    assert Counter(asked) == {"A": 1, "B": 1, "C": 3}


def test_a_days_limit_is_passed_on_with_its_time() -> None:
    answer = httpx.Response(429, headers={"Retry-After": "3600"}, json={"detail": "the limit is reached"})
    waits: list[float] = []
    transport = httpx.MockTransport(lambda _: answer)
    with (
        Arena("https://arena.test", token="t", transport=transport, wait=waits.append) as arena,
        pytest.raises(ArenaRefused) as refused,
    ):
        arena.record()
    assert (refused.value.status, refused.value.retry_after_seconds, waits) == (429, 3600, [])


@pytest.mark.parametrize("target", ["nothing", "no_such_module_here:f", "json:nothing", "json:__name__"])
def test_a_target_that_is_no_function_is_named(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        enter(target, url="http://127.0.0.1:9", name=None, contact=None, keep=tmp_path / "t", every=60, once=True) == 2
    )
    assert target.split(":", maxsplit=1)[0] in capsys.readouterr().err


def test_an_agent_that_knows_only_the_page_has_a_sealed_forecast(
    address: str, records: ArenaRecords, tmp_path: Path
) -> None:
    """It runs the page's commands as they stand, and puts in what the page says to take from the answers."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = httpx.get(f"{address}{API}/arena/SKILL.md")
    assert page.headers["Content-Type"] == "text/markdown; charset=utf-8"
    text = page.text
    assert len(text.encode()) <= 6144
    assert len(text.splitlines()) <= 120
    _, front, _ = text.split("---\n", maxsplit=2)
    known = yaml.safe_load(front)
    assert re.fullmatch(r"[a-z0-9-]{1,64}", known["name"])
    assert len(known["description"]) <= 1024
    register, questions, send, record = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)

    def run(command: str, **variables: str) -> dict[str, object]:
        environment = {"PATH": "/usr/bin:/bin", **variables}
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=True)
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    token = str(run(register)["token"])
    listed = run(questions, TOKEN=token)["items"]
    assert isinstance(listed, list)
    sealed = run(send, TOKEN=token, QUESTION=listed[0]["question_id"])
    assert run(record, TOKEN=token)["answered"] == 1
    (stored,) = records.forecasts()
    assert (stored.forecast_id, stored.seal) == (sealed["forecast_id"], sealed["seal"])


def test_a_host_that_is_no_name_is_not_repeated_on_the_page(address: str) -> None:
    page = httpx.get(f"{address}{API}/arena/SKILL.md", headers={"Host": 'x" onload="y'})
    assert "onload" not in page.text
    assert "YOUR-HOST" in page.text
