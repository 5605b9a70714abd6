"""Which bot, exchange and account stored data belong to. Pure.

Data of two identities are never mixed: each log in Redis and each row of the account's history in Postgres says whose
it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlsplit

ExchangeName = Literal["sandbox", "demo", "production", "other"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PRODUCTION_HOSTS = frozenset({"external-api.kalshi.com", "api.elections.kalshi.com", "trading-api.kalshi.com"})
NO_ACCOUNT = "public"
"""The account's part of a label where there is no key: only public data are read."""
_DEMO_HOST = "demo-api.kalshi.co"
_DEMO_DOMAIN = ".demo.kalshi.co"
_NOT_IN_LABELS = re.compile(r"[^a-z0-9.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The exchange behind an address."""

    name: ExchangeName
    host: str
    """In lower case, without the port."""

    @property
    def label(self) -> str:
        """The name; with its host where only the host tells one exchange from another."""
        return f"other-{_NOT_IN_LABELS.sub('-', self.host)}" if self.name == "other" else self.name


def exchange_at(url: str) -> Exchange:
    """The exchange behind a base address: a server on this machine is a sandbox, an unknown host is `other`."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host in LOOPBACK:
        return Exchange("sandbox", host)
    if host == _DEMO_HOST or host.endswith(_DEMO_DOMAIN):
        return Exchange("demo", host)
    return Exchange("production" if host in PRODUCTION_HOSTS else "other", host)


def key_digest(key_id: str) -> str:
    """Twelve hexadecimal digits that stand for a key's id and do not reveal it."""
    return sha256(key_id.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One bot, and one account on one exchange."""

    bot: str
    """BOT_NAME. The bot's address is no part of it: the same bot may move."""
    exchange: Exchange
    account: str
    """`<exchange>/<name or digest of the key's id>`, with `/<number>` for a subaccount."""

    @property
    def label(self) -> str:
        """Text that is equal for equal identities."""
        return f"{self.account}/{self.bot}"

    @property
    def account_without_key(self) -> str:
        """The account's label as it was before a key was set, on the same exchange."""
        return f"{self.exchange.label}/{NO_ACCOUNT}"

    @property
    def label_without_key(self) -> str:
        """`label` as it was before a key was set, for the same bot on the same exchange."""
        return f"{self.account_without_key}/{self.bot}"

    def data(self) -> dict[str, Any]:
        """The JSON of answers and events. `account` is null without a key."""
        return {
            "exchange": self.exchange.name,
            "exchange_host": self.exchange.host,
            "account": None if self.account == self.account_without_key else self.account,
            "bot": self.bot,
        }
