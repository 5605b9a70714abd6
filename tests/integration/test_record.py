from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fixtures.exchange import START, Exchange, StartExchange
from typer.testing import CliRunner

from coliseum.arena.replay.exchange import RecordedExchange
from coliseum.arena.replay.recording import RecordedBook, RecordedRow, about_text
from coliseum.kalshi.client import Kalshi
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Market
from coliseum_local.cli import app
from coliseum_local.record import ExchangeRecorder
from coliseum_local.replay import read_recording


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@dataclass
class Recorded:
    exchange: Exchange
    clock: Clock
    recorder: ExchangeRecorder
    rows: list[RecordedRow] = field(default_factory=list)

    def look(self, *, after: float = 0) -> list[RecordedRow]:
        if after:
            self.exchange.admin("clock", seconds=after)
            self.clock.now += after
        new = list(self.recorder.look())
        self.rows += new
        return new


@pytest.fixture
def recorded(start_exchange: StartExchange) -> Iterator[Recorded]:
    exchange, clock = start_exchange(arguments=("--no-rate-limits",)), Clock()
    kalshi = Kalshi(exchange.url, jitter=lambda: 0.0)
    yield Recorded(exchange, clock, ExchangeRecorder(kalshi, clock, most_markets=12))
    kalshi.close()


def test_a_recorded_exchange_answers_like_the_exchange(recorded: Recorded) -> None:
    recorded.look()
    replayed, kalshi = RecordedExchange(recorded.rows), recorded.recorder.kalshi
    replayed.advance(recorded.clock())
    events = replayed.events(status="open", with_markets=True, limit=200, cursor=None).items
    shown = {market.ticker: market for event in events for market in event.markets}
    active = [ticker for ticker, market in shown.items() if market.status == "active"]

    assert set(shown) == set(recorded.recorder.waiting)
    assert shown == {market.ticker: market for market in kalshi.markets(tickers=list(shown)).items}
    assert [replace(event, markets=()) for event in events] == [
        replace(kalshi.event(event.ticker), markets=()) for event in events
    ]
    assert replayed.order_books(active) == kalshi.order_books(active)
    event = events[0]
    assert replayed.series(event.series_ticker) == kalshi.series(event.series_ticker)
    ticker, start, end = event.markets[0].ticker, int(START) - 86_400, int(START)
    assert replayed.candles(event.series_ticker, ticker, start=start, end=end, period_minutes=60) == kalshi.candles(
        event.series_ticker, ticker, start=start, end=end, period_minutes=60
    )
    assert recorded.look() == []  # nothing is new


def test_markets_are_followed_until_they_are_final_also_after_a_restart(recorded: Recorded) -> None:
    """Markets that closed while no recorder was running are not in the list of open events, and are read anyway."""
    recorded.look()
    started = set(recorded.recorder.waiting)
    recorded.recorder = ExchangeRecorder(recorded.recorder.kalshi, recorded.clock, most_markets=12)
    recorded.recorder.remember(recorded.rows)
    assert set(recorded.recorder.waiting) == started
    assert recorded.look() == []  # nothing is written twice

    for _ in range(2):
        recorded.look(after=3600)
    final = {
        seen.item.ticker for seen in recorded.rows if isinstance(seen.item, Market) and seen.item.status == "finalized"
    }
    events = [seen.item.ticker for seen in recorded.rows if isinstance(seen.item, Event)]
    assert final & started
    assert final.isdisjoint(recorded.recorder.waiting)
    assert len(set(events)) == len(events)  # nothing of an event itself has changed


def test_the_number_of_followed_markets_is_limited(recorded: Recorded) -> None:
    recorded.recorder.most_markets = 5
    recorded.look()

    assert len(recorded.recorder.waiting) == 5


def test_the_command_writes_a_recording_and_continues_it(exchange_server: Exchange, tmp_path: Path) -> None:
    arguments = ["record", str(tmp_path), "--url", exchange_server.url, "--for", "0", "--markets", "5"]
    first = CliRunner().invoke(app, arguments)
    with (tmp_path / "books.jsonl").open("a") as file:
        file.write('{"at": "2026-11-21T12:00')  # a crash cut it off
    second = CliRunner().invoke(app, arguments)
    found = read_recording(tmp_path)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "new rows" in first.stderr
    assert found.exchange == "sandbox"
    assert {Series, Event, Market, RecordedBook} <= {type(row.item) for row in found.rows}

    (tmp_path / "about.json").write_text(about_text("kalshi"))
    other = CliRunner().invoke(app, arguments)
    assert (other.exit_code, other.stderr) == (
        1, f"{tmp_path}: this is a recording of kalshi; use another folder for sandbox\n"
    )  # fmt: skip


def test_an_exchange_outage_does_not_end_the_recording(start_exchange: StartExchange, tmp_path: Path) -> None:
    exchange = start_exchange(arguments=("--no-rate-limits",))
    exchange.admin("outage", active=True)
    done = CliRunner().invoke(app, ["record", str(tmp_path), "--url", exchange.url, "--for", "0", "--markets", "5"])

    assert done.exit_code == 0
    assert "kalshi" in done.stderr
    assert "0 new rows" in done.stderr
