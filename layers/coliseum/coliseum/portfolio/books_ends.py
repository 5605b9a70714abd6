"""How markets ended that the exchange's live tier does not list any more.

A market's end is taken from the first of these that knows it: a settlement record that was stored earlier, the result
of the archived market, the archived position. What none of them knows stays unknown, with the reason: a total without
it would be wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.books_storage import EndSource
from coliseum.portfolio.ledger import Holding
from coliseum.trading.markets import ExchangePosition, Market, Settlement
from coliseum.trading.money import CENT, ONE, ZERO, decimal_text

_TICKERS_PER_CALL = 100
_PAID_OUT = "finalized"
"""The status of a market whose positions were paid."""
UNKNOWN_RESULT = "unknown"
"""Stands for the result where only the archived position tells what was paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a market ended, in the form of a settlement record."""

    settlement: Settlement
    source: EndSource
    unbooked_fees: Decimal = ZERO
    """Dollars of fees of fills that no list has any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSearch:
    """What was found, and by ticker why something was not."""

    endings: tuple[Ending, ...]
    unknown: Mapping[str, str]


def find_endings(missing: Mapping[str, Holding], records: Iterable[Settlement], kalshi: Kalshi) -> EndSearch:
    """The ends of markets in which our ledger holds contracts and the exchange lists no position.

    `records` are settlement records that were stored earlier. Raises SourceError where the exchange does not answer.
    """
    endings = {row.ticker: Ending(settlement=row, source="kept") for row in records if row.ticker in missing}
    left = sorted(missing.keys() - endings.keys())
    markets = _markets(kalshi, left)
    for ticker in left:
        ending = ending_of_market(missing[ticker], markets.get(ticker))
        if ending is not None:
            endings[ticker] = ending
    left = [ticker for ticker in left if ticker not in endings]
    positions = _settled_positions(kalshi) if left else {}
    unknown: dict[str, str] = {}
    for ticker in left:
        ending = ending_of_position(missing[ticker], positions.get(ticker), markets.get(ticker))
        if ending is None:
            unknown[ticker] = _reason(missing[ticker], positions.get(ticker), markets.get(ticker))
        else:
            endings[ticker] = ending
    return EndSearch(endings=tuple(endings.values()), unknown=unknown)


def ending_of_market(holding: Holding, market: Market | None) -> Ending | None:
    """What a paid-out market's result pays for the holding; None where the result is not known."""
    if market is None or market.status != _PAID_OUT or market.result is None:
        return None
    value = {"yes": ONE, "no": ZERO}.get(market.result, market.settlement_value)
    if value is None:
        return None
    held = holding.contracts
    revenue = held * value if held > ZERO else -held * (ONE - value)
    settled_at = market.settled_at or market.close_time
    return Ending(settlement=_record(holding, market.result, revenue, settled_at, market), source="market")


def ending_of_position(holding: Holding, row: ExchangePosition | None, market: Market | None) -> Ending | None:
    """What must have been paid, from the profit of the archived position.

    None where there is none, or where no payment for our contracts explains its profit.
    """
    if row is None or row.position or row.updated_at is None:
        return None
    revenue = holding.basis + row.realized_pnl - holding.realized
    if not -CENT < revenue < abs(holding.contracts) + CENT:
        return None
    return Ending(settlement=_record(holding, UNKNOWN_RESULT, revenue, row.updated_at, market), source="position")


def positions_without_fills(kalshi: Kalshi, known: Collection[str]) -> EndSearch:
    """Settled positions in markets of which no fill is listed anywhere: their profit and fees are booked as they are.

    `known` are the markets that have bookings. Raises SourceError where the exchange does not answer.
    """
    endings: list[Ending] = []
    unknown: dict[str, str] = {}
    for ticker, row in sorted(_settled_positions(kalshi).items()):
        if ticker in known or not (row.realized_pnl or row.fees_paid or row.position):
            continue
        if row.position or row.updated_at is None:
            what = f"still has {decimal_text(row.position)} contracts" if row.position else "has no time"
            unknown[ticker] = f"{ticker}: no fill is listed any more, and its archived position {what}"
            continue
        settlement = _record(Holding(ticker=ticker), UNKNOWN_RESULT, row.realized_pnl, row.updated_at, None)
        endings.append(Ending(settlement=settlement, source="position", unbooked_fees=row.fees_paid))
    return EndSearch(endings=tuple(endings), unknown=unknown)


def _markets(kalshi: Kalshi, tickers: Collection[str]) -> dict[str, Market]:
    """These markets, from the live tier or the archive, as far as either knows them."""
    found: dict[str, Market] = {}
    names = sorted(tickers)
    for read in (kalshi.markets, kalshi.historical_markets):
        wanted = [ticker for ticker in names if ticker not in found]
        for start in range(0, len(wanted), _TICKERS_PER_CALL):
            chunk = wanted[start : start + _TICKERS_PER_CALL]
            found |= {market.ticker: market for market in read(tickers=chunk, limit=len(chunk)).items}
    return found


def _settled_positions(kalshi: Kalshi) -> dict[str, ExchangePosition]:
    """Live first: a position that moves to the archive meanwhile is read twice, not never."""
    live = kalshi.positions(settlement_status="settled")
    return {row.ticker: row for row in (*live, *kalshi.historical_positions())}


def _record(holding: Holding, result: str, revenue: Decimal, settled_at: datetime, market: Market | None) -> Settlement:
    """A settlement record with the net of what we held as its counts."""
    return Settlement(
        ticker=holding.ticker,
        event_ticker="" if market is None else market.event_ticker,
        result=result,
        yes_count=max(holding.contracts, ZERO),
        yes_cost=holding.basis if holding.contracts > ZERO else ZERO,
        no_count=max(-holding.contracts, ZERO),
        no_cost=holding.basis if holding.contracts < ZERO else ZERO,
        revenue=revenue,
        value=None,
        fee=holding.fees,
        settled_at=settled_at,
    )


def _reason(holding: Holding, row: ExchangePosition | None, market: Market | None) -> str:
    count = decimal_text(holding.contracts)
    said = f"{holding.ticker}: our ledger holds {count} contracts and the exchange lists no open position"
    if market is not None and market.status != _PAID_OUT:
        return f"{said}, although the market is still {market.status}"
    if row is not None:
        profit = decimal_text(row.realized_pnl)
        return f"{said}; no payment explains the profit of {profit} dollars in its archived position"
    return f"{said}, no settlement, no archived position and no result"
