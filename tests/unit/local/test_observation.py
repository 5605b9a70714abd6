"""What the screen of `make run` learns from any answer of the bot."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from tests.fixtures.scripted_bot import ScriptedBot, row, serving

from coliseum_local.observation import TRADES_SHOWN, Observer
from coliseum_local.supervisor import ServiceStatus, Supervisor

AT = 1_795_262_400.0


@pytest.fixture
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        yield scripted


@pytest.fixture
def observer(bot: ScriptedBot) -> Iterator[Observer]:
    """Of a system of which nothing but the bot runs."""
    from coliseum_local.services import REDIS

    system = SimpleNamespace(
        variables={
            "BOT_STATUS_ENDPOINT": bot.status_url,
            "BOT_TRADES_ENDPOINT": bot.trades_url,
            "KALSHI_API_BASE": "http://127.0.0.1:9/trade-api/v2",
        },
        url=lambda service: "http://127.0.0.1:9",
        standings=lambda: [ServiceStatus(REDIS, None, "", None)],
    )
    watching = Observer(cast(Supervisor, system))
    yield watching
    watching.close()


def test_the_newest_trades_come_first(bot: ScriptedBot, observer: Observer) -> None:
    bot.trade(*(row(str(number), at=AT + number) for number in range(TRADES_SHOWN + 2)))
    shown = [trade.trade_id for trade in observer.look().trades]

    assert shown == [str(number) for number in range(TRADES_SHOWN + 1, 1, -1)]


def test_rows_that_are_no_trades_are_left_out(bot: ScriptedBot, observer: Observer) -> None:
    bot.rows = [row("late", at=1_698_676_800_123), row("a\x1b[2J", at=AT), row("good", at=AT), {"trade_id": 1}]

    assert [trade.trade_id for trade in observer.look().trades] == ["good"]


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 10_000, b"[1, 2", b" " * 6_000_000], ids=["html", "deep", "half", "6MB"]
)
def test_nonsense_is_no_trade_and_the_last_mode_stays_with_its_age(
    bot: ScriptedBot, observer: Observer, body: bytes
) -> None:
    assert (observer.look().bot_alive, observer.look().mode) == (True, "paper")
    bot.answers = {"/status": (200, body), "/trades": (200, body)}
    seen = observer.look()

    assert (seen.bot_alive, seen.trades, seen.mode) == (False, (), "paper")
    assert seen.mode_age_seconds is not None
    assert seen.mode_age_seconds > 0


def test_a_live_bot_beside_the_sandbox_is_warned_of_and_one_on_paper_is_not(
    bot: ScriptedBot, observer: Observer
) -> None:
    assert observer.look().mode_warning is None
    bot.answers = {"/status": (200, b'{"mode": "live"}')}

    assert "sandbox" in (observer.look().mode_warning or "")
