"""An exchange in memory with the calls that the books need: lists in small pages, which can fail at any call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Self, TypeVar, cast

from coliseum.errors import SourceUnavailable
from coliseum.kalshi.client import Kalshi
from coliseum.trading.exchange import HistoricalCutoff
from coliseum.trading.markets import ExchangePosition, Market, Settlement
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.pages import Page
from coliseum.trading.trades import BookSide, Fill, Outcome

NOW = 1_796_000_000.0
Row = TypeVar("Row")


def fill(
    name: str, at: float, *, ticker: str = "KXA-1", count: str = "5", price: str = "0.40", bid: bool = True
) -> Fill:
    """One fill; negative counts do not exist, `bid` is the direction."""
    return Fill(
        fill_id=name,
        order_id=f"order-{name}",
        ticker=ticker,
        book_side=BookSide.BID if bid else BookSide.ASK,
        outcome=Outcome.YES if bid else Outcome.NO,
        sold=False,
        count=Decimal(count),
        yes_price=Decimal(price),
        no_price=ONE - Decimal(price),
        fee=Decimal("0.0175"),
        is_taker=True,
        timestamp=at,
    )


def settlement(ticker: str, held: Decimal, *, result: str = "yes", at: float = NOW - 500) -> Settlement:
    """The record of a market in which `held` contracts were left, with some bought on the other side before."""
    won = max(held, ZERO) if result == "yes" else max(-held, ZERO)
    return Settlement(
        ticker=ticker,
        event_ticker="KXA",
        result=result,
        yes_count=max(held, ZERO) + 7,
        yes_cost=ZERO,
        no_count=max(-held, ZERO) + 7,
        no_cost=ZERO,
        revenue=won,
        value=ONE if result == "yes" else ZERO,
        fee=ZERO,
        settled_at=datetime.fromtimestamp(at, UTC),
    )


def position(ticker: str, contracts: Decimal, *, realized: str = "0", fees: str = "0") -> ExchangePosition:
    return ExchangePosition(
        ticker=ticker,
        position=contracts,
        exposure=ZERO,
        realized_pnl=Decimal(realized),
        fees_paid=Decimal(fees),
        total_traded=ZERO,
        updated_at=datetime.fromtimestamp(NOW - 400, UTC),
    )


@dataclass
class BooksExchange:
    """Lists newest first, as the exchange does. `page_size` rows come at most, whatever the caller asks for."""

    fills_live: list[Fill] = field(default_factory=list)
    fills_old: list[Fill] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    settled_positions: list[ExchangePosition] = field(default_factory=list)
    archived_positions: list[ExchangePosition] = field(default_factory=list)
    markets_by_ticker: dict[str, Market] = field(default_factory=dict)
    page_size: int = 1000
    until_is: Literal["second", "moment", "end"] = "second"
    """What the end of a window includes: its whole second, its moment, or nothing of it. The official document does
    not say which."""
    calls_left: int | None = None
    """So many calls are answered, the others fail."""
    calls: list[str] = field(default_factory=list)

    def kalshi(self) -> Kalshi:
        return cast("Kalshi", self)

    def within(self, time_left: Callable[[], float]) -> Self:
        del time_left
        return self

    def fills(self, **filters: Any) -> Page[Fill]:
        return self._page("fills", self.fills_live, filters, lambda row: (row.timestamp, *row.key))

    def historical_fills(self, **filters: Any) -> Page[Fill]:
        return self._page("historical_fills", self.fills_old, filters, lambda row: (row.timestamp, *row.key))

    def settlements(self, **filters: Any) -> Page[Settlement]:
        return self._page("settlements", self.settled, filters, lambda row: (row.settled_at.timestamp(), row.ticker))

    def historical_cutoff(self) -> HistoricalCutoff:
        self._called("historical_cutoff")
        moment = datetime.fromtimestamp(NOW - 60 * 86_400, UTC)
        return HistoricalCutoff(markets_settled=moment, trades_created=moment, orders_updated=moment)

    def positions(self, *, settlement_status: str = "unsettled") -> tuple[ExchangePosition, ...]:
        self._called(f"positions {settlement_status}")
        return tuple(self.settled_positions)

    def historical_positions(self) -> tuple[ExchangePosition, ...]:
        self._called("historical_positions")
        return tuple(self.archived_positions)

    def markets(self, *, tickers: Iterable[str], limit: int) -> Page[Market]:
        self._called("markets")
        return Page(
            tuple(self.markets_by_ticker[name] for name in tickers if name in self.markets_by_ticker)[:limit], None
        )

    def historical_markets(self, *, tickers: Iterable[str], limit: int) -> Page[Market]:
        self._called("historical_markets")
        del tickers, limit
        return Page((), None)

    def _called(self, name: str) -> None:
        if self.calls_left is not None:
            if self.calls_left <= 0:
                raise SourceUnavailable("kalshi", f"{name} does not answer")
            self.calls_left -= 1
        self.calls.append(name)

    def _page(
        self, name: str, rows: Sequence[Row], filters: dict[str, Any], key: Callable[[Row], tuple[Any, ...]]
    ) -> Page[Row]:
        self._called(name)
        since, until, cursor = filters["since"], filters["until"], filters["cursor"]
        wanted = [
            row
            for row in sorted(rows, key=key, reverse=True)
            if (since is None or int(key(row)[0]) >= since) and (until is None or self._is_before(key(row)[0], until))
        ]
        start = 0 if cursor is None else int(cursor)
        shown = wanted[start : start + min(self.page_size, filters["limit"])]
        more = start + len(shown) < len(wanted)
        return Page(tuple(shown), str(start + len(shown)) if more else None)

    def _is_before(self, at: float, until: float) -> bool:
        if self.until_is == "second":
            return int(at) <= until
        return at <= until if self.until_is == "moment" else at < until
