from __future__ import annotations

import pytest

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.llm.connections import server_of

KEY = "sk-or-v1-0123456789abcdef"
OLLAMA = "http://localhost:11434/v1"


@pytest.mark.parametrize(
    ("settings", "base_url", "api_key", "sent", "openrouter"),
    [
        (Settings(openrouter_api_key=KEY), None, None, KEY, True),
        (Settings(openrouter_api_key=KEY, openrouter_base_url=OLLAMA), None, None, KEY, True),
        (Settings(openrouter_base_url=OLLAMA), None, None, "none", False),
        (Settings(openrouter_api_key=KEY), OLLAMA, None, "none", False),
        (Settings(openrouter_api_key=KEY), f"{OLLAMA}/", "its-own", "its-own", False),
        (Settings(), None, "sk-or-v1-given", "sk-or-v1-given", True),
    ],
)
def test_a_key_goes_where_it_belongs(
    settings: Settings, base_url: str | None, api_key: str | None, sent: str, openrouter: bool
) -> None:
    server = server_of(settings, base_url=base_url, api_key=api_key)
    assert (server.api_key.get_secret_value(), server.openrouter) == (sent, openrouter)
    assert not server.base_url.endswith("/")
    assert sent in server.secrets
    assert KEY not in repr(server)
    assert "its-own" not in repr(server)


def test_openrouter_needs_a_key() -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_API_KEY"):
        server_of(Settings())


def test_an_address_is_a_url() -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        server_of(Settings(), base_url="localhost:11434")


@pytest.mark.parametrize("url", [OLLAMA, "https://127.0.0.1/v1", "http://models.example/v1"])
def test_production_asks_no_server_without_tls_or_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigurationError, match="production"):
        server_of(Settings(environment="production"), base_url=url)
