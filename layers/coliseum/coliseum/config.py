"""Settings: the only code that reads the environment, on first use.

`from coliseum.config import settings` gives the process's settings; tests build `Settings(...)` by hand. A wrong value
raises ConfigurationError on first use, with the variable's name and the expected form but never with the value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from coliseum.alert_settings import (
    AlertLimits,
    AlertService,
    DigestTime,
    QuietHours,
    parse_digest,
    parse_limits,
    parse_quiet_hours,
    parse_services,
    split_addresses,
)
from coliseum.errors import ConfigurationError
from coliseum.identity import NO_ACCOUNT, ExchangeName, Identity, exchange_at, key_digest
from coliseum.webhooks import check_secret


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an http(s) URL such as https://example.com")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]

_QUOTES = frozenset("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u02bc")


def _header_text(value: SecretStr) -> SecretStr:
    """Without the white space around it. A header can carry nothing but visible ASCII, and no error shows the value."""
    text = value.get_secret_value().strip()
    if not text:
        raise ValueError("expected a value, but it holds only white space")
    if _QUOTES & set(text):
        raise ValueError("expected visible ASCII characters, but it holds typographic quotes: type it without quotes")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("expected one word, but it holds white space or a control character inside")
    if not text.isascii():
        raise ValueError("expected visible ASCII characters, but it holds others")
    return SecretStr(text)


HeaderSecret = Annotated[SecretStr, AfterValidator(_header_text)]
"""A secret that is sent, or compared with what is sent, in an HTTP header."""
OPENROUTER_KEY_PREFIX = "sk-or-v1-"
_NAME = r"^[A-Za-z0-9_.-]{1,40}$"


def _separated(value: SecretStr | None) -> tuple[str, ...]:
    texts = () if value is None else (text.strip() for text in value.get_secret_value().split(","))
    return tuple(text for text in texts if text)


class Settings(BaseSettings):
    """Every setting of Coliseum. `.env.example` explains each one."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    environment: Literal["development", "test", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    secrets_path: str | None = None
    """On AWS only, the path of the secrets in SSM Parameter Store: `/coliseum/production` stands for
    `/coliseum/production/KALSHI_API_KEY` and so on."""

    upstash_redis_rest_url: HttpUrl | None = None
    upstash_redis_rest_token: HeaderSecret | None = None
    redis_key_prefix: str = Field(default="python:", pattern=r"^[A-Za-z0-9:_.-]*$")
    feed_mode: Literal["doorbell", "poll"] = "doorbell"
    """How streams wait for new entries: by Redis' subscription, or by reading the log every poll interval."""
    feed_maxlen: int = Field(default=10_000, ge=100, le=1_000_000)
    """How many entries the log keeps."""

    supabase_url: HttpUrl | None = None
    supabase_service_role_key: HeaderSecret | None = None

    bot_status_endpoint: HttpUrl = "http://localhost:9000/status"
    bot_trades_endpoint: HttpUrl = "http://localhost:9000/trades"
    bot_name: str = Field(default="bot", pattern=_NAME)
    """Names the bot whose trades are stored. Another name begins a history of its own; another address does not."""
    poll_interval_seconds: float = Field(default=3.0, ge=0.2, le=60)
    bot_webhook_secret: HeaderSecret | None = None
    """The secrets with which the bot may sign its pushes, separated by commas. None: it cannot push."""
    poll_interval_with_push_seconds: float | None = Field(default=None, ge=0.2, le=60)
    """Seconds between two requests to a bot whose pushes arrive. None: as often as without pushes."""

    kalshi_api_base: HttpUrl = "https://external-api.kalshi.com/trade-api/v2"
    kalshi_api_key: HeaderSecret | None = None
    kalshi_rsa_key_path: Path | None = None
    kalshi_private_key: SecretStr | None = None
    kalshi_subaccount: int | None = Field(default=None, ge=0, le=63)
    """The subaccount whose data are asked for. None: the key's own, else the primary account."""
    kalshi_account_name: str | None = Field(default=None, pattern=_NAME)
    """Names the account whose data are stored. None: a digest of the key's id, so another key is another account."""

    openrouter_api_key: HeaderSecret | None = None
    openrouter_base_url: HttpUrl = "https://openrouter.ai/api/v1"
    openrouter_app_url: HttpUrl | None = None
    """The public address of this installation, for OpenRouter's list of applications."""
    arena_daily_budget_usd: Decimal = Field(default=Decimal(2), ge=0, le=10_000)
    """The most that the arena's models may cost in one day (UTC). Set a limit on the key itself, too."""
    arena_entry: Literal["off", "invite", "open"] = "off"
    """Whether outside agents can register. `invite`: the operator admits each. `open`: they are active at once."""
    arena_entry_per_address: int = Field(default=10, ge=1, le=60)
    """How many outside agents may register from one network address within an hour."""
    edge_mark: HeaderSecret | None = None
    """What CloudFront sends in `X-Coliseum-Edge`, set by the template. Only then is the viewer's address taken from
    `X-Forwarded-For`."""
    arena_roster: str | None = None
    """The operator's contestants: JSON, the path of a JSON file, or its https address. None: those of the package."""
    arena_sources: str | None = None
    """The feeds of the informed track: JSON, the path of a JSON file, or `off`. None: the list in the package."""
    exa_api_key: HeaderSecret | None = None
    """Exa's key: then each round searches for news once per market. Without it only feeds are read."""
    round_interval_seconds: int = Field(default=21_600, ge=60, le=604_800)
    """A round opens at every multiple of this many seconds since 1970-01-01T00:00:00Z."""
    round_open_seconds: int = Field(default=3_600, ge=30, le=86_400)
    """How long a round accepts forecasts. It leaves out markets that close before its end."""
    round_markets: int = Field(default=8, ge=1, le=100)
    round_markets_per_event: int = Field(default=2, ge=1, le=20)
    decisions_queue_url: HttpUrl | None = None
    """The SQS queue from which the forecaster receives decisions."""
    logfire_token: HeaderSecret | None = None
    logfire_include_content: bool = True
    """Whether traces hold prompts and answers, or only their sizes and costs."""

    alert_urls: SecretStr | None = None
    """Where alerts are sent: addresses as Apprise takes them, separated by commas. None: they are only shown."""
    alert_rules: str | None = None
    """Limits of the alerts' rules that differ from the defaults, such as `bot_idle_hours=6,board_rank_count=1`."""
    alert_quiet_hours: str | None = None
    """When only critical alerts are sent, such as `22:00-07:00 Europe/Berlin`."""
    alert_digest: str | None = None
    """When the daily digest is sent, such as `08:00 Europe/Berlin`. None: never."""

    admin_token: HeaderSecret | None = None
    cors_allow_origins: Annotated[tuple[str, ...], NoDecode] = ("http://localhost:3000",)
    """Origins that browsers may call from, separated by commas; * allows any."""
    stream_auth: Literal["none", "ticket"] = "none"
    stream_ticket_secret: HeaderSecret | None = None
    sse_session_max_seconds: float = Field(default=240.0, ge=1, le=86_400)
    sse_heartbeat_seconds: float = Field(default=30.0, ge=0.1, le=300)

    @field_validator("openrouter_api_key")
    @classmethod
    def _check_openrouter_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(OPENROUTER_KEY_PREFIX):
            raise ValueError(f"expected an OpenRouter key, which starts with {OPENROUTER_KEY_PREFIX}")
        return value

    @field_validator("admin_token", "stream_ticket_secret")
    @classmethod
    def _check_length(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("expected at least 16 characters")
        return value

    @field_validator("bot_webhook_secret")
    @classmethod
    def _check_webhook_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        for secret in _separated(value):
            check_secret(secret)
        return value

    @field_validator("alert_urls")
    @classmethod
    def _check_alert_urls(cls, value: SecretStr | None) -> SecretStr | None:
        split_addresses(None if value is None else value.get_secret_value())
        return value

    @field_validator("alert_rules", "alert_quiet_hours", "alert_digest")
    @classmethod
    def _check_alert_texts(cls, value: str | None, info: ValidationInfo) -> str | None:
        parsers = {"alert_rules": parse_limits, "alert_quiet_hours": parse_quiet_hours, "alert_digest": parse_digest}
        parsers[str(info.field_name)](value)
        return value

    @field_validator("cors_allow_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @property
    def exchange(self) -> Literal["sandbox", "kalshi"]:
        """The label of the arena's rounds: an exchange on this machine is a sandbox."""
        return "sandbox" if self.exchange_name == "sandbox" else "kalshi"

    @property
    def exchange_name(self) -> ExchangeName:
        """Which exchange this is: with `sandbox` and `demo` no money is real."""
        return exchange_at(self.kalshi_api_base).name

    @property
    def account_label(self) -> str:
        """The account, as `<exchange>/<name>`: equal for equal accounts, and without the key's id.

        Rows of the account's history carry it.
        """
        name = self.kalshi_account_name or self._key_digest
        subaccount = "" if self.kalshi_subaccount is None else f"/{self.kalshi_subaccount}"
        return f"{exchange_at(self.kalshi_api_base).label}/{name}{subaccount}"

    @property
    def identity(self) -> Identity:
        """Which bot, exchange and account everything belongs to that is stored under these settings."""
        return Identity(bot=self.bot_name, exchange=exchange_at(self.kalshi_api_base), account=self.account_label)

    @property
    def cache_prefix(self) -> str:
        """The prefix of cached values.

        It names exchange and account: another account's balance must not be served as an older one of this account.
        """
        exchange = exchange_at(self.kalshi_api_base)
        place = "kalshi" if exchange.name == "production" else exchange.label
        account = self._key_digest
        if self.kalshi_subaccount is not None:
            account += f"-{self.kalshi_subaccount}"
        return f"{self.redis_key_prefix}{place}:{account}:"

    @property
    def _key_digest(self) -> str:
        key = self.kalshi_api_key
        return NO_ACCOUNT if key is None else key_digest(key.get_secret_value())

    @property
    def secrets(self) -> frozenset[str]:
        """The values of all secrets, for code that removes them from what others sent."""
        values = (getattr(self, name) for name in type(self).model_fields)
        whole = frozenset(value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return whole | frozenset(self.bot_webhook_secrets) | set(self._alert_addresses)

    @property
    def _alert_addresses(self) -> tuple[str, ...]:
        return split_addresses(None if self.alert_urls is None else self.alert_urls.get_secret_value())

    @property
    def alert_services(self) -> tuple[AlertService, ...]:
        """Each service that alerts are sent to."""
        return parse_services(None if self.alert_urls is None else self.alert_urls.get_secret_value())

    @property
    def alert_limits(self) -> AlertLimits:
        """When each rule raises an alert."""
        return parse_limits(self.alert_rules)

    @property
    def quiet_hours(self) -> QuietHours | None:
        """When only critical alerts are sent."""
        return parse_quiet_hours(self.alert_quiet_hours)

    @property
    def digest_time(self) -> DigestTime | None:
        """When the daily digest is sent."""
        return parse_digest(self.alert_digest)

    @property
    def bot_webhook_secrets(self) -> tuple[str, ...]:
        """Each secret with which the bot may sign its pushes."""
        return _separated(self.bot_webhook_secret)

    def require(self, *names: str) -> None:
        """Raises ConfigurationError with the variable's name where one of these settings (field names) is not set."""
        for name in names:
            if getattr(self, name) is None:
                raise ConfigurationError(name.upper(), "expected a value, but it is not set")

    def require_stream_secrets(self) -> None:
        """Raises ConfigurationError where streams need tickets and a setting that makes or checks these is not set."""
        if self.stream_auth == "ticket":
            self.require("admin_token", "stream_ticket_secret")

    def require_entry_secrets(self) -> None:
        """Raises ConfigurationError where an operator must admit outside agents and has no token to do it with."""
        if self.arena_entry == "invite":
            self.require("admin_token")


def load(values: Mapping[str, Any] | None = None) -> Settings:
    """Settings from the environment and `.env`, with `values` (by field name) on top.

    Raises ConfigurationError that names the variable and the expected form.
    """
    try:
        return Settings(**(values or {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise ConfigurationError(name, str(first["msg"]).removeprefix("Value error, ")) from None


settings: Settings


def set_settings(values: Settings) -> None:
    """Make `values` the settings of the process."""
    globals()["settings"] = values


def add_secrets(values: Mapping[str, str]) -> None:
    """Add fetched secrets (by variable name) to the settings. A variable of the environment wins over a secret."""
    fields = {name.lower(): value for name, value in values.items() if not os.environ.get(name)}
    set_settings(load({name: value for name, value in fields.items() if name in Settings.model_fields}))


def __getattr__(name: str) -> Settings:
    if name != "settings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    set_settings(load())
    return globals()["settings"]  # type: ignore[no-any-return]  # set_settings() has set it
