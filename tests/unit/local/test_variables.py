"""The environment over `.env`, and what the embedded servers add."""

from __future__ import annotations

import pytest

from coliseum_local.variables import is_loopback, merged, misspelt, of_exchange, of_external_bot, of_push


def test_the_environment_wins_over_dotenv_also_where_it_says_empty() -> None:
    dotenv = {"A": "file", "B": "file", "C": "file", "D": None}
    assert merged({"A": "shell", "B": ""}, dotenv, folder="/project") == {"A": "shell", "B": "", "C": "file"}


def test_a_name_close_to_a_setting_is_reported_and_an_unrelated_one_is_not() -> None:
    settings = {"BOT_TRADES_ENDPOINT", "BOT_STATUS_ENDPOINT", "ADMIN_TOKEN"}
    given = ["BOT_TRADE_ENDPOINT", "admin_token", "ADMIN_TOKEN", "AWS_PROFILE", "PATH"]
    assert misspelt(given, settings) == {"BOT_TRADE_ENDPOINT": "BOT_TRADES_ENDPOINT", "admin_token": "ADMIN_TOKEN"}


def test_a_key_file_counts_from_the_projects_folder() -> None:
    assert merged({}, {"KALSHI_RSA_KEY_PATH": "keys/k.pem"}, folder="/project") == {
        "KALSHI_RSA_KEY_PATH": "/project/keys/k.pem"
    }
    assert merged({"KALSHI_RSA_KEY_PATH": "/k.pem"}, {}, folder="/project") == {"KALSHI_RSA_KEY_PATH": "/k.pem"}


def test_the_sandbox_brings_its_own_key_and_takes_the_users_away() -> None:
    ready = {"url": "http://127.0.0.1:1/trade-api/v2", "api_key": "id", "private_key_path": "/k.pem"}
    assert of_exchange(ready)["KALSHI_PRIVATE_KEY"] == ""


@pytest.mark.parametrize("known", ["BOT_TRADES_ENDPOINT", "BOT_STATUS_ENDPOINT"])
def test_one_endpoint_of_a_bot_gives_the_other(known: str) -> None:
    url = f"https://bot.example/api/{'trades' if 'TRADES' in known else 'status'}"
    assert of_external_bot({known: url}) == {
        "BOT_STATUS_ENDPOINT": "https://bot.example/api/status",
        "BOT_TRADES_ENDPOINT": "https://bot.example/api/trades",
    }


def test_both_endpoints_of_a_bot_stay_as_they_are() -> None:
    both = {"BOT_STATUS_ENDPOINT": "https://a.example/s", "BOT_TRADES_ENDPOINT": "https://b.example/t"}
    assert of_external_bot(both) == both


@pytest.mark.parametrize(
    ("url", "local"), [("http://localhost:1/x", True), ("http://[::1]:1", True), ("https://kalshi.com", False)]
)
def test_loopback_addresses_are_this_machine(url: str, local: bool) -> None:
    assert is_loopback(url) is local


def test_the_reference_bot_signs_with_the_users_secret_or_with_one_that_was_made() -> None:
    assert of_push({}, made="whsec_made") == {"BOT_WEBHOOK_SECRET": "whsec_made"}
    assert of_push({"BOT_WEBHOOK_SECRET": ""}, made="whsec_made") == {"BOT_WEBHOOK_SECRET": "whsec_made"}
    assert of_push({"BOT_WEBHOOK_SECRET": "whsec_own"}, made="whsec_made") == {"BOT_WEBHOOK_SECRET": "whsec_own"}
