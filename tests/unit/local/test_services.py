"""What the user's variables replace, and where the rest listens."""

from __future__ import annotations

import pytest

from coliseum_local.services import BOT, EXCHANGE, GATEWAY, POSTGRES, REDIS, agent_port, replacements

SANDBOX_ELSEWHERE = {"KALSHI_API_BASE": "http://localhost:7000/trade-api/v2"}
REAL = {"KALSHI_API_BASE": "https://external-api.kalshi.com/trade-api/v2"}


def test_without_variables_nothing_is_replaced() -> None:
    assert replacements({}) == {}
    assert replacements({"SUPABASE_URL": "", "KALSHI_API_BASE": ""}) == {}


@pytest.mark.parametrize(
    ("variables", "service"),
    [
        ({"UPSTASH_REDIS_REST_URL": "https://x.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "t"}, REDIS),
        ({"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": "k"}, POSTGRES),
        (REAL, EXCHANGE),
        ({"BOT_TRADES_ENDPOINT": "http://localhost:9000/trades"}, BOT),
        ({"BOT_STATUS_ENDPOINT": "http://localhost:9000/status"}, BOT),
    ],
)
def test_a_service_is_replaced_by_its_variable(variables: dict[str, str], service: object) -> None:
    assert service in replacements(variables)


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"UPSTASH_REDIS_REST_URL": "https://x.upstash.io"}, "UPSTASH_REDIS_REST_TOKEN"),
        ({"SUPABASE_URL": "https://x.supabase.co"}, "SUPABASE_SERVICE_ROLE_KEY"),
    ],
)
def test_an_address_without_its_secret_is_refused_by_name(variables: dict[str, str], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        replacements(variables)


def test_the_reference_bot_never_trades_on_the_real_exchange() -> None:
    key = {"KALSHI_API_KEY": "k", "KALSHI_RSA_KEY_PATH": "/key.pem"}
    for variables in (REAL, REAL | key):
        bot = replacements(variables)[BOT]
        assert bot.url is None
        assert "sandbox only" in bot.reason


def test_the_reference_bot_trades_on_a_sandbox_elsewhere_if_it_has_a_key() -> None:
    assert "KALSHI_API_KEY" in replacements(SANDBOX_ELSEWHERE)[BOT].reason
    key = {"KALSHI_API_KEY": "k", "KALSHI_RSA_KEY_PATH": "/key.pem"}
    assert BOT not in replacements(SANDBOX_ELSEWHERE | key)


def test_a_port_comes_from_its_variable() -> None:
    assert GATEWAY.port({}) == 8000
    assert GATEWAY.port({"COLISEUM_PORT": ""}) == 8000
    assert GATEWAY.port({"COLISEUM_PORT": "0"}) == 0


@pytest.mark.parametrize("text", ["http", "-1", "65536", "80.5", " 80", "²", "٨٠"])
def test_a_port_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"COLISEUM_REDIS_PORT: got .* expected a port"):
        REDIS.port({"COLISEUM_REDIS_PORT": text})


def test_the_port_of_an_agents_endpoint_is_a_port_that_something_can_listen_on() -> None:
    assert agent_port({}) == 9100
    assert agent_port({"COLISEUM_AGENT_PORT": "1"}) == 1
    for text in ("0", "agent", "65536"):
        with pytest.raises(ValueError, match=r"COLISEUM_AGENT_PORT: got .* from 1 to 65535"):
            agent_port({"COLISEUM_AGENT_PORT": text})
