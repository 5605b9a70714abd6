"""The state of the exchange: accounts, order books and listings, and every change of orders and money.

`now` is set by the caller; nothing here reads a clock or a disk. Each change is noted in `changes`, for the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from uuid import UUID

from coliseum.trading.fees import CENTICENT, charge_fill, trade_fee
from coliseum.trading.money import CENT, ONE, ZERO
from coliseum.trading.trades import BookSide
from coliseum.trading.transfers import APPLIED, TransferKind
from coliseum_local.exchange.candles import HOUR, CandleRecorder, SandboxCandle
from coliseum_local.exchange.change_log import ChangeLog, RecordKind
from coliseum_local.exchange.ledger import NO_PURCHASES, Purchases, TradingAccount, payout, split_fill
from coliseum_local.exchange.listing import MarketStatus, SandboxEvent, SandboxMarket, SandboxSeries
from coliseum_local.exchange.order_book import LimitOrderBook, Placement
from coliseum_local.exchange.orders import (
    AccountFill,
    Action,
    OrderMatch,
    OrderRejected,
    OrderStatus,
    PublicTrade,
    SandboxOrder,
    SelfTradePrevention,
    TimeInForce,
)
from coliseum_local.exchange.outcome_process import OutcomeProcess
from coliseum_local.exchange.ticks import is_valid
from coliseum_local.exchange.traders import MarketMaker, SimulatedOrder
from coliseum_local.exchange.trading_hours import pause_end
from coliseum_local.exchange.transfers import AccountTransfer, TransferRequest

MAX_CONTRACTS = Decimal(1_000_000)
SIMULATED_CASH = Decimal(10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as a member sends it. The price is in dollars per YES contract, `expires` in unix seconds."""

    ticker: str
    side: BookSide
    count: Decimal
    price: Decimal
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    client_order_id: str = ""
    expires: float | None = None
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettlement:
    """One market's end for one account that ever traded in it. In dollars and contracts."""

    account_id: str
    ticker: str
    event_ticker: str
    exchange_index: int
    result: str
    contracts: Decimal
    """Held at the end, signed: above 0 YES, below 0 NO. 0 where the position was closed before."""
    cost: Decimal
    purchases: Purchases = NO_PURCHASES
    revenue: Decimal
    yes_value: Decimal
    fees: Decimal
    time: float


class Venue:
    """All state of the exchange. Invariant: `money()` is changed by no trade and no settlement."""

    def __init__(self, *, seed: str, now: float, generation: int = 0) -> None:
        self.seed = seed
        self.now = now
        self.stepped = now
        """The last step of the simulation's grid that was made; never after `now`."""
        self.generation = generation
        """How often this exchange was restarted: each run needs new random numbers and ids that were never used."""
        self.ids = Random(f"{seed}:{generation}:ids")
        self.rng = Random(f"{seed}:{generation}:crowd")
        self.changes = ChangeLog()
        self.accounts: dict[str, TradingAccount] = {}
        self.members: set[str] = set()
        self.series: dict[str, SandboxSeries] = {}
        self.events: dict[str, SandboxEvent] = {}
        self.markets: dict[str, SandboxMarket] = {}
        self.live: dict[str, SandboxMarket] = {}
        """Markets that are not finalized."""
        self.processes: dict[str, OutcomeProcess] = {}
        """By event, until its last market is finalized."""
        self.recorders: dict[str, CandleRecorder] = {}
        self.books: dict[str, LimitOrderBook] = {}
        self.makers: dict[str, list[MarketMaker]] = {}
        self.next_quote: dict[str, float] = {}
        """Unix second of the makers' next quotes, by market."""
        self.quoted: dict[str, float] = {}
        """The odds at the makers' last quotes, by market."""
        self.next_index: dict[str, int] = {}
        """Number of the event that is listed next, by series."""
        self.next_forget = now
        self.orders: dict[str, SandboxOrder] = {}
        """All orders of members, finished ones too."""
        self.resting: dict[str, SandboxOrder] = {}
        """The orders of members that are in a book."""
        self.client_ids: set[tuple[str, str]] = set()
        """(account, client order id) of every order: an id may be used once."""
        self.fills: dict[str, list[AccountFill]] = {}
        self.settlements: dict[str, list[AccountSettlement]] = {}
        self.transfers: dict[str, list[AccountTransfer]] = {}
        self.trades: deque[PublicTrade] = deque(maxlen=20_000)
        self.fees_collected = ZERO
        self.paused = False
        """The operator stopped trading."""
        self.keeps_hours = False
        """Trading also pauses every Thursday."""

    @property
    def trading_active(self) -> bool:
        return not self.paused and not (self.keeps_hours and pause_end(self.now))

    # Accounts

    def open_account(self, account_id: str, *, cash: Decimal, member: bool) -> TradingAccount:
        account = TradingAccount(account_id, cash, CENTICENT, updated=self.now)
        self.accounts[account_id] = account
        self.changes.note(RecordKind.ACCOUNT, account_id, account, urgent=member)
        if member:
            self.members.add(account_id)
            self.fills[account_id] = []
            self.settlements[account_id] = []
            self.transfers[account_id] = []
        return account

    def move_cash(self, account_id: str, request: TransferRequest) -> AccountTransfer:
        """Carry out a member's deposit or withdrawal. Raises ValueError for one that the cash does not cover."""
        account = self.accounts[account_id]
        if request.status == APPLIED:
            if request.kind is TransferKind.WITHDRAWAL and request.amount > self.available(account_id):
                raise ValueError(f"{request.amount} dollars are more than the account may use")
            account.cash += request.amount if request.kind is TransferKind.DEPOSIT else -request.amount
            account.updated = self.now
            self.changes.note(RecordKind.ACCOUNT, account_id, account, urgent=True)
        return self.record_transfer(account_id, request)

    def record_transfer(self, account_id: str, request: TransferRequest) -> AccountTransfer:
        """List a transfer whose money the account has already."""
        transfer = AccountTransfer(
            transfer_id=self.new_id(),
            account_id=account_id,
            request=request,
            created=self.now,
            finalized=None if request.status == "pending" else self.now,
        )
        self.transfers[account_id].append(transfer)
        self.changes.note(RecordKind.TRANSFER, transfer.transfer_id, transfer, urgent=True)
        return transfer

    def add_past_fills(self, account_id: str, ticker: str, *, times: Sequence[float], price: Decimal) -> None:
        """Give a member a past in one market: one contract bought and sold again, in turn, at unix seconds `times`.

        The position stays as it was where the number of times is even, and the fees are paid.
        """
        account, fee = self.accounts[account_id], CENT
        for number, moment in enumerate(times):
            side = BookSide.ASK if number % 2 else BookSide.BID
            delta = ONE if side is BookSide.BID else -ONE
            account.apply(ticker=ticker, delta=delta, price=price, fee=fee, now=self.now)
            self.fees_collected += fee
            fill = AccountFill(
                fill_id=self.new_id(),
                order_id=self.new_id(),
                account_id=account_id,
                ticker=ticker,
                side=side,
                action=Action.SELL if number % 2 else Action.BUY,
                count=ONE,
                price=price,
                fee=fee,
                is_taker=True,
                time=moment,
            )
            self.fills[account_id].append(fill)
            self.changes.note(RecordKind.FILL, fill.fill_id, fill, urgent=True)
        self.fills[account_id].sort(key=lambda each: each.time)
        self.changes.note(RecordKind.ACCOUNT, account_id, account, urgent=True)
        self.changes.note(RecordKind.POSITION, f"{account_id}|{ticker}", account.position(ticker), urgent=True)

    def reserved(self, account_id: str) -> Decimal:
        """Dollars held back for a member's resting orders. Contracts that would close a position need none."""
        total = ZERO
        closable: dict[tuple[str, BookSide], Decimal] = {}
        for order in self.resting.values():
            if order.account_id != account_id:
                continue
            key = (order.ticker, order.side)
            # The position can be closed only once: orders use it up in the order in which they were placed.
            free = closable.get(key, max(ZERO, -order.sign * self.accounts[account_id].held(order.ticker)))
            closing = min(free, order.remaining)
            closable[key] = free - closing
            total += (order.remaining - closing) * order.leg_price + self._fee(order, order.remaining, maker=True)
        return total

    def available(self, account_id: str) -> Decimal:
        """Dollars that a new order may use."""
        return self.accounts[account_id].cash - self.reserved(account_id)

    def portfolio_value(self, account_id: str) -> Decimal:
        """Dollars that the open positions are worth at the last price, or at the result once there is one."""
        total = ZERO
        for ticker, position in self.accounts[account_id].positions.items():
            if position.contracts:
                market = self.markets[ticker]
                total += payout(position.contracts, market.last_price if market.yes_value is None else market.yes_value)
        return total

    # Orders

    def place(self, account_id: str, request: OrderRequest) -> SandboxOrder:
        """Take a member's order and match it. Raises OrderRejected before anything changed."""
        market = self.markets.get(request.ticker)
        if market is None:
            raise OrderRejected("market_not_found", status=404)
        if not self.trading_active:
            raise OrderRejected("trading_is_paused", status=503)
        if market.status is not MarketStatus.ACTIVE:
            raise OrderRejected("MARKET_INACTIVE")
        if not is_valid(market.structure, request.price):
            raise OrderRejected("invalid_price")
        if not CENT <= request.count <= MAX_CONTRACTS or request.count % CENT:
            raise OrderRejected("invalid_order_size")
        if request.expires is not None and request.expires <= self.now:
            raise OrderRejected("invalid_order", details="expiration time is in the past")
        if request.client_order_id and (account_id, request.client_order_id) in self.client_ids:
            raise OrderRejected("order_already_exists", status=409)
        order = self._order(account_id, request)
        self._require_funds(order)
        placement = self.books[order.ticker].place(order)
        if order.client_order_id:
            self.client_ids.add((account_id, order.client_order_id))
        self.orders[order.order_id] = order
        self._settle_trades(placement)
        self._note_order(order)
        return order

    def submit(self, intent: SimulatedOrder, ticker: str, *, rest: bool) -> SandboxOrder | None:
        """Take a simulated trader's order, which rests or fills at once; None where the book rejects it.

        These orders are never stored: after a restart the makers quote again.
        """
        held = self.accounts[intent.account_id].held(ticker)
        request = OrderRequest(
            ticker=ticker,
            side=intent.side,
            count=intent.count,
            price=intent.price,
            time_in_force=TimeInForce.GOOD_TILL_CANCELED if rest else TimeInForce.IMMEDIATE_OR_CANCEL,
            self_trade_prevention=SelfTradePrevention.TAKER_AT_CROSS,
            post_only=rest,
        )
        order = self._order(intent.account_id, request, held=held)
        try:
            placement = self.books[ticker].place(order)
        except OrderRejected:
            return None
        self._settle_trades(placement)
        return order

    def cancel(self, account_id: str, order_id: str) -> tuple[SandboxOrder, Decimal]:
        """Cancel a member's resting order; returns it and the contracts still open. Raises OrderRejected (404)."""
        order = self.resting.get(order_id)
        if order is None or order.account_id != account_id:
            raise OrderRejected("not_found", status=404)
        return order, self.withdraw(order)

    def withdraw(self, order: SandboxOrder) -> Decimal:
        """Remove any resting order from its book; returns the contracts still open."""
        open_count = self.books[order.ticker].cancel(order)
        order.updated = self.now
        if order.order_id in self.orders:
            self._note_order(order)
        return open_count

    def restore(self, order: SandboxOrder) -> None:
        """Put a stored order back into its place, without matching."""
        self.orders[order.order_id] = order
        if order.client_order_id:
            self.client_ids.add((order.account_id, order.client_order_id))
        if order.status is OrderStatus.RESTING:
            self.resting[order.order_id] = order
            self.books[order.ticker].rest(order)

    def new_id(self) -> str:
        return str(UUID(int=self.ids.getrandbits(128), version=4))

    # Steps of placing an order

    def _order(self, account_id: str, request: OrderRequest, *, held: Decimal | None = None) -> SandboxOrder:
        """The order for a request; a reduce-only one is cut down to the position it closes."""
        if held is None:
            held = self.accounts[account_id].held(request.ticker)
        sign = 1 if request.side is BookSide.BID else -1
        closable = max(ZERO, -sign * held)
        count = request.count
        if request.reduce_only:
            if request.time_in_force is not TimeInForce.IMMEDIATE_OR_CANCEL:
                raise OrderRejected("invalid_order", details="reduce only orders must be immediate or cancel")
            count = min(count, closable)
            if not count:
                raise OrderRejected("invalid_order", details="reduce only order would not reduce the position")
        return SandboxOrder(
            order_id=self.new_id(),
            account_id=account_id,
            ticker=request.ticker,
            side=request.side,
            price=request.price,
            initial=count,
            remaining=count,
            time_in_force=request.time_in_force,
            self_trade_prevention=request.self_trade_prevention,
            action=Action.SELL if count <= closable else Action.BUY,
            created=self.now,
            updated=self.now,
            client_order_id=request.client_order_id,
            expires=request.expires,
            cancel_on_pause=request.cancel_on_pause,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
        )

    def _require_funds(self, order: SandboxOrder) -> None:
        held = self.accounts[order.account_id].held(order.ticker)
        opening = order.remaining - min(order.remaining, max(ZERO, -order.sign * held))
        need = opening * order.leg_price + (self._fee(order, opening, maker=False) if opening else ZERO)
        if opening and need > self.available(order.account_id):
            raise OrderRejected("insufficient_balance")

    def _fee(self, order: SandboxOrder, count: Decimal, *, maker: bool, price: Decimal | None = None) -> Decimal:
        series = self.series[self.markets[order.ticker].series_ticker]
        return trade_fee(
            price=order.price if price is None else price,
            count=count,
            multiplier=series.fee_multiplier,
            fee_type=series.fee_type,
            maker=maker,
        )

    def _settle_trades(self, placement: Placement) -> None:
        for order in placement.self_trades_prevented:
            order.updated = self.now
            if order.order_id in self.orders:
                self._note_order(order)
        for match in placement.matches:
            self._trade(match)
        for account_id in {match.maker.account_id for match in placement.matches} & self.members:
            self.trim_resting(account_id)

    def _trade(self, match: OrderMatch) -> None:
        market = self.markets[match.taker.ticker]
        opened = ZERO
        for order, is_taker in ((match.maker, False), (match.taker, True)):
            opened += self._fill(order, match, is_taker=is_taker)
        market.open_interest += opened / 2
        market.volume += match.count
        market.last_price = match.price
        trade = PublicTrade(
            trade_id=self.new_id(),
            ticker=market.ticker,
            price=match.price,
            count=match.count,
            taker_side=match.taker.side,
            time=self.now,
        )
        self.trades.append(trade)
        self.changes.note(RecordKind.MARKET, market.ticker, market)
        bid, ask = self.quotes(market.ticker)
        closed = self.recorders[market.ticker].trade(
            self.now, price=match.price, count=match.count, bid=bid, ask=ask, interest=market.open_interest
        )
        if closed is not None:
            self.note_candle(market.ticker, closed)

    def _fill(self, order: SandboxOrder, match: OrderMatch, *, is_taker: bool) -> Decimal:
        """Enter one account's half of a trade; returns contracts opened less contracts closed."""
        account = self.accounts[order.account_id]
        delta = order.sign * match.count
        parts = split_fill(account.held(order.ticker), delta, match.price)
        charge = charge_fill(
            revenue=parts.revenue,
            trade_fee=self._fee(order, match.count, maker=not is_taker, price=match.price),
            accumulator=order.fee_accumulator,
            precision=account.precision,
        )
        account.apply(ticker=order.ticker, delta=delta, price=match.price, fee=charge.net_fee, now=self.now)
        self.fees_collected += charge.net_fee
        order.fee_accumulator = charge.carried
        order.filled += match.count
        order.updated = self.now
        cost = match.count * (match.price if order.sign > 0 else ONE - match.price)
        if is_taker:
            order.taker_cost += cost
            order.taker_fees += charge.net_fee
        else:
            order.maker_cost += cost
            order.maker_fees += charge.net_fee
        member = order.account_id in self.members
        self.changes.note(RecordKind.ACCOUNT, account.account_id, account, urgent=member)
        position = account.position(order.ticker)
        self.changes.note(RecordKind.POSITION, f"{account.account_id}|{order.ticker}", position, urgent=member)
        if member:
            self._record(order, match, fee=charge.net_fee, is_taker=is_taker)
        return parts.opened - parts.closed

    def _record(self, order: SandboxOrder, match: OrderMatch, *, fee: Decimal, is_taker: bool) -> None:
        fill = AccountFill(
            fill_id=self.new_id(),
            order_id=order.order_id,
            account_id=order.account_id,
            ticker=order.ticker,
            side=order.side,
            action=order.action,
            count=match.count,
            price=match.price,
            fee=fee,
            is_taker=is_taker,
            time=self.now,
        )
        self.fills[order.account_id].append(fill)
        self.changes.note(RecordKind.FILL, fill.fill_id, fill, urgent=True)
        self._note_order(order)

    def _note_order(self, order: SandboxOrder) -> None:
        if order.status is OrderStatus.RESTING and order.order_id in self.books[order.ticker].orders:
            self.resting[order.order_id] = order
        else:
            self.resting.pop(order.order_id, None)
        self.changes.note(RecordKind.ORDER, order.order_id, order, urgent=True)

    def trim_resting(self, account_id: str) -> None:
        """Cancel a member's newest resting orders until its cash covers the rest of them.

        Needed after a fill of a resting order: its fee can be higher than the fee that was held back.
        """
        while self.available(account_id) < ZERO:
            mine = [order for order in self.resting.values() if order.account_id == account_id]
            if not mine:
                return
            self.withdraw(mine[-1])

    def note_candle(self, ticker: str, closed: SandboxCandle) -> None:
        """Note a closed minute for the journal, and once an hour merge the old ones."""
        self.changes.note(RecordKind.CANDLE, f"{ticker}|{closed.end}", closed)
        if closed.end % HOUR == 0:
            minutes, hours = self.recorders[ticker].compact(self.now)
            for gone in minutes:
                self.changes.note(RecordKind.CANDLE, f"{ticker}|{gone.end}", None)
            for kept in hours:
                self.changes.note(RecordKind.CANDLE, f"{ticker}|{kept.end}", kept)

    # Queries

    def quotes(self, ticker: str) -> tuple[Decimal, Decimal]:
        """Best bid and ask of YES; an empty side counts as bid 0 or ask 1."""
        book = self.books.get(ticker)
        bid, ask = (book.best_bid, book.best_ask) if book else (None, None)
        return (bid.price if bid else ZERO, ask.price if ask else ONE)

    def open_markets(self) -> Iterable[SandboxMarket]:
        return (market for market in self.live.values() if market.status is MarketStatus.ACTIVE)

    def money(self) -> Decimal:
        """Dollars of all accounts, all fees, and one dollar per open pair of contracts. Only deposits change it."""
        cash = sum((account.cash for account in self.accounts.values()), ZERO)
        return cash + self.fees_collected + sum((market.open_interest for market in self.live.values()), ZERO)
