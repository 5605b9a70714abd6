"""Handlers of a member's calls: balance, positions, fills, settlements, transfers, orders, limits."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from coliseum.trading.money import ZERO
from coliseum.trading.trades import BookSide
from coliseum.trading.transfers import TransferKind
from coliseum_local.exchange import wire
from coliseum_local.exchange.errors import bad_request, flat_error, nested_error
from coliseum_local.exchange.ledger import AccountPosition
from coliseum_local.exchange.orders import AccountFill, OrderStatus, SandboxOrder, SelfTradePrevention, TimeInForce
from coliseum_local.exchange.pagination import Key, page
from coliseum_local.exchange.parameters import Parameters, Window
from coliseum_local.exchange.rate_limits import CallerLimits
from coliseum_local.exchange.routing import ApiCall, Body, decoded
from coliseum_local.exchange.venue import AccountSettlement, OrderRequest, Venue

T = TypeVar("T")
SHARDS = range(4)
OVERLAP_SECONDS = 3600
"""For so long fills are in both tiers: who reads both must count each once."""


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """The query's filters that all lists of an account have."""

    venue: Venue
    tickers: frozenset[str]
    events: frozenset[str]
    shard: int | None
    window: Window
    mine: bool
    """False for every subaccount except 0: the others are empty."""

    def holds(self, ticker: str, time: float) -> bool:
        market = self.venue.markets[ticker]
        return (
            self.mine
            and self.window.holds(time)
            and (not self.tickers or ticker in self.tickers)
            and (not self.events or market.event_ticker in self.events)
            and (self.shard is None or market.exchange_index == self.shard)
        )


def _account_filter(call: ApiCall, query: Parameters, *, timed: bool = True) -> AccountFilter:
    return AccountFilter(
        venue=call.venue,
        tickers=frozenset(query.names("ticker")),
        events=frozenset(query.names("event_ticker")),
        shard=query.integer("exchange_index"),
        window=query.window() if timed else Window(None, None),
        mine=query.integer("subaccount") in {None, 0},
    )


def balance(call: ApiCall) -> Body:
    """`balance` is what new orders may use: cash less what resting orders hold back, without fractions of a cent."""
    query = call.parameters("GetBalance")
    account = call.venue.accounts[call.account_id]
    mine, shard = query.integer("subaccount") in {None, 0}, query.integer("exchange_index")
    available = call.venue.available(call.account_id) if mine and shard in {None, 0} else ZERO
    value = call.venue.portfolio_value(call.account_id) if mine and shard in {None, 0} else ZERO
    shards = SHARDS if shard is None else [shard]
    return {
        "balance": wire.cents(available),
        "balance_dollars": wire.dollars(available),
        "portfolio_value": wire.cents(value),
        "updated_ts": int(account.updated),
        "balance_breakdown": [
            {"exchange_index": index, "balance": wire.dollars(ZERO if index else available)} for index in shards
        ],
    }


def positions(call: ApiCall) -> Body:
    query = call.parameters("GetPositions")
    wanted = query.one_of("settlement_status", {"unsettled", "settled", "all"}, complaint="invalid settlement_status")
    return _positions(call, query, settled={"": False, "unsettled": False, "settled": True}.get(wanted), old=False)


def historical_positions(call: ApiCall) -> Body:
    return _positions(call, call.parameters("GetHistoricalPositions"), settled=True, old=True)


def _positions(call: ApiCall, query: Parameters, *, settled: bool | None, old: bool) -> Body:
    limit = query.limit(default=100, most=1000, least=1)
    counts = query.names("count_filter")
    if not set(counts) <= {"position", "total_traded"}:
        raise bad_request("invalid count_filter")
    account_filter = _account_filter(call, query, timed=False)
    if len(account_filter.events) > 1:
        raise bad_request("only one event_ticker may be supplied")
    cutoff = call.sandbox.cutoffs.market(call.venue.now)
    rows = [
        each
        for each in call.venue.accounts[call.account_id].positions.values()
        if (settled is None or each.settled is settled)
        and (each.settled and _event_ended(call.venue, each.ticker) < cutoff) is old
        and account_filter.holds(each.ticker, each.updated)
        and all(each.contracts if count == "position" else each.traded for count in counts)
    ]
    shown, following = page(
        rows, key=lambda each: (each.updated, each.ticker), limit=limit, cursor=query.text("cursor")
    )
    by_event: dict[str, list[AccountPosition]] = {}
    for each in shown:
        by_event.setdefault(call.venue.markets[each.ticker].event_ticker, []).append(each)
    return {
        "cursor": following,
        "market_positions": [wire.position(each, exchange_index=_shard(call, each.ticker)) for each in shown],
        "event_positions": [wire.event_position(ticker, parts) for ticker, parts in by_event.items()],
    }


def _event_ended(venue: Venue, ticker: str) -> float:
    """Unix second at which the event's last market was settled: positions move to the archive by whole events."""
    markets = venue.events[venue.markets[ticker].event_ticker].markets
    return max(
        math.inf if venue.markets[each].settled is None else venue.markets[each].settled or 0 for each in markets
    )


def fills(call: ApiCall) -> Body:
    return _fills(call, "GetFills", historical=False)


def historical_fills(call: ApiCall) -> Body:
    return _fills(call, "GetFillsHistorical", historical=True)


def _fills(call: ApiCall, operation: str, *, historical: bool) -> Body:
    query = call.parameters(operation)
    cutoff = call.sandbox.cutoffs.trade(call.venue.now)
    order_id, account_filter = query.text("order_id"), _account_filter(call, query)
    known = call.venue.fills[call.account_id]
    # Fills are in order of time, so the search starts at the window; an account can have very many.
    first = bisect_left(known, float(account_filter.window.low or 0), key=lambda each: each.time)
    rows = [
        each
        for each in known[first:]
        if (each.time < cutoff if historical else each.time >= cutoff - OVERLAP_SECONDS)
        and (not order_id or each.order_id == order_id)
        and account_filter.holds(each.ticker, each.time)
    ]
    return _list(
        query,
        "fills",
        rows,
        key=lambda each: (each.time, each.fill_id),
        body=lambda each: wire.fill(each, exchange_index=_shard(call, each.ticker), legacy=call.legacy),
    )


def settlements(call: ApiCall) -> Body:
    query = call.parameters("GetSettlements")
    cutoff, account_filter = call.sandbox.cutoffs.market(call.venue.now), _account_filter(call, query)
    rows = [
        each
        for each in call.venue.settlements[call.account_id]
        if each.time >= cutoff and account_filter.holds(each.ticker, each.time)
    ]
    return _list(query, "settlements", rows, key=_settlement_key, body=wire.settlement)


def deposits(call: ApiCall) -> Body:
    return _transfers(call, "deposits", "GetDeposits", TransferKind.DEPOSIT)


def withdrawals(call: ApiCall) -> Body:
    return _transfers(call, "withdrawals", "GetWithdrawals", TransferKind.WITHDRAWAL)


def _transfers(call: ApiCall, name: str, operation: str, kind: TransferKind) -> Body:
    rows = [each for each in call.venue.transfers[call.account_id] if each.request.kind is kind]
    return _list(
        call.parameters(operation),
        name,
        rows,
        key=lambda each: (each.created, each.transfer_id),
        body=wire.transfer,
        most=500,
    )


def _settlement_key(each: AccountSettlement) -> Key:
    return each.time, each.ticker


def orders(call: ApiCall) -> Body:
    query = call.parameters("GetOrders")
    status = query.one_of("status", set(OrderStatus), complaint="invalid status filter")
    return _orders(call, query, status=status, historical=False)


def historical_orders(call: ApiCall) -> Body:
    return _orders(call, call.parameters("GetHistoricalOrders"), status="", historical=True)


def _orders(call: ApiCall, query: Parameters, *, status: str, historical: bool) -> Body:
    cutoff, account_filter = call.sandbox.cutoffs.order(call.venue.now), _account_filter(call, query)
    known = call.venue.resting if status == OrderStatus.RESTING else call.venue.orders
    rows = [
        each
        for each in known.values()
        if each.account_id == call.account_id
        and (not status or each.status == status)
        and (each.status is not OrderStatus.RESTING and each.updated < cutoff) is historical
        and account_filter.holds(each.ticker, each.created)
    ]
    return _list(
        query,
        "orders",
        rows,
        key=lambda each: (each.created, each.order_id),
        body=lambda each: wire.order(each, exchange_index=_shard(call, each.ticker), legacy=call.legacy),
    )


def order(call: ApiCall) -> Body:
    each = call.venue.orders.get(call.path("order_id"))
    if each is None or each.account_id != call.account_id:
        raise nested_error(404, "not_found", service="exchange")
    return {"order": wire.order(each, exchange_index=_shard(call, each.ticker), legacy=call.legacy)}


def create_order(call: ApiCall) -> tuple[int, Body]:
    request = _order_request(call.content)
    done_before = len(call.venue.fills[call.account_id])
    each = call.venue.place(call.account_id, request)
    done = [fill for fill in call.venue.fills[call.account_id][done_before:] if fill.order_id == each.order_id]
    return 201, _acknowledged(call, each) | {
        "fill_count": wire.contracts(each.filled),
        "remaining_count": wire.contracts(each.remaining),
        **_averages(done),
    }


def cancel_order(call: ApiCall) -> Body:
    each, reduced_by = call.venue.cancel(call.account_id, call.path("order_id"))
    return _acknowledged(call, each) | {"reduced_by": wire.contracts(reduced_by)}


def resting_value(call: ApiCall) -> Body:
    value = call.venue.reserved(call.account_id)
    breakdown = [{"exchange_index": index, "balance": wire.dollars(ZERO if index else value)} for index in SHARDS]
    return {"total_resting_order_value": wire.cents(value), "resting_order_value_breakdown": breakdown}


def account_limits(call: ApiCall) -> Body:
    del call
    allowance = CallerLimits()
    buckets = {"read": allowance.read, "write": allowance.write}
    return {
        "usage_tier": "basic",
        "grants": [],
        **{
            name: {"refill_rate": int(bucket.refill), "bucket_capacity": int(bucket.capacity)}
            for name, bucket in buckets.items()
        },
    }


def _acknowledged(call: ApiCall, each: SandboxOrder) -> Body:
    body: Body = {"order_id": each.order_id, "ts_ms": int(call.venue.now * 1000)}
    return body | ({"client_order_id": each.client_order_id} if each.client_order_id else {})


def _averages(done: list[AccountFill]) -> Body:
    count = sum((fill.count for fill in done), ZERO)
    if not count:
        return {}
    cost = sum((fill.count * fill.price for fill in done), ZERO)
    fees = sum((fill.fee for fill in done), ZERO)
    return {
        "average_fill_price": f"{cost / count:.4f}",
        "average_fee_paid": f"{fees / count:.4f}",
    }


def _list(
    query: Parameters,
    name: str,
    rows: Iterable[T],
    *,
    key: Callable[[T], Key],
    body: Callable[[T], Body],
    most: int = 1000,
) -> Body:
    limit = query.limit(default=100, most=most, least=1)
    shown, following = page(rows, key=key, limit=limit, cursor=query.text("cursor"))
    return {name: [body(each) for each in shown], "cursor": following}


def _shard(call: ApiCall, ticker: str) -> int:
    return call.venue.markets[ticker].exchange_index


# The body of POST /portfolio/events/orders

_STRINGS = ("ticker", "side", "count", "price", "time_in_force", "self_trade_prevention_type", "client_order_id")
_FLAGS = ("post_only", "reduce_only", "cancel_order_on_pause")


def _order_request(content: bytes) -> OrderRequest:
    """The order in a request's body. Raises ApiError; a number where a string belongs is refused, like on Kalshi."""
    try:
        body = decoded(content)
    except ValueError as error:
        raise flat_error(str(error)) from None
    _check_types(body)
    expires = body.get("expiration_time")
    return OrderRequest(
        ticker=body["ticker"],
        side=_enum(body, "side", BookSide),
        count=_decimal(body, "count", places=2),
        price=_decimal(body, "price", places=4),
        time_in_force=_enum(body, "time_in_force", TimeInForce),
        self_trade_prevention=_enum(body, "self_trade_prevention_type", SelfTradePrevention),
        client_order_id=body.get("client_order_id") or "",
        expires=float(expires) if expires else None,
        post_only=bool(body.get("post_only")),
        reduce_only=bool(body.get("reduce_only")),
        cancel_on_pause=bool(body.get("cancel_order_on_pause")),
    )


def _check_types(body: Body) -> None:
    for name in _STRINGS:
        value = body.get(name)
        if value is None:
            if name == "client_order_id":
                continue
            raise bad_request(f"{name} is required")
        if not isinstance(value, str):
            raise _mistyped(name, value, "string")
    for name in _FLAGS:
        if not isinstance(body.get(name), bool | None):
            raise _mistyped(name, body[name], "bool")
    expires = body.get("expiration_time")
    if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int)):
        raise _mistyped("expiration_time", expires, "int64")
    if body.get("subaccount") not in {None, 0}:
        raise bad_request("subaccount does not exist")


def _mistyped(name: str, value: object, expected: str) -> Exception:
    kind = {bool: "bool", str: "string", list: "array", dict: "object"}.get(type(value), "number")
    return flat_error(
        f"json: cannot unmarshal {kind} into Go struct field CreateOrderV2Request.{name} of type {expected}"
    )


EnumT = TypeVar("EnumT", BookSide, TimeInForce, SelfTradePrevention)


def _enum(body: Body, name: str, kind: type[EnumT]) -> EnumT:
    try:
        return kind(body[name])
    except ValueError:
        raise bad_request(f"invalid {name}") from None


def _decimal(body: Body, name: str, *, places: int) -> Decimal:
    text = body[name]
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise bad_request(f"invalid {name}") from None
    exponent = value.as_tuple().exponent
    if len(text) > 24 or not isinstance(exponent, int) or exponent < -places or value.adjusted() > 12:
        raise bad_request(f"invalid {name}")
    return value
