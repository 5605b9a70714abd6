"""What a run prints."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console, ConsoleDimensions

from coliseum.bot.parse import status_from, trades_from
from coliseum_local.observation import Observation
from coliseum_local.services import BOT, REDIS
from coliseum_local.supervisor import ServiceStatus
from coliseum_local.view import LiveView, PlainView, table

TRADE = trades_from(
    b'[{"timestamp": 1795262400.5, "ticker": "KX-1", "side": "BUY", "quantity": 5, "price": 0.4, "trade_id": "a"},'
    b'{"timestamp": 1795262401, "ticker": "KX-2", "side": "SELL", "outcome": "no", "quantity": 2, "price": 0.3,'
    b'"trade_id": "b"}]'
).trades
SEEN = Observation(
    bot_alive=True,
    bot=status_from(b'{"mode": "paper", "strategy": "drift"}'),
    trades=TRADE,
    gateway={
        "streams": [{"open": 3}],
        "schedules": [{"function": "poller", "fired": 2, "failed": 0, "last_result": {"ticks": 20, "waited": False}}],
    },
    commands=17,
)


def printed(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    sink = io.StringIO()
    return Console(file=sink, width=120, force_terminal=terminal), sink


def test_plain_lines_tell_each_trade_and_each_change_once() -> None:
    console, sink = printed()
    view = PlainView(console)
    for seen in (
        SEEN,
        SEEN,
        Observation(mode="paper", mode_age_seconds=150.0, bot_problem="bot: /status answered 500"),
    ):
        view.show(seen)
    text = sink.getvalue()
    assert text.count("trade 12:00:00 BUY 5 KX-1 0.4") == 1
    assert text.count("trade 12:00:01 SELL no 2 KX-2 0.3") == 1
    assert text.count("bot online paper drift\n") == 1
    assert text.count("bot offline, paper when it last answered 2 min ago; bot: /status answered 500") == 1
    assert "streams 3 open · redis 17 commands billed" in text
    assert "\x1b" not in text


def test_the_live_view_shows_bot_trades_ticks_streams_and_commands() -> None:
    console, sink = printed(terminal=True)
    console.size = ConsoleDimensions(80, 20)  # a low terminal cuts off below
    view = LiveView(console)
    view.open()
    view.event("bot runs again")
    view.show(SEEN)
    view.close()
    text = sink.getvalue()
    for part in ("online paper drift", "KX-1", "ticks 20", "3 open", "17 commands", "bot runs again"):
        assert part in text


def test_a_mode_that_does_not_fit_the_exchange_is_told_when_it_changes() -> None:
    console, sink = printed()
    view = PlainView(console)
    live = replace(SEEN, bot=status_from(b'{"mode": "live"}'), mode_warning="this is the sandbox")
    for seen in (SEEN, live, live, SEEN):
        view.show(seen)
    text = sink.getvalue()

    assert text.count("bot online live; WARNING: this is the sandbox\n") == 1
    assert text.count("bot online paper drift\n") == 2


def test_what_does_not_answer_is_shown_as_unknown() -> None:
    console, sink = printed()
    PlainView(console).show(Observation())
    assert "bot offline, mode not known" in sink.getvalue()
    assert "streams ? open · redis ? commands billed" in sink.getvalue()


def test_the_table_says_what_runs_where_and_why_not() -> None:
    console, sink = printed()
    yours = ServiceStatus(REDIS, "https://x.upstash.io", "yours, by UPSTASH_REDIS_REST_URL", None)
    console.print(table([yours, ServiceStatus(BOT, None, "not started: no key", None)]))
    assert "https://x.upstash.io" in sink.getvalue()
    assert "not started: no key" in sink.getvalue()
