from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from coliseum.errors import SourceUnavailable
from coliseum.http.health import ProbeResult, health_from, http_status
from coliseum.http.probes import Probe, Prober
from coliseum.identity import Identity, exchange_at
from coliseum.trading.modes import BotMode

HERE = Identity(bot="bot", exchange=exchange_at("http://127.0.0.1:8003"), account="sandbox/2bd806c97f0e")
UP: dict[str, ProbeResult] = {"database": "up", "redis": "up", "bot": "up", "exchange": "up"}


def test_the_service_is_healthy_with_database_redis_and_bot() -> None:
    assert health_from(UP, version="1", environment="test", identity=HERE).status == "healthy"
    without_exchange = health_from({**UP, "exchange": "down"}, version="1", environment="test", identity=HERE)
    assert (without_exchange.status, without_exchange.exchange) == ("healthy", "unavailable")
    for part in ("database", "redis", "bot"):
        assert health_from({**UP, part: "down"}, version="1", environment="test", identity=HERE).status == "degraded"


@pytest.mark.parametrize(("finding", "bot"), [("up", "online"), ("down", "offline"), ("unknown", "unknown")])
def test_a_bot_that_did_not_answer_in_time_is_unknown(finding: ProbeResult, bot: str) -> None:
    assert health_from({**UP, "bot": finding}, version="1", environment="test", identity=HERE).bot == bot


def test_the_bots_mode_comes_with_its_age_and_is_never_guessed() -> None:
    mode = BotMode("live", datetime(2026, 11, 21, 8, tzinfo=UTC), True)
    known = health_from(UP, version="1", environment="test", identity=HERE, mode=mode).model_dump(mode="json")
    unknown = health_from(UP, version="1", environment="test", identity=HERE).model_dump(mode="json")
    keys = ("bot_mode", "bot_mode_as_of", "bot_mode_stale")
    assert [known[key] for key in keys] == ["live", "2026-11-21T08:00:00Z", True]
    assert [unknown[key] for key in keys] == [None, None, True]


def test_it_says_which_exchange_and_account_it_is_about() -> None:
    shown = health_from(UP, version="1", environment="test", identity=HERE).model_dump(mode="json")["identity"]
    assert shown == {
        "exchange": "sandbox",
        "exchange_host": "127.0.0.1",
        "account": "sandbox/2bd806c97f0e",
        "bot": "bot",
    }


def test_a_mode_that_cannot_be_read_in_time_is_unknown() -> None:
    forever = threading.Event()

    def slow() -> None:
        forever.wait()

    prober = Prober({}, mode=slow, seconds=0.1)
    assert prober.run() == ({}, None, ())
    forever.set()
    prober.close()


def test_the_status_is_503_only_when_every_part_is_down() -> None:
    nothing: dict[str, ProbeResult] = dict.fromkeys(UP, "down")
    assert http_status(nothing) == 503
    assert http_status({**nothing, "exchange": "up"}) == 200


def test_probes_run_in_parallel_and_never_raise() -> None:
    forever = threading.Event()

    def down() -> None:
        raise SourceUnavailable("redis", "down")

    def broken() -> None:
        raise ZeroDivisionError

    probes: dict[str, Probe] = {"database": lambda: None, "redis": down, "bot": broken, "exchange": forever.wait}
    prober = Prober(probes, seconds=2.0)  # time for the three that end, on a busy machine too
    results = {"database": "up", "redis": "down", "bot": "unknown", "exchange": "unknown"}
    assert prober.run() == (results, None, ())
    forever.set()
    prober.close()


def test_changes_of_the_exchange_are_shown() -> None:
    change = {
        "object": "Market",
        "field": "result",
        "change": "new_value",
        "endpoint": "GET /markets",
        "detail": "one",
        "depends_on": "payouts",
        "first_seen": "2026-12-01T00:00:00Z",
    }
    shown = health_from(UP, version="1", environment="test", identity=HERE, exchange_changes=[change])
    assert shown.model_dump(mode="json")["exchange_changes"] == [change]
