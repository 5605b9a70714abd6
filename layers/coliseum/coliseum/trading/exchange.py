"""What the exchange says about itself: whether it is open, and where its historical tier begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Whether it is open. Trading pauses every Thursday from 03:00 to 05:00 in New York; reads go on."""

    exchange_active: bool
    trading_active: bool
    estimated_resume: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricalCutoff:
    """Rows from before these times are in the historical tier. Around them, rows are in both tiers."""

    markets_settled: datetime
    trades_created: datetime
    orders_updated: datetime
