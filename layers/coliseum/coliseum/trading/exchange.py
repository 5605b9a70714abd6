"""What the exchange says about itself and about our standing there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Is it open? Trading pauses every Thursday from 3 to 5 in the morning, New York time; reads go on."""

    exchange_active: bool
    trading_active: bool
    estimated_resume: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricalCutoff:
    """What happened before these times lives in the historical tier; the tiers overlap around them."""

    markets_settled: datetime
    trades_created: datetime
    orders_updated: datetime
