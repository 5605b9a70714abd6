from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from coliseum import config
from coliseum.config import Settings, load
from coliseum.errors import ConfigurationError

OPENROUTER = "sk-or-v1-0123456789abcdef"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no `.env` of this machine; settings of the process come back afterwards."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(vars(config), "settings", None)
    monkeypatch.delitem(vars(config), "settings")


PUSH_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The example of the specification."""
PUSH_FORM = "expected whsec_ and the base64 of 24 to 64 random bytes"
BAD: list[tuple[str, str, str]] = [
    ("ENVIRONMENT", "moon-base", "Input should be 'development'"),
    ("LOG_LEVEL", "LOUD-secret", "Input should be 'DEBUG'"),
    ("UPSTASH_REDIS_REST_URL", "redis://user:hunter2@host", "expected an http(s) URL"),
    ("REDIS_KEY_PREFIX", "spaced prefix", "String should match pattern"),
    ("FEED_MODE", "telepathy", "Input should be 'doorbell' or 'poll'"),
    ("FEED_MAXLEN", "99", "Input should be greater than or equal to 100"),
    ("FEED_MAXLEN", "many-entries", "Input should be a valid integer"),
    ("SUPABASE_URL", "my-project", "expected an http(s) URL"),
    ("BOT_STATUS_ENDPOINT", "localhost:9000/status", "expected an http(s) URL"),
    ("BOT_TRADES_ENDPOINT", "http://", "expected an http(s) URL"),
    ("POLL_INTERVAL_SECONDS", "0.01", "Input should be greater than or equal to 0.2"),
    ("POLL_INTERVAL_SECONDS", "nan", "Input should be"),
    ("POLL_INTERVAL_SECONDS", "soon-ish", "Input should be a valid number"),
    ("POLL_INTERVAL_WITH_PUSH_SECONDS", "61", "Input should be less than or equal to 60"),
    (
        "BOT_WEBHOOK_SECRET",
        f"{PUSH_SECRET},whpk_{PUSH_SECRET.removeprefix('whsec_')}",
        "expected whsec_ and the base64 of 24 to 64 random bytes",
    ),
    (
        "BOT_WEBHOOK_SECRET",
        PUSH_SECRET.removeprefix("whsec_"),
        "expected whsec_ and the base64 of 24 to 64 random bytes, but it does not",
    ),
    ("BOT_WEBHOOK_SECRET", "s3cret", PUSH_FORM),
    ("BOT_WEBHOOK_SECRET", "whsec_s3cret==", PUSH_FORM),
    ("BOT_WEBHOOK_SECRET", "whsec_eA==", f"{PUSH_FORM}, but it holds 1 bytes"),
    ("BOT_WEBHOOK_SECRET", f"{PUSH_SECRET},whpk_short", PUSH_FORM),
    ("BOT_WEBHOOK_SECRET", PUSH_SECRET.removeprefix("whsec_"), f"{PUSH_FORM}, but it does not start with whsec_"),
    ("KALSHI_API_BASE", "ftp://kalshi", "expected an http(s) URL"),
    ("KALSHI_SUBACCOUNT", "64", "Input should be less than or equal to 63"),
    ("KALSHI_SUBACCOUNT", "-1", "Input should be greater than or equal to 0"),
    ("KALSHI_ACCOUNT_NAME", "main account", "String should match pattern"),
    ("BOT_NAME", "bots/first", "String should match pattern"),
    ("OPENROUTER_API_KEY", "sk-proj-hunter2", "expected an OpenRouter key, which starts with sk-or-v1-"),
    ("OPENROUTER_BASE_URL", "openrouter.ai", "expected an http(s) URL"),
    ("OPENROUTER_APP_URL", "my-arena", "expected an http(s) URL"),
    ("ARENA_DAILY_BUDGET_USD", "-1.50", "Input should be greater than or equal to 0"),
    ("DECISIONS_QUEUE_URL", "decisions", "expected an http(s) URL"),
    ("LOGFIRE_INCLUDE_CONTENT", "perhaps", "Input should be a valid boolean"),
    ("ROUND_INTERVAL_SECONDS", "12", "Input should be greater than or equal to 60"),
    ("ROUND_OPEN_SECONDS", "29.5", "Input should be a valid integer"),
    ("ROUND_MARKETS", "1000", "Input should be less than or equal to 100"),
    ("ROUND_MARKETS_PER_EVENT", "none", "Input should be a valid integer"),
    ("ALERT_URLS", "json://a/ hunter2-token", "address 1: expected an address of Apprise"),
    ("ALERT_URLS", "tgram://t/c,tgram://t/c", "address 2: the same address stands before it"),
    ("ALERT_RULES", "bot_idle_hours=9999", "bot_idle_hours: expected off or a number from 0.1 to 720"),
    ("ALERT_QUIET_HOURS", "at night", "expected two times and a time zone"),
    ("ALERT_DIGEST", "08:00 Mars/Olympus", "expected a time zone behind the time"),
    ("ADMIN_TOKEN", "hunter2", "expected at least 16 characters"),
    ("STREAM_TICKET_SECRET", "hunter2", "expected at least 16 characters"),
    ("ARENA_ENTRY", "everyone", "Input should be 'off', 'invite' or 'open'"),
    ("ARENA_ENTRY_PER_ADDRESS", "0.0", "Input should be greater than or equal to 1"),
    ("STREAM_AUTH", "password1", "Input should be 'none' or 'ticket'"),
    ("SSE_SESSION_MAX_SECONDS", "0.5", "Input should be greater than or equal to 1"),
    ("SSE_HEARTBEAT_SECONDS", "1e9", "Input should be less than or equal to 300"),
]


@pytest.mark.parametrize(("variable", "value", "problem"), BAD)
def test_a_bad_value_is_an_error_with_the_variables_name_and_without_the_value(
    variable: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert caught.value.variable == variable
    assert str(caught.value).startswith(f"{variable}: {problem}")
    assert len(value) < 4 or value not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_every_setting_with_rules_has_its_bad_value_in_the_table() -> None:
    free = {"SECRETS_PATH", "LOGFIRE_TOKEN", "CORS_ALLOW_ORIGINS", "KALSHI_RSA_KEY_PATH", "KALSHI_API_KEY"}
    free |= {"ARENA_ROSTER", "ARENA_SOURCES", "EXA_API_KEY", "EDGE_MARK"}
    free |= {"KALSHI_PRIVATE_KEY", "UPSTASH_REDIS_REST_TOKEN", "SUPABASE_SERVICE_ROLE_KEY"}
    assert {name.upper() for name in Settings.model_fields} == {variable for variable, _, _ in BAD} | free


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load()
    assert settings.environment == "development"
    assert settings.redis_key_prefix == "python:"
    assert settings.poll_interval_seconds == 3
    assert settings.bot_trades_endpoint == "http://localhost:9000/trades"


def test_the_dot_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\nFEED_MODE=poll\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    settings = load()
    assert (settings.log_level, settings.feed_mode) == ("DEBUG", "poll")


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load() == Settings()


def test_urls_lose_their_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co/")
    assert load().supabase_url == "https://project.supabase.co"


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
        ("*", ("*",)),
        (",", ()),
    ],
)
def test_origins_are_separated_by_commas(text: str, origins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ALLOW_ORIGINS", text)
    assert load().cors_allow_origins == origins


SECRETS = {
    "upstash_redis_rest_token": "s3cret-upstash-token",
    "supabase_service_role_key": "sb_secret_s3cret",
    "kalshi_api_key": "s3cret-key-id",
    "kalshi_private_key": "-----BEGIN s3cret-----",
    "openrouter_api_key": OPENROUTER,
    "logfire_token": "s3cret-logfire-token",
    "exa_api_key": "s3cret-exa-key",
    "bot_webhook_secret": PUSH_SECRET,
    "admin_token": "s3cret-admin-token",
    "stream_ticket_secret": "s3cret-stream-ticket",
}


IN_HEADERS = sorted(SECRETS.keys() - {"kalshi_private_key"})
UNFIT = {
    "\u201c{}\u201d": "typographic quotes: type it without quotes",
    "\u00ab{}\u00bb": "typographic quotes: type it without quotes",
    "{} and-more": "white space or a control character inside",
    "{}\nX-Injected:1": "white space or a control character inside",
    "{}\x07bell": "white space or a control character inside",
    "{}\u00a0x": "white space or a control character inside",
    "{}\u200bx": "white space or a control character inside",
    "{}\u00e9x": "visible ASCII characters, but it holds others",
}
"""Forms that no header can carry, and what the error says."""


@pytest.mark.parametrize("name", IN_HEADERS)
@pytest.mark.parametrize("form", UNFIT)
def test_a_secret_that_no_header_can_carry_is_refused_by_name_and_not_shown(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name.upper(), form.format(SECRETS[name]))
    with pytest.raises(ConfigurationError, match=f"^{name.upper()}: expected .*{UNFIT[form]}") as caught:
        load()
    assert SECRETS[name] not in str(caught.value)
    monkeypatch.delenv(name.upper())
    with pytest.raises(ConfigurationError, match=f"^{name.upper()}: ") as fetched:
        config.add_secrets({name.upper(): form.format(SECRETS[name])})
    assert SECRETS[name] not in str(fetched.value)


@pytest.mark.parametrize("name", IN_HEADERS)
def test_white_space_around_a_secret_is_cut_off(name: str) -> None:
    config.add_secrets({name.upper(): f" \t{SECRETS[name]}\r\n"})
    assert getattr(config.settings, name).get_secret_value() == SECRETS[name]


def test_a_secret_of_white_space_only_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="LOGFIRE_TOKEN: expected a value, but it holds only white space"):
        config.add_secrets({"LOGFIRE_TOKEN": " \n"})


def test_secrets_do_not_appear_in_repr() -> None:
    settings = Settings.model_validate(SECRETS)
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert not [value for value in SECRETS.values() if value in shown]


def test_every_setting_that_sounds_secret_is_one() -> None:
    sounding = {name for name in Settings.model_fields if name.endswith(("_token", "_key", "_secret"))}
    assert sounding == set(SECRETS)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().environment = "production"  # type: ignore[misc]  # that is the point


def test_a_required_setting_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_URL: expected a value"):
        Settings(kalshi_api_key="id").require("kalshi_api_key", "supabase_url")


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, "ADMIN_TOKEN"),
        ({"admin_token": "the-operators-own-token"}, "STREAM_TICKET_SECRET"),
        ({"stream_ticket_secret": "signs-all-the-tickets"}, "ADMIN_TOKEN"),
    ],
)
def test_streams_by_ticket_need_both_secrets(values: dict[str, Any], missing: str) -> None:
    Settings(**values).require_stream_secrets()
    with pytest.raises(ConfigurationError, match=f"{missing}: expected a value"):
        Settings(stream_auth="ticket", **values).require_stream_secrets()


def test_invitations_need_the_operators_token() -> None:
    for mode in ("off", "open"):
        Settings(arena_entry=mode).require_entry_secrets()
    Settings(arena_entry="invite", admin_token="the-operators-own-token").require_entry_secrets()
    with pytest.raises(ConfigurationError, match="ADMIN_TOKEN: expected a value"):
        Settings(arena_entry="invite").require_entry_secrets()


def test_the_cache_prefix_differs_by_exchange_and_account() -> None:
    """Who moves from the sandbox to the exchange is not shown the sandbox's balance as a stale one."""
    sandbox, kalshi = "http://127.0.0.1:8003/trade-api/v2", "https://external-api.kalshi.com/trade-api/v2"
    prefixes = {
        Settings(redis_key_prefix="a:", kalshi_api_base=base, kalshi_api_key=key).cache_prefix
        for base in (sandbox, kalshi)
        for key in (None, "one", "another")
    }
    assert len(prefixes) == 6
    assert all(prefix.startswith(("a:sandbox:", "a:kalshi:")) and "one" not in prefix for prefix in prefixes)


def test_the_cache_prefix_differs_by_subaccount() -> None:
    prefixes = {Settings(kalshi_api_key="one", kalshi_subaccount=number).cache_prefix for number in (None, 0, 3)}
    assert len(prefixes) == 3


@pytest.mark.parametrize(
    ("base", "name", "account"),
    [
        ("http://127.0.0.1:8003/trade-api/v2", "sandbox", "sandbox/public"),
        ("http://[::1]:8003/trade-api/v2", "sandbox", "sandbox/public"),
        ("https://external-api.demo.kalshi.co/trade-api/v2", "demo", "demo/public"),
        ("https://DEMO-API.kalshi.co/trade-api/v2", "demo", "demo/public"),
        ("https://external-api.kalshi.com/trade-api/v2", "production", "production/public"),
        ("https://api.elections.kalshi.com./trade-api/v2", "production", "production/public"),
        ("https://kalshi.com.example.net/trade-api/v2", "other", "other-kalshi.com.example.net/public"),
        ("https://notdemo.kalshi.co/trade-api/v2", "other", "other-notdemo.kalshi.co/public"),
        ("http://sandbox:8003/trade-api/v2", "other", "other-sandbox/public"),
    ],
)
def test_the_host_of_the_base_address_says_which_exchange_it_is(base: str, name: str, account: str) -> None:
    settings = Settings(kalshi_api_base=base)
    assert (settings.exchange_name, settings.account_label) == (name, account)
    assert settings.exchange == ("sandbox" if name == "sandbox" else "kalshi")


def test_the_accounts_label_tells_keys_and_subaccounts_apart_and_reveals_no_key() -> None:
    labels = {
        Settings(kalshi_api_key=key, kalshi_subaccount=number).account_label
        for key in (None, "the-first-key", "the-second-key")
        for number in (None, 0, 2)
    }
    assert len(labels) == 9
    assert not [label for label in labels if "key" in label]


def test_a_named_account_keeps_its_label_with_another_key() -> None:
    labels = {Settings(kalshi_api_key=key, kalshi_account_name="main").account_label for key in (None, "one", "two")}
    assert labels == {"production/main"}


def test_the_same_bot_at_another_address_has_the_same_identity() -> None:
    here, there = Settings(), Settings(bot_trades_endpoint="http://elsewhere:9000/trades")
    other = Settings(bot_name="second")
    assert here.identity == there.identity != other.identity


def test_caches_of_the_demo_exchange_and_of_subaccounts_are_their_own() -> None:
    demo = Settings(kalshi_api_base="https://demo-api.kalshi.co/trade-api/v2")
    prefixes = {
        Settings().cache_prefix,
        demo.cache_prefix,
        Settings(kalshi_subaccount=0).cache_prefix,
        Settings(kalshi_subaccount=1).cache_prefix,
    }
    assert len(prefixes) == 4


def test_the_processs_settings_are_read_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert config.settings.log_level == "ERROR"
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert config.settings.log_level == "ERROR"


def test_the_module_creates_no_other_attribute_on_first_use() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'setings'"):
        config.setings  # noqa: B018 - reading it is the test


def test_fetched_secrets_are_added_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY", "from-environment")
    monkeypatch.setenv("ADMIN_TOKEN", "")
    fetched = {"KALSHI_API_KEY": "fetched", "ADMIN_TOKEN": "fetched-admin-token", "UNKNOWN": "x"}
    config.add_secrets(fetched)
    key, token = config.settings.kalshi_api_key, config.settings.admin_token
    assert key is not None
    assert key.get_secret_value() == "from-environment"
    assert token is not None
    assert token.get_secret_value() == "fetched-admin-token"


def test_a_fetched_secret_in_a_wrong_form_is_named_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_API_KEY") as caught:
        config.add_secrets({"OPENROUTER_API_KEY": "sk-hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_documented_line_prints_the_environment(root: Path, tmp_path: Path) -> None:
    line = "from coliseum.config import settings; print('Environment:', settings.environment)"
    package = str(root / "layers" / "coliseum")
    run = subprocess.run(
        [sys.executable, "-c", line],
        cwd=tmp_path,
        env={"PYTHONPATH": package, "ENVIRONMENT": "staging"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "Environment: staging\n"


@pytest.mark.parametrize(
    ("base", "exchange"),
    [
        ("http://127.0.0.1:8003/trade-api/v2", "sandbox"),
        ("http://localhost:8003/trade-api/v2", "sandbox"),
        ("http://[::1]:8003/trade-api/v2", "sandbox"),
        ("https://external-api.kalshi.com/trade-api/v2", "kalshi"),
        ("https://127.0.0.1.example.com/trade-api/v2", "kalshi"),
    ],
)
def test_an_exchange_on_this_machine_is_a_sandbox(base: str, exchange: str) -> None:
    assert load({"kalshi_api_base": base}).exchange == exchange


def test_the_secrets_are_all_secret_settings() -> None:
    made = load({"openrouter_api_key": "sk-or-v1-a", "admin_token": "0123456789abcdef", "kalshi_private_key": "pem"})
    assert made.secrets >= {"sk-or-v1-a", "0123456789abcdef", "pem"}
