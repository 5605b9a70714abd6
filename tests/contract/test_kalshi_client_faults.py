"""The client against a real server with scripted faults."""

from __future__ import annotations

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
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.kalshi.pacing import RateLimiter

GOOD = reply(payloads.STATUS)
LATE = Reply(body=GOOD.body, delay_seconds=3600)
KEY = Credentials("key-id", private_key=pkcs8(ed25519_key()))


@contextmanager
def _client(script: Script, credentials: Credentials = KEY) -> Iterator[tuple[Kalshi, Stage]]:
    with Stage(script).open() as stage:
        client = Kalshi(stage.url + "/trade-api/v2", credentials, jitter=lambda: 0.0)
        try:
            yield client, stage
        finally:
            client.close()


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=500, body=b"<html>oops</html>"),
        Reply(status=502),
        reply({"error": "too many requests"}, 429),
        Reply(hang_up=True, body=b'{"exchange_act'),
        Reply(status=200, body=b"", headers={"content-encoding": "gzip"}, hang_up=True),
    ],
    ids=["500", "502", "429", "hang-up", "hang-up-in-gzip"],
)
def test_a_passing_fault_is_overcome(fault: Reply) -> None:
    with _client(in_order(fault, fault, GOOD)) as (client, stage):
        assert client.exchange_status().trading_active
        assert len(stage.asked) == 3


def test_a_lasting_fault_is_unavailable_with_its_status() -> None:
    with _client(in_order(Reply(status=503, body=b"<html>"))) as (client, stage):
        with pytest.raises(SourceUnavailable) as caught:
            client.market("KXRAIN-1")
        assert (caught.value.status, len(stage.asked)) == (503, 4)


def test_a_lasting_429_is_a_rate_limit_error() -> None:
    with _client(in_order(reply({"error": "too many requests"}, 429))) as (client, stage):
        with pytest.raises(SourceRateLimited, match="GET /portfolio/fills answered 429: too many requests"):
            client.fills()
        assert len(stage.asked) == 4


def test_a_401_is_final_and_has_the_exchanges_reason() -> None:
    body = {"error": {"code": "authentication_error", "message": "authentication_error", "details": "NOT_FOUND"}}
    with _client(in_order(reply(body, 401))) as (client, stage):
        with pytest.raises(SourceRefused, match="NOT_FOUND") as caught:
            client.balance()
        assert (caught.value.code, len(stage.asked)) == ("authentication_error", 1)
        assert "key-id" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b'{"market":{"ticker":"KX', b"", b"\x00\xff", b'{"market":{"ticker":"KX"}}']
)
def test_a_malformed_200_is_an_error_and_counted(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Metrics(namespace="Test")
    counted.clear_metrics()
    monkeypatch.setattr(observability, "metrics", lambda: counted)
    monkeypatch.setattr("coliseum.kalshi.client.metrics", lambda: counted)
    with _client(in_order(Reply(body=body))) as (client, stage):
        with pytest.raises(SourceMalformed, match=r"GET /markets/\{ticker\}"):
            client.market("KXRAIN-1")
        assert len(stage.asked) == 1
    assert counted.metric_set["KalshiMalformed"]["Value"] == [1.0]
    counted.clear_metrics()


def test_a_redirect_is_refused_and_not_followed() -> None:
    with _client(in_order(Reply(status=302, headers={"location": "http://127.0.0.1:1/"}))) as (client, stage):
        with pytest.raises(SourceRefused):
            client.exchange_status()
        assert len(stage.asked) == 1


def test_an_outage_with_a_status_body_is_an_answer() -> None:
    paused = reply(payloads.STATUS | {"trading_active": False}, 503)
    with _client(in_order(paused)) as (client, stage):
        assert not client.exchange_status().trading_active
        assert len(stage.asked) == 1


def test_an_unknown_ticker_is_not_found_in_both_tiers() -> None:
    with _client(in_order(reply({"error": {"code": "not_found", "message": "not found"}}, 404))) as (client, stage):
        with pytest.raises(NotFound):
            client.market("KXNO")
        assert len(stage.asked) == 2


def test_a_slow_server_costs_no_more_than_the_callers_time() -> None:
    with _client(in_order(LATE)) as (client, _):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match="ReadTimeout"):
            client.for_seconds(0.3).exchange_status()
        assert time.monotonic() - start < PATIENCE_SECONDS


def test_a_dripping_answer_costs_no_more_than_the_callers_time() -> None:
    """Every byte arrives in time, the answer never does."""
    with _client(in_order(Reply(body=b" " * 10_000, drip_seconds=0.1))) as (client, _):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match="took too long"):
            client.for_seconds(0.3).exchange_status()
        assert time.monotonic() - start < PATIENCE_SECONDS


def test_a_closed_port_is_unavailable() -> None:
    with Stage(in_order(GOOD)).open() as stage:
        url = stage.url
    client = Kalshi(url, jitter=lambda: 0.0)
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        client.exchange_status()
    client.close()


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coliseum.kalshi.client.MAX_BODY_BYTES", 1000)
    with _client(in_order(Reply(body=b" " * 5000))) as (client, _):
        with pytest.raises(SourceMalformed, match="more than 1000 bytes"):
            client.exchange_status()


def test_a_repeated_page_is_an_error() -> None:
    counter = iter(range(100))
    page = payloads.fills(payloads.fill_number(2), payloads.fill_number(1))
    with _client(lambda asked: reply(page | {"cursor": str(next(counter))})) as (client, stage):
        with pytest.raises(SourceMalformed, match="sent a page that it had sent before"):
            client.all_fills()
        assert len(stage.asked) == 2


def test_every_attempt_has_its_own_signature() -> None:
    script = in_order(Reply(status=500), Reply(status=500), reply(payloads.BODIES["/portfolio/fills"]))
    for key in (pkcs8(rsa_key()), pkcs8(ed25519_key())):
        with _client(script, Credentials("key-id", private_key=key)) as (client, stage):
            client.fills(limit=3)
            assert len({asked.headers["kalshi-access-signature"] for asked in stage.asked}) == len(stage.asked)


def test_public_data_needs_no_key_and_shows_none() -> None:
    with _client(in_order(GOOD)) as (client, stage):
        client.exchange_status()
        assert not [name for name in stage.asked[0].headers if name.startswith("kalshi-")]


ACCOUNT_CALLS: list[Callable[[Kalshi], object]] = [
    lambda client: client.balance(),
    lambda client: client.positions(),
    lambda client: client.fills(),
    lambda client: client.all_fills(),
    lambda client: client.settlements(),
    lambda client: client.historical_fills(),
]


@pytest.mark.parametrize("call", ACCOUNT_CALLS)
def test_the_account_needs_a_key_and_says_so_before_it_asks(call: Callable[[Kalshi], object]) -> None:
    with _client(in_order(GOOD), Credentials()) as (client, stage):
        with pytest.raises(ConfigurationError, match="KALSHI_API_KEY: is required"):
            call(client)
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
    client = Kalshi.from_settings(_settings(**values))
    with pytest.raises(ConfigurationError) as caught:
        client.balance()
    assert caught.value.variable == variable
    client.close()


def test_a_key_id_that_no_header_can_carry_is_not_shown() -> None:
    with _client(in_order(GOOD), Credentials("secret\nkey-id", private_key=pkcs8(ed25519_key()))) as (client, _):
        with pytest.raises(SourceUnavailable, match="a header that HTTP does not allow") as caught:
            client.balance()
        assert "key-id" not in str(caught.value)


def test_a_key_file_is_read_where_no_text_is_given(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pkcs8(rsa_key()))
    script = in_order(reply(payloads.BALANCE))
    with Stage(script).open() as stage:
        values = {"kalshi_api_key": SecretStr("id"), "kalshi_rsa_key_path": file}
        client = Kalshi.from_settings(_settings(**values).model_copy(update={"kalshi_api_base": stage.url}))
        assert client.balance().cash > 0
        client.close()
        assert stage.asked[0].headers["kalshi-access-key"] == "id"


def test_a_file_that_is_no_text_is_named_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "key.der"
    file.write_bytes(b"\xff\xfe\x00secret")
    with pytest.raises(ConfigurationError, match="KALSHI_RSA_KEY_PATH: names no readable file"):
        Credentials("id", private_key_path=file).headers("/x")


@pytest.mark.usefixtures("real_pace")
def test_balance_is_asked_once_a_second_by_all_threads() -> None:
    with _client(in_order(reply(payloads.BALANCE))) as (client, _), ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        for future in [threads.submit(client.balance) for _ in range(3)]:
            future.result()
    assert time.monotonic() - began >= 2.0


def test_views_with_different_deadlines_share_one_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coliseum.kalshi.client.RateLimiter", lambda clock: RateLimiter(lambda: 0.0))
    with _client(in_order(reply(payloads.BALANCE))) as (client, stage):
        client.balance()
        with pytest.raises(SourceRateLimited, match="our own rate limit"):
            client.for_seconds(0.2).balance()
        assert len(stage.asked) == 1
