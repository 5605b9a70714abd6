"""The client against a real server that misbehaves on cue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from aws_lambda_powertools.metrics import Metrics
from pydantic import SecretStr
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8, rsa_key
from tests.unit.kalshi.stage import Reply, Script, Stage, in_order, reply

from coliseum import observability
from coliseum.config import Settings
from coliseum.errors import (
    ConfigurationError,
    NotFound,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.kalshi import client
from coliseum.kalshi.client import AsyncKalshi, Credentials, Kalshi
from coliseum.kalshi.pacing import Pace

GOOD = reply(payloads.STATUS)
LATE = Reply(body=GOOD.body, delay_seconds=3600)
KEY = Credentials("key-id", private_key=pkcs8(ed25519_key()))


@contextmanager
def _door(script: Script, credentials: Credentials = KEY) -> Iterator[tuple[Kalshi, Stage]]:
    with Stage(script).open() as stage:
        door = Kalshi(stage.url + "/trade-api/v2", credentials, jitter=lambda: 0.0)
        try:
            yield door, stage
        finally:
            door.close()


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=500, body=b"<html>oops</html>"),
        Reply(status=502),
        reply({"error": "too many requests"}, 429),
        Reply(hang_up=True, body=b'{"exchange_act'),
        Reply(status=200, body=b"", headers={"content-encoding": "gzip"}, hang_up=True),
    ],
    ids=["500", "502", "429", "hang-up", "hang-up-in-gzip"],
)
def test_passing_trouble_is_overcome(trouble: Reply) -> None:
    with _door(in_order(trouble, trouble, GOOD)) as (door, stage):
        assert door.exchange_status().trading_active
        assert len(stage.asked) == 3


def test_lasting_trouble_comes_out_as_unavailable_with_its_status() -> None:
    with _door(in_order(Reply(status=503, body=b"<html>"))) as (door, stage):
        with pytest.raises(SourceUnavailable) as caught:
            door.market("KXRAIN-1")
        assert (caught.value.status, len(stage.asked)) == (503, 4)


def test_lasting_refusal_for_speed_comes_out_as_such() -> None:
    with _door(in_order(reply({"error": "too many requests"}, 429))) as (door, stage):
        with pytest.raises(SourceRateLimited, match="GET /portfolio/fills answered 429: too many requests"):
            door.fills()
        assert len(stage.asked) == 4


def test_a_401_is_final_and_tells_the_exchanges_reason() -> None:
    body = {"error": {"code": "authentication_error", "message": "authentication_error", "details": "NOT_FOUND"}}
    with _door(in_order(reply(body, 401))) as (door, stage):
        with pytest.raises(SourceRefused, match="NOT_FOUND") as caught:
            door.balance()
        assert (caught.value.code, len(stage.asked)) == ("authentication_error", 1)
        assert "key-id" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b'{"market":{"ticker":"KX', b"", b"\x00\xff", b'{"market":{"ticker":"KX"}}']
)
def test_garbage_with_a_200_is_malformed_and_counted(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Metrics(namespace="Test")
    counted.clear_metrics()
    monkeypatch.setattr(observability, "metrics", lambda: counted)
    monkeypatch.setattr("coliseum.kalshi.client.metrics", lambda: counted)
    with _door(in_order(Reply(body=body))) as (door, stage):
        with pytest.raises(SourceMalformed, match=r"GET /markets/\{ticker\}"):
            door.market("KXRAIN-1")
        assert len(stage.asked) == 1
    assert counted.metric_set["KalshiMalformed"]["Value"] == [1.0]
    counted.clear_metrics()


def test_a_redirect_is_refused_and_not_followed() -> None:
    with _door(in_order(Reply(status=302, headers={"location": "http://127.0.0.1:1/"}))) as (door, stage):
        with pytest.raises(SourceRefused):
            door.exchange_status()
        assert len(stage.asked) == 1


def test_an_outage_that_tells_its_state_is_an_answer() -> None:
    paused = reply(payloads.STATUS | {"trading_active": False}, 503)
    with _door(in_order(paused)) as (door, stage):
        assert not door.exchange_status().trading_active
        assert len(stage.asked) == 1


def test_an_unknown_ticker_is_not_found_in_both_tiers() -> None:
    with _door(in_order(reply({"error": {"code": "not_found", "message": "not found"}}, 404))) as (door, stage):
        with pytest.raises(NotFound):
            door.market("KXNO")
        assert len(stage.asked) == 2


def test_a_slow_server_costs_no_more_than_the_callers_time() -> None:
    with _door(in_order(LATE)) as (door, _):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match="ReadTimeout"):
            door.for_seconds(0.3).exchange_status()
        assert time.monotonic() - start < PATIENCE_SECONDS


def test_a_dripping_answer_costs_no_more_than_the_callers_time() -> None:
    """Every byte arrives in time, the answer never does."""
    with _door(in_order(Reply(body=b" " * 10_000, drip_seconds=0.1))) as (door, _):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match="took too long"):
            door.for_seconds(0.3).exchange_status()
        assert time.monotonic() - start < PATIENCE_SECONDS


def test_nobody_there_is_unavailable() -> None:
    with Stage(in_order(GOOD)).open() as stage:
        url = stage.url
    door = Kalshi(url, jitter=lambda: 0.0)
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        door.exchange_status()
    door.close()


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coliseum.kalshi.client.MAX_BODY_BYTES", 1000)
    with _door(in_order(Reply(body=b" " * 5000))) as (door, _):
        with pytest.raises(SourceMalformed, match="more than 1000 bytes"):
            door.exchange_status()


def test_a_repeated_page_stops_loudly() -> None:
    counter = iter(range(100))
    page = payloads.fills(payloads.fill_number(2), payloads.fill_number(1))
    with _door(lambda asked: reply(page | {"cursor": str(next(counter))})) as (door, stage):
        with pytest.raises(SourceMalformed, match="gave a page that was there before"):
            door.all_fills()
        assert len(stage.asked) == 2


def test_every_attempt_is_signed_anew() -> None:
    script = in_order(Reply(status=500), Reply(status=500), reply(payloads.BODIES["/portfolio/fills"]))
    for key in (pkcs8(rsa_key()), pkcs8(ed25519_key())):
        with _door(script, Credentials("key-id", private_key=key)) as (door, stage):
            door.fills(limit=3)
            assert len({asked.headers["kalshi-access-signature"] for asked in stage.asked}) == len(stage.asked)


def test_public_data_needs_no_key_and_shows_none() -> None:
    with _door(in_order(GOOD)) as (door, stage):
        door.exchange_status()
        assert not [name for name in stage.asked[0].headers if name.startswith("kalshi-")]


ACCOUNT_CALLS: list[Callable[[Kalshi], object]] = [
    lambda door: door.balance(),
    lambda door: door.positions(),
    lambda door: door.fills(),
    lambda door: door.all_fills(),
    lambda door: door.settlements(),
    lambda door: door.orders(),
    lambda door: door.account_limits(),
    lambda door: door.historical_fills(),
    lambda door: door.historical_orders(),
]


@pytest.mark.parametrize("call", ACCOUNT_CALLS)
def test_the_account_needs_a_key_and_says_so_before_it_asks(call: Callable[[Kalshi], object]) -> None:
    with _door(in_order(GOOD), Credentials()) as (door, stage):
        with pytest.raises(ConfigurationError, match="KALSHI_API_KEY: is required"):
            call(door)
        assert stage.asked == []


def _settings(**values: object) -> Settings:
    return Settings(_env_file=None, kalshi_api_base="http://127.0.0.1:1/trade-api/v2", **values)  # type: ignore[arg-type]  # a table of settings


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({}, "KALSHI_API_KEY"),
        ({"kalshi_private_key": SecretStr("x")}, "KALSHI_API_KEY"),
        ({"kalshi_api_key": SecretStr("id")}, "KALSHI_PRIVATE_KEY"),
        ({"kalshi_api_key": SecretStr("id"), "kalshi_private_key": SecretStr("nonsense")}, "KALSHI_PRIVATE_KEY"),
        ({"kalshi_api_key": SecretStr("id"), "kalshi_rsa_key_path": Path("/nowhere.pem")}, "KALSHI_RSA_KEY_PATH"),
    ],
)
def test_the_missing_or_broken_variable_is_named(values: dict[str, object], variable: str) -> None:
    door = Kalshi.from_settings(_settings(**values))
    with pytest.raises(ConfigurationError) as caught:
        door.balance()
    assert caught.value.variable == variable
    door.close()


def test_a_key_file_is_read_where_no_text_is_given(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pkcs8(rsa_key()))
    script = in_order(reply(payloads.BALANCE))
    with Stage(script).open() as stage:
        values = {"kalshi_api_key": SecretStr("id"), "kalshi_rsa_key_path": file}
        door = Kalshi.from_settings(_settings(**values).model_copy(update={"kalshi_api_base": stage.url}))
        assert door.balance().cash > 0
        door.close()
        assert stage.asked[0].headers["kalshi-access-key"] == "id"


def test_a_file_that_is_no_text_is_named_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "key.der"
    file.write_bytes(b"\xff\xfe\x00secret")
    with pytest.raises(ConfigurationError, match="KALSHI_RSA_KEY_PATH: names no readable file"):
        Credentials("id", private_key_path=file).headers("/x")


@pytest.mark.usefixtures("real_pace")
def test_balance_is_asked_once_a_second_by_however_many_threads() -> None:
    with _door(in_order(reply(payloads.BALANCE))) as (door, _), ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        for future in [threads.submit(door.balance) for _ in range(3)]:
            future.result()
    assert time.monotonic() - began >= 2.0


def test_views_with_different_deadlines_share_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "Pace", lambda clock: Pace(lambda: 0.0))  # a clock that stands: the second call waits
    with _door(in_order(reply(payloads.BALANCE))) as (door, stage):
        door.balance()
        with pytest.raises(SourceRateLimited, match="our own pace"):
            door.for_seconds(0.2).balance()
        assert len(stage.asked) == 1


async def _async_trouble(url: str) -> None:
    door = AsyncKalshi(url, KEY, jitter=lambda: 0.0)
    assert (await door.exchange_status()).trading_active
    with pytest.raises(SourceUnavailable, match="ReadTimeout"):
        await door.for_seconds(0.3).exchange_status()
    await door.close()


def test_the_asyncio_client_overcomes_the_same_trouble() -> None:
    with Stage(in_order(Reply(status=500), Reply(hang_up=True, body=b"{"), GOOD, LATE)).open() as stage:
        asyncio.run(_async_trouble(stage.url))
        assert len(stage.asked) == 4


def test_an_asyncio_answer_in_an_unknown_shape_is_loud_too() -> None:
    async def ask(url: str) -> None:
        door = AsyncKalshi(url)
        with pytest.raises(SourceMalformed):
            await door.markets()
        await door.close()

    with Stage(in_order(Reply(body=b"[]"))).open() as stage:
        asyncio.run(ask(stage.url))
