"""The variables of an installation: the environment over `.env`, and what runs over both."""

from __future__ import annotations

from pathlib import Path

import pytest

from coliseum.config import load
from coliseum.errors import ConfigurationError
from coliseum_local.installation import Installation, read_installation

SANDBOX = {
    "KALSHI_API_BASE": "http://127.0.0.1:8003/trade-api/v2",
    "KALSHI_API_KEY": "sandbox",
    "KALSHI_RSA_KEY_PATH": "/state/key.pem",
}
OWN = {"KALSHI_API_KEY": "mine", "KALSHI_PRIVATE_KEY": "my own key"}


def test_the_environment_wins_over_the_file_and_an_empty_variable_is_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=DEBUG\nBOT_NAME=file\nADMIN_TOKEN=\n")
    installation = read_installation(tmp_path, {"BOT_NAME": "environment"})
    assert installation.setting_values == {"log_level": "DEBUG", "bot_name": "environment"}
    assert installation.running is None


def test_the_sandboxs_key_replaces_the_users_own_and_no_part_of_both_is_mixed() -> None:
    settings = load(Installation({}, OWN, SANDBOX).setting_values)
    assert settings.kalshi_api_key is not None
    assert settings.kalshi_api_key.get_secret_value() == "sandbox"
    assert (settings.kalshi_private_key, str(settings.kalshi_rsa_key_path)) == (None, "/state/key.pem")


def test_without_a_sandbox_the_users_own_key_stays() -> None:
    running = {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:8001"}
    values = Installation({}, OWN, running).setting_values
    assert (values["kalshi_private_key"], values["upstash_redis_rest_url"]) == ("my own key", "http://127.0.0.1:8001")


def test_settings_that_were_changed_since_the_start_are_named() -> None:
    running = {**SANDBOX, "BOT_STATUS_ENDPOINT": "http://localhost:9000/status", "AWS_DEFAULT_REGION": "us-east-1"}
    mine = {"KALSHI_API_BASE": "https://external-api.kalshi.com/trade-api/v2", **OWN, "AWS_DEFAULT_REGION": "eu-west-1"}
    assert Installation({}, mine, running).not_in_use == ("KALSHI_API_BASE", "KALSHI_API_KEY")
    bot = {"BOT_STATUS_ENDPOINT": "http://localhost:9010/status"}
    assert Installation({}, bot, running).not_in_use == ("BOT_STATUS_ENDPOINT",)


def test_a_key_beside_the_sandbox_and_values_in_use_are_not_named() -> None:
    assert Installation({}, OWN, SANDBOX).not_in_use == ()
    assert Installation({}, {**SANDBOX, "BOT_NAME": "bot", "SUPABASE_URL": ""}, SANDBOX).not_in_use == ()
    assert Installation({}, OWN, None).not_in_use == ()


def test_a_file_that_is_not_utf_8_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"BOT_NAME=caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"\.env: expected UTF-8 text, got the byte 0xe9"):
        read_installation(tmp_path, {})
