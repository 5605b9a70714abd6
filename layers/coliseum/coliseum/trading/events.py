"""Events and series. An event is one question with its markets; a series is a recurring event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.trading.markets import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One question with its markets. `markets` is empty where there are none, or none were requested."""

    ticker: str
    series_ticker: str
    title: str
    subtitle: str
    category: str | None
    mutually_exclusive: bool
    """At most one of its markets resolves to yes."""
    strike_date: datetime | None
    fee_type_override: str | None
    fee_multiplier_override: Decimal | None
    markets: tuple[Market, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A template of recurring events, with the fees of trading in them."""

    ticker: str
    title: str
    category: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    frequency: str
    fee_type: str
    """As the exchange names it: quadratic, quadratic_with_maker_fees, flat and others."""
    fee_multiplier: Decimal
    settlement_sources: tuple[str, ...]
    contract_url: str
    settlement_urls: tuple[str, ...] = ()
    """The addresses of the settlement sources, in their order; "" where the exchange names none."""
