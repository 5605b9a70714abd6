"""The reporter in one process: what it answers, refuses and pushes, and that it never raises or leaves threads."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.push_receiver import OTHER_SECRET, SECRET, FakeReceiver, receiving
from tests.fixtures.waiting import until

from coliseum.bot.findings import Severity, health_findings, status_findings, trades_findings
from coliseum.bot.parse import health_from, status_from, trades_from
from coliseum.client import Reporter


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with receiving(FakeReceiver()) as started:
        yield started


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "trades.log")


def get(reporter: Reporter, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", reporter.port)
    connection.request("GET", path)
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body


def report(reporter: Reporter, *numbers: int) -> None:
    for number in numbers:
        assert reporter.trade("KXA-1", "BUY", 5, "0.65", outcome="yes", trade_id=f"t{number}")


def names(first: int, last: int) -> list[str]:
    return [f"t{number}" for number in range(first, last + 1)]


# ---------------------------------------------------------------------------------------- what it answers
def test_coliseum_reads_its_answers_without_a_finding(path: str) -> None:
    with Reporter(path, port=0) as reporter:
        reporter.status(mode="paper", strategy="example", positions=[{"ticker": "KXA-1", "cost": Decimal("1.50")}])
        report(reporter, 1, 2)
        health, status, trades = (
            json.dumps(get(reporter, f"/{name}")).encode() for name in ("health", "status", "trades")
        )
    found = [*health_findings(health), *status_findings(status)]
    found += trades_findings(trades, now=time.time(), trade_count=2)
    assert [finding.text for finding in found if finding.severity is not Severity.OK] == []
    assert health_from(health).trade_count == 2
    assert status_from(status).positions == ({"ticker": "KXA-1", "cost": "1.50"},)
    assert [trade.trade_id for trade in trades_from(trades).trades] == ["t1", "t2"]


def test_a_list_names_its_run_and_count(path: str) -> None:
    with Reporter(path, port=0) as reporter:
        report(reporter, 1)
        answer, health = get(reporter, "/trades"), get(reporter, "/health")
    assert answer.keys() == {"trades", "started_at", "trade_count"}
    assert (answer["started_at"], answer["trade_count"]) == (health["started_at"], health["trade_count"])


def test_list_and_count_agree_at_every_instant(path: str) -> None:
    """One look is atomic, however many threads trade meanwhile."""
    with Reporter(path, port=None) as reporter:
        threads = [threading.Thread(target=lambda k=k: report(reporter, *range(k, k + 200))) for k in (0, 1000, 2000)]
        for thread in threads:
            thread.start()
        looks = []
        while any(thread.is_alive() for thread in threads):
            looks.append(json.loads(reporter.answer("/trades") or b""))
        looks.append(json.loads(reporter.answer("/trades") or b""))
    assert all(len(look["trades"]) == look["trade_count"] for look in looks)
    assert looks[-1]["trade_count"] == 600


def test_another_path_is_a_404_and_a_connection_is_kept(path: str) -> None:
    with Reporter(path, port=0) as reporter:
        connection = http.client.HTTPConnection("127.0.0.1", reporter.port)
        statuses = []
        for target in ("/trades?limit=5", "/", "/secrets", "/health"):
            connection.request("GET", target)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
    assert statuses == [200, 404, 404, 200]


def test_the_mode_is_in_the_headers(path: str) -> None:
    with Reporter(path, port=0) as reporter:
        reporter.status(mode="LIVE")
        connection = http.client.HTTPConnection("127.0.0.1", reporter.port)
        connection.request("GET", "/health")
        assert connection.getresponse().headers["x-bot-mode"] == "live"
        connection.close()


def test_a_status_field_keeps_its_value_and_is_a_copy() -> None:
    positions = [{"ticker": "A"}]
    with Reporter(None, port=None) as reporter:
        reporter.status(mode="paper", positions=positions)
        positions.append({"ticker": "B"})
        reporter.status(last_error="none yet")
        body = json.loads(reporter.answer("/status") or b"")
    assert (body["mode"], body["positions"], body["last_error"]) == ("paper", [{"ticker": "A"}], "none yet")


# ---------------------------------------------------------------------------------------- what it refuses
@pytest.mark.parametrize(
    ("arguments", "named", "says"),
    [
        (("A", "BUY", 5, 65), {}, "trade: price: got 65, expected dollars per contract between 0 and 1"),
        ((), {}, "missing 4 required positional arguments"),
        (("A", "BUY", 5, 0.5), {"qty": 5}, "unexpected keyword argument 'qty'"),
        (("A", "BUY", object(), 0.5), {}, "trade: quantity: got <object"),
    ],
)
def test_a_wrong_call_is_false_and_counted_and_logged_once(
    arguments: tuple[Any, ...], named: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Reporter(None, port=None) as reporter:
        assert [reporter.trade(*arguments, **named) for _ in range(3)] == [False] * 3
        until(lambda: caplog.records)
        assert json.loads(reporter.answer("/status") or b"")["reporter"]["refused"] == 3
        assert json.loads(reporter.answer("/trades") or b"")["trades"] == []
    assert len(caplog.records) == 1
    assert says in caplog.text


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")

    __str__ = __repr__


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "demo"},
        {"positions": [object()]},
        {"positions": float("nan")},
        {"strategy": "x" * 2_000_000},
        {"positions": Unprintable()},
    ],
)
def test_a_wrong_status_is_refused_and_the_old_one_stays(fields: dict[str, Any]) -> None:
    with Reporter(None, port=None) as reporter:
        reporter.status(mode="paper")
        assert reporter.status(**fields) is False
        assert json.loads(reporter.answer("/status") or b"")["mode"] == "paper"


ANYTHING = st.one_of(
    st.none(), st.text(), st.floats(), st.integers(), st.binary(), st.builds(Unprintable), st.builds(object)
)


@given(arguments=st.lists(ANYTHING, max_size=6), named=st.dictionaries(st.text(max_size=8), ANYTHING, max_size=3))
def test_no_call_raises(arguments: list[Any], named: dict[str, Any]) -> None:
    with Reporter(None, port=None) as reporter:
        assert reporter.trade(*arguments, **named) in {True, False}
        assert reporter.status(*arguments, **named) in {True, False}
        assert json.loads(reporter.answer("/status") or b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://example.com", "secret": SECRET},
        {"url": "https://example.com"},
        {"secret": SECRET},
        {"url": "https://example.com", "secret": "whsec_short"},
    ],
)
def test_a_wrong_setting_is_a_problem_and_the_bot_goes_on(wrong: dict[str, str]) -> None:
    with Reporter(None, port=0, **wrong) as reporter:  # type: ignore[arg-type]  # mypy reads the keys as any
        assert reporter.problems["push"].startswith("nothing is pushed: ")
        report(reporter, 1)
        assert get(reporter, "/health")["trade_count"] == 1
        assert SECRET[6:] not in f"{reporter!r} {reporter.problems}"


def test_after_closing_a_trade_is_refused_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    reporter = Reporter(None, port=None)
    reporter.close()
    reporter.close()
    assert reporter.trade("A", "BUY", 1, 0.5) is False
    assert reporter.refused == 1


def test_a_taken_port_is_a_problem_and_is_tried_again(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coliseum.client.reporting.reporter.PORT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        reporter = Reporter(path, port=port)
        assert reporter.port is None
        assert f"port {port} of 127.0.0.1 cannot be used, nobody can ask the bot" in reporter.problems["port"]
    until(lambda: reporter.port == port)
    assert "port" not in reporter.problems
    reporter.close()


# ---------------------------------------------------------------------------------------- what it pushes
def test_each_trade_is_pushed_and_nothing_twice_over(receiver: FakeReceiver, path: str) -> None:
    with Reporter(path, port=None, url=receiver.url, secret=SECRET) as reporter:
        for number in range(1, 51):
            report(reporter, number)
        until(lambda: receiver.taken_ids == names(1, 50))
        until(lambda: not reporter.problems)
    assert len(receiver.connections) == 1
    # Each body begins with a trade that was taken before, so the receiver sees that nothing is missing between.
    for before, after in zip(receiver.taken, receiver.taken[1:], strict=False):
        assert before.trade_ids[-1] in after.trade_ids
    assert all(each.size <= 64 * 1024 for each in receiver.pushed)


def test_what_came_while_the_receiver_was_away_is_pushed_when_it_is_back(path: str) -> None:
    receiver = FakeReceiver()
    with receiving(receiver):
        reporter = Reporter(path, port=None, url=receiver.url, secret=SECRET)
        report(reporter, 1)
        until(lambda: receiver.taken_ids == ["t1"])
    report(reporter, *range(2, 301))
    until(lambda: "does not answer" in reporter.problems.get("push", ""))
    with receiving(receiver):
        until(lambda: receiver.taken_ids == names(1, 300))
        until(lambda: reporter.problems == {})
        reporter.close()


def test_a_trade_while_a_request_is_in_flight_waits_for_its_answer(receiver: FakeReceiver, path: str) -> None:
    with Reporter(path, port=None, url=receiver.url, secret=SECRET) as reporter:
        receiver.held.clear()
        report(reporter, 1)
        until(lambda: receiver.connections)
        began = time.monotonic()
        report(reporter, *range(2, 100))
        spent = time.monotonic() - began
        assert receiver.pushed == []
        receiver.held.set()
        until(lambda: receiver.taken_ids == names(1, 99))
    assert len(receiver.taken) <= 3
    assert spent < 10.0  # the request could have taken longer


def test_what_is_left_to_the_poller_is_not_sent_again(receiver: FakeReceiver, path: str) -> None:
    receiver.answers = [(202, {}, b"{}")]
    with Reporter(path, port=None, url=receiver.url, secret=SECRET) as reporter:
        report(reporter, 1)
        until(lambda: receiver.pushed)
        report(reporter, 2)
        until(lambda: receiver.taken_ids == ["t1", "t2"])
    assert [each.status for each in receiver.pushed] == [202, 200]


def test_a_changed_mode_is_pushed_at_once_and_other_changes_seldom(receiver: FakeReceiver) -> None:
    with Reporter(None, port=None, url=receiver.url, secret=SECRET) as reporter:
        reporter.status(mode="paper")
        until(lambda: len(receiver.pushed) == 1)
        for number in range(20):
            reporter.status(last_error=str(number))
        reporter.status(mode="live")
        until(lambda: len(receiver.pushed) == 2)
    assert [each.body["mode"] for each in receiver.pushed] == ["paper", "live"]
    assert all(each.path == "/api/python/bot/status" for each in receiver.pushed)


def test_closing_pushes_what_is_left(receiver: FakeReceiver, path: str) -> None:
    reporter = Reporter(path, port=None, url=receiver.url, secret=SECRET)
    report(reporter, 1)
    reporter.close(wait_seconds=60)
    assert receiver.taken_ids == ["t1"]


def test_a_restart_pushes_what_was_not_pushed(receiver: FakeReceiver, path: str) -> None:
    with Reporter(path, port=None) as first:
        report(first, 1, 2)
    with Reporter(path, port=None, url=receiver.url, secret=SECRET):
        until(lambda: receiver.taken_ids == ["t1", "t2"])


def test_a_second_reporter_of_a_file_answers_and_pushes_nothing_until_it_takes_over(
    receiver: FakeReceiver, path: str
) -> None:
    first = Reporter(path, port=None)
    report(first, 1)
    with Reporter(path, port=0, url=receiver.url, secret=SECRET) as second:
        report(second, 2)
        assert second.port is None
        assert "in use by another process" in second.problems["file"]
        assert receiver.pushed == []
        first.close()
        until(lambda: receiver.taken_ids == ["t1", "t2"])
        assert [row["trade_id"] for row in get(second, "/trades")["trades"]] == ["t2", "t1"]


def test_the_secret_is_in_no_text(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with (
        receiving(FakeReceiver(secret=OTHER_SECRET)) as receiver,
        Reporter(path, port=0, url=receiver.url, secret=SECRET) as reporter,
    ):
        report(reporter, 1)
        until(lambda: "check the secret" in reporter.problems.get("push", ""))
        texts = f"{reporter!r} {reporter.problems} {get(reporter, '/status')} {caplog.text} {Path(path).read_text()}"
    assert SECRET[6:] not in texts


# ---------------------------------------------------------------------------------------- clocks and threads
def test_a_clock_that_jumps_changes_neither_order_nor_pace(receiver: FakeReceiver, path: str) -> None:
    off = 0.0
    with Reporter(path, port=None, url=receiver.url, secret=SECRET, clock=lambda: time.time() + off) as reporter:
        for number in range(1, 9):
            off = [0.0, -86_400.0, 86_400.0, -3600.0][number % 4]
            report(reporter, number)
            until(lambda number=number: receiver.taken_ids == names(1, number))  # type: ignore[misc]
        rows = json.loads(reporter.answer("/trades") or b"")["trades"]
        until(lambda: reporter.problems == {})
    assert [row["trade_id"] for row in rows] == names(1, 8)[::-1]


def test_reporters_that_are_closed_leave_no_thread_and_no_descriptor(receiver: FakeReceiver, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def own_threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name.startswith("coliseum-reporter")]

    before, files = own_threads(), open_files()
    for number in range(10):
        with Reporter(str(tmp_path / f"{number}.log"), port=0, url=receiver.url, secret=SECRET) as reporter:
            report(reporter, number)
            get(reporter, "/health")
    until(lambda: own_threads() == before)
    until(lambda: open_files() <= files + 10)  # the receiver's own ends of ten connections


def test_more_connections_than_slots_are_closed_and_the_rest_is_served() -> None:
    with Reporter(None, port=0) as reporter:
        assert reporter.port is not None
        idle = [socket.create_connection(("127.0.0.1", reporter.port)) for _ in range(40)]
        ends = sum(1 for each in idle[16:] if each.recv(1) == b"")
        for each in idle:
            each.close()
        assert ends == 24
        until(lambda: _answers(reporter))


def _answers(reporter: Reporter) -> bool:
    try:
        return bool(get(reporter, "/health"))
    except (OSError, http.client.HTTPException):
        return False


def test_a_bot_in_an_event_loop_can_use_it(receiver: FakeReceiver, path: str) -> None:
    async def bot() -> None:
        with Reporter(path, port=0, url=receiver.url, secret=SECRET) as reporter:
            for number in range(1, 11):
                report(reporter, number)
                await asyncio.sleep(0)
            while receiver.taken_ids != names(1, 10):  # noqa: ASYNC110 - another thread changes it
                await asyncio.sleep(0.01)

    asyncio.run(bot())
