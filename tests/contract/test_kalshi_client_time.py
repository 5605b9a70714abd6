"""The client and the sandbox exchange about time: `Retry-After`, and a clock that the exchange refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from email.utils import formatdate
from typing import Any

import pytest
from functions.portfolio.app import build
from tests.contract.rest_world import API, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange, launch_standing_exchange
from tests.fixtures.redis import RedisServer

from coliseum.errors import SourceRateLimited, SourceRefused
from coliseum.kalshi import client as kalshi_client
from coliseum.kalshi.client import Kalshi
from coliseum.upstash.client import Redis

pytestmark = pytest.mark.usefixtures("real_pace")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = launch_standing_exchange(tmp_path_factory.mktemp("time"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(standing: Exchange) -> Iterator[Exchange]:
    yield standing
    standing.reset()


@pytest.fixture
def kalshi(exchange: Exchange) -> Iterator[Kalshi]:
    client = Kalshi.from_settings(settings_of(exchange=exchange, **with_key(exchange)))
    yield client
    client.close()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_with_retry_after_every_caller_stays_away(kalshi: Kalshi, exchange: Exchange, form: str) -> None:
    header = "30" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
    exchange.admin("too-many-requests", requests=100, retry_after=header)
    with pytest.raises(SourceRateLimited, match="with Retry-After it refuses every call until 20"):
        kalshi.fills()
    for call in (kalshi.balance, kalshi.exchange_status, kalshi.for_seconds(5).fills):
        with pytest.raises(SourceRateLimited, match="not asked: with Retry-After"):
            call()
    assert exchange.admin_state()["too_many_requests"] == 99


def test_a_short_retry_after_is_waited_for(kalshi: Kalshi, exchange: Exchange) -> None:
    exchange.admin("too-many-requests", requests=1, retry_after="1")
    begin = time.monotonic()
    kalshi.fills()
    assert time.monotonic() - begin >= 1.0


def _clock_ahead(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Move the clock of our client's signatures and of its comparison."""

    class Clock:
        monotonic, sleep = staticmethod(time.monotonic), staticmethod(time.sleep)

        @staticmethod
        def time_ns() -> int:
            return time.time_ns() + seconds * 10**9

    class Moment(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(time.time() + seconds, tz)

    monkeypatch.setattr(kalshi_client, "time", Clock)
    monkeypatch.setattr(kalshi_client, "datetime", Moment)


@pytest.mark.parametrize(("seconds", "said"), [(45, r"4\d s ahead of"), (-45, r"4\d s behind")])
def test_a_clock_that_the_exchange_refuses_is_named_with_the_difference(
    kalshi: Kalshi, monkeypatch: pytest.MonkeyPatch, seconds: int, said: str
) -> None:
    _clock_ahead(monkeypatch, seconds)
    with pytest.raises(SourceRefused, match=f"this machine's clock is about {said} the exchange's"):
        kalshi.balance()


def test_a_stale_balance_says_that_the_clock_is_off(
    exchange: Exchange, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(prefix=prefix, exchange=exchange, redis=redis_server, **with_key(exchange))
    with client_of(build(settings)) as client:
        first = client.get(f"{API}/portfolio/balance").json()
        assert (first["stale"], first["failures"]) == (False, [])
        assert sum(float(shard["cash"]) for shard in first["balance_breakdown"]) == float(first["cash"])
    _make_a_minute_old(redis_server, f"{settings.cache_prefix}cache:balance")
    _clock_ahead(monkeypatch, 45)
    with client_of(build(settings)) as client:
        second = client.get(f"{API}/portfolio/balance").json()
        assert second["stale"]
        assert ["clock is about 4" in failure["problem"] for failure in second["failures"]] == [True]
        assert "clock is about 4" in client.get(f"{API}/portfolio/summary").json()["balance"]["error"]


def _make_a_minute_old(server: RedisServer, key: str) -> None:
    redis = Redis(server.url, server.token)
    stored = json.loads(str(redis.command("GET", key)))
    redis.command("SET", key, json.dumps({**stored, "as_of": time.time() - 60}), "PX", 3_600_000)
    redis.close()
