"""The client of the bot against a real server with scripted faults."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.unit.kalshi.stage import Asked, Reply, Script, Stage, in_order, reply

from coliseum.bot.client import Bot
from coliseum.config import Settings
from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable

TRADE = {
    "timestamp": 1698676800.123,
    "ticker": "PRES24-GOP",
    "side": "BUY",
    "quantity": 50,
    "price": 0.65,
    "trade_id": "abc123",
}


@contextmanager
def _bot(script: Script, *, seconds: float = 60.0) -> Iterator[tuple[Bot, Stage]]:
    with Stage(script).open() as stage:
        bot = Bot(status_url=stage.url + "/bot/status", trades_url=stage.url + "/bot/trades", timeout_seconds=seconds)
        try:
            yield bot, stage
        finally:
            bot.close()


def _good(asked: Asked) -> Reply:
    bodies: dict[str, object] = {
        "/bot/health": {"status": "alive", "trade_count": 1, "started_at": "2026-11-21T07:00:00Z"},
        "/bot/status": {"mode": "live", "strategy": "momentum", "positions": [], "last_error": None},
        "/bot/trades": [TRADE],
    }
    return reply(bodies[asked.path])


def test_a_bot_that_follows_the_contract_is_read() -> None:
    with _bot(_good) as (bot, stage):
        assert bot.health().trade_count == 1
        assert bot.status().mode == "live"
        assert [trade.trade_id for trade in bot.trades().trades] == ["abc123"]
        assert [asked.path for asked in stage.asked] == ["/bot/health", "/bot/status", "/bot/trades"]


def test_the_settings_give_the_address_and_health_is_beside_status() -> None:
    with Stage(_good).open() as stage:
        settings = Settings(
            bot_status_endpoint=stage.url + "/bot/status", bot_trades_endpoint=stage.url + "/bot/trades"
        )
        bot = Bot.from_settings(settings)
        assert bot.health().alive
        bot.close()


FAULTS: list[tuple[Reply, type[SourceError], str]] = [
    (Reply(status=500, body=b"<html>"), SourceUnavailable, "answered 500"),
    (Reply(status=503), SourceUnavailable, "answered 503"),
    (Reply(status=404), SourceRefused, "answered 404"),
    (Reply(status=401), SourceRefused, "answered 401"),
    (Reply(status=429), SourceRateLimited, "answered 429"),
    (Reply(status=302, headers={"location": "http://127.0.0.1:1/"}), SourceRefused, "answered 302"),
    (Reply(body=b"<html><body>Welcome</body></html>"), SourceMalformed, "expected JSON, got '<html>"),
    (Reply(body=b'[{"trade_id":"ab'), SourceMalformed, "expected JSON"),
    (Reply(body=b""), SourceMalformed, "expected JSON, got ''"),
    (Reply(body=b"[" + b" " * 100, hang_up=True), SourceUnavailable, "RemoteProtocolError"),
    (
        Reply(body=gzip.compress(b" " * 10**7), headers={"content-encoding": "gzip"}),
        SourceMalformed,
        "uncompressed",
    ),
]


@pytest.mark.parametrize(("fault", "error", "message"), FAULTS)
def test_a_fault_raises_its_own_error_after_one_attempt(fault: Reply, error: type[SourceError], message: str) -> None:
    with _bot(in_order(fault)) as (bot, stage):
        with pytest.raises(error, match=message) as caught:
            bot.trades()
        assert caught.value.source == "bot"
        assert len(stage.asked) == 1


@pytest.mark.parametrize(
    "slow",
    [Reply(body=b"[]", delay_seconds=3600), Reply(body=b" " * 10_000, drip_seconds=0.1)],
    ids=["silent", "drips"],
)
def test_a_slow_answer_is_given_up_after_the_time_out(slow: Reply) -> None:
    """The whole answer would take an hour, or 1,000 seconds."""
    with _bot(in_order(slow), seconds=0.3) as (bot, _), pytest.raises(SourceUnavailable):
        bot.trades()


def test_a_bot_that_does_not_run_is_unavailable() -> None:
    with Stage(_good).open() as stage:
        url = stage.url
    bot = Bot(status_url=url + "/status", trades_url=url + "/trades")
    with pytest.raises(SourceUnavailable, match="/health: ConnectError"):
        bot.health()
    bot.close()


def test_a_bad_trade_is_rejected_and_the_others_are_read() -> None:
    rows = [TRADE | {"trade_id": "2", "price": 65}, TRADE | {"trade_id": "1"}, "nonsense"]
    with _bot(in_order(Reply(body=json.dumps({"trades": rows}).encode()))) as (bot, _):
        answer = bot.trades()
    assert [trade.trade_id for trade in answer.trades] == ["1"]
    assert [rejected.trade_id for rejected in answer.rejected] == ["2", None]


def test_a_body_of_fifty_megabytes_is_cut_at_five() -> None:
    with _bot(in_order(Reply(body=b"[1" + b",1" * (25 * 1024 * 1024) + b"]"))) as (bot, _):
        with pytest.raises(SourceMalformed, match="/bot/trades: answered more than 5242880 bytes"):
            bot.trades()


def test_a_list_just_below_the_limit_is_read() -> None:
    rows = [TRADE | {"trade_id": str(number), "note": "x" * 1000} for number in range(4000)]
    with _bot(in_order(reply(rows))) as (bot, _):
        assert len(bot.trades().trades) == 4000
