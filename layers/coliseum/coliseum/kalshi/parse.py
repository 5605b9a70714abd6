"""The exchange's JSON as our own types. Pure: each function returns a value or raises one of our errors.

Markets and fills come a thousand at a time, so they are filled in as drafts (`trading.drafts`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.kalshi import wire
from coliseum.trading.drafts import drafts_of, freeze
from coliseum.trading.events import Event, Series
from coliseum.trading.exchange import ExchangeStatus, HistoricalCutoff
from coliseum.trading.markets import Balance, Candle, ExchangePosition, Level, Market, OrderBook, Settlement, ShardCash
from coliseum.trading.money import CENT, ONE, ZERO, optional_decimal
from coliseum.trading.orders import RestingOrder
from coliseum.trading.pages import RejectedRow
from coliseum.trading.trades import BookSide, Fill, Outcome
from coliseum.trading.transfers import Transfer, TransferKind

SOURCE = "kalshi"
CLOCK_REFUSED = "header_timestamp_expired"
"""The exchange's code for a signature whose time is too far from its own."""
Document = TypeVar("Document", bound=wire.WireObject)

_TIMES = frozenset(
    field.encode_name
    for kind in wire.WireObject.__subclasses__()
    for field in msgspec.structs.fields(kind)
    if field.type in {wire.Time, wire.OptionalTime}
)
_OPTIONAL_TIMES = frozenset(
    field.encode_name
    for kind in wire.WireObject.__subclasses__()
    for field in msgspec.structs.fields(kind)
    if field.default is None and field.type == wire.OptionalTime
)
_SHOWN_CHARACTERS = 60
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800
_CURSOR = re.compile(r"cursor|next|page|token", re.IGNORECASE)
_NAMES = ("ticker", "market_ticker", "event_ticker")
_IDS = ("fill_id", "id")
_market_draft = drafts_of(Market)
_fill_draft = drafts_of(Fill)


def document(model: type[Document], body: bytes, *, endpoint: str) -> Document:
    """The answer, checked field by field: all of it or nothing.

    Raises SourceMalformed that names the endpoint, the field, what it holds, and the row's ticker or id.
    """
    with suppress(msgspec.DecodeError):  # also a ValidationError
        answer: Document = _decoder(model).decode(body)
        if getattr(answer, "cursor", "") is None:
            _refuse_hidden_cursor(body, endpoint)
        return answer
    return _convert(_parts(body, endpoint), model, endpoint)


def _refuse_hidden_cursor(body: bytes, endpoint: str) -> None:
    """Raise where the cursor has got another name. The list would end early, and its sums would be too small."""
    if b'"cursor"' not in body:
        names = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        other = next((name for name in names if _CURSOR.search(name)), None)
        if other is not None:
            problem = f"the list has no cursor but {_printable(other)}: its next pages cannot be found"
            raise SourceMalformed(SOURCE, f"{endpoint}: {problem}", field="cursor")


def document_and_rejected(
    model: type[Document], body: bytes, *, endpoint: str, ticker: str | None = None
) -> tuple[Document, tuple[RejectedRow, ...]]:
    """The answer without the rows that cannot be read, and those rows; `ticker` is for rows that name none.

    Raises SourceMalformed where more than rows is wrong. An answer without odd rows costs no more than `document`.
    """
    with suppress(msgspec.DecodeError):
        answer: Document = _decoder(model).decode(body)
        return answer, ()
    rejected: list[RejectedRow] = []
    parts = _readable(_parts(body, endpoint), model, endpoint, rejected)
    named = (row if row.ticker is not None else replace(row, ticker=ticker) for row in rejected)
    return _convert(parts, model, endpoint), tuple(named)


@cache
def _decoder(model: type[wire.WireObject]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model)


def _parts(body: bytes, endpoint: str) -> Any:
    """The body's JSON, for a second look.

    Either a field is wrong, or a value has another JSON form than usual: an empty text or 0 where there is no time, or
    a number or truth value as text. A price or count must be a text in any case.
    """
    try:
        return _with_readable_times(msgspec.json.decode(body))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SourceMalformed(SOURCE, f"{endpoint}: body: no JSON: {error}", field="body") from None


def _convert(parts: Any, model: type[Document], endpoint: str) -> Document:
    try:
        return msgspec.convert(parts, model, strict=False)
    except msgspec.ValidationError as error:
        raise _malformed(str(error), parts, endpoint) from None


def _readable(parts: Any, model: type[wire.WireObject], endpoint: str, rejected: list[RejectedRow]) -> Any:
    """`parts` with only those rows that can be read, in its lists and in the lists of its objects."""
    if not isinstance(parts, dict):
        return parts
    kept = dict(parts)
    for name, (kind, is_list) in _objects_in(model).items():
        value = parts.get(name)
        if is_list and isinstance(value, list):
            rows = (_readable(row, kind, endpoint, rejected) for row in value)
            kept[name] = [row for row in rows if _is_readable(row, kind, endpoint, rejected)]
        elif not is_list:
            kept[name] = _readable(value, kind, endpoint, rejected) if name in parts else value
    return {name: value for name, value in kept.items() if name in parts}


@cache
def _objects_in(model: type[wire.WireObject]) -> dict[str, tuple[type[wire.WireObject], bool]]:
    """The fields that hold an object of ours or a list of them, by their names in JSON."""
    found: dict[str, tuple[type[wire.WireObject], bool]] = {}
    for field in msgspec.structs.fields(model):
        for option in get_args(field.type) if get_origin(field.type) is UnionType else (field.type,):
            is_list = get_origin(option) is list
            kind = get_args(option)[0] if is_list else option
            if isinstance(kind, type) and issubclass(kind, wire.WireObject):
                found[field.encode_name] = (kind, is_list)
    return found


def _is_readable(row: Any, kind: type[wire.WireObject], endpoint: str, rejected: list[RejectedRow]) -> bool:
    try:
        msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError as error:
        field, problem = _field_and_problem(str(error))
        name = next((row[key] for key in _NAMES if isinstance(row.get(key), str)), None) if _is_object(row) else None
        rejected.append(
            RejectedRow(
                endpoint=endpoint,
                ticker=None if name is None else _printable(name),
                field=field or "row",
                value=_shown(row, field),
                problem=problem,
            )
        )
        return False
    return True


def _is_object(row: Any) -> bool:
    return isinstance(row, dict)


def _with_readable_times(value: Any) -> Any:
    """Without empty times, and with a number of another unit as a text that is no time: it would be read as 1970."""
    if isinstance(value, list):
        return [_with_readable_times(item) for item in value]
    if isinstance(value, dict):
        return {
            name: _no_other_unit(item) if name in _TIMES else _with_readable_times(item)
            for name, item in value.items()
            if item or name not in _OPTIONAL_TIMES
        }
    return value


def _no_other_unit(value: Any) -> Any:
    try:
        seconds = float(value)
    except (ValueError, TypeError, OverflowError):
        return value
    return value if _YEAR_2000 <= seconds < _YEAR_2100 else f"{value}: no unix time in seconds"


def _malformed(message: str, parts: Any, endpoint: str) -> SourceMalformed:
    """The error for msgspec's message, such as "Expected `str`, got `int` - at `$.markets[1].title`"."""
    field, problem = _field_and_problem(message)
    held = _shown(parts, field)
    held = "" if held is None or problem == _MISSING else f": {held}"
    text = f"{endpoint}: {field or 'body'}: {problem}{held}{_row_note(field, parts)}"
    return SourceMalformed(SOURCE, text, field=field or "body")


_MISSING = "field required"


def _field_and_problem(message: str) -> tuple[str, str]:
    """The field's path, empty for the whole, and what is wrong with it."""
    problem, _, location = message.partition(" - at `$")
    location = location.rstrip("`")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", problem)
    if missing:
        location, problem = f"{location}.{missing[1]}", _MISSING
    return location.removeprefix("."), problem


def _steps_to(field: str) -> Iterator[str | int]:
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", field.replace("[...]", "")):
        yield int(index) if index else name


def _shown(parts: Any, field: str) -> str | None:
    """What the field holds, as short printable JSON; None where it is missing."""
    for step in _steps_to(field):
        try:
            parts = parts[step]
        except (LookupError, TypeError):
            return None
    try:
        text = json.dumps(parts)
    except (ValueError, RecursionError):
        return "nested too deeply to be written out"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:100])


def _row_note(field: str, parts: Any) -> str:
    """The ticker and the id of the innermost object on the way to a field that has them."""
    name, identity = "", ""
    for step in _steps_to(field):
        try:
            parts = parts[step]
        except (LookupError, TypeError):
            break
        if isinstance(parts, dict):
            name = next((repr(parts[key][:100]) for key in _NAMES if isinstance(parts.get(key), str)), name)
            identity = next((f"{key} {parts[key][:100]!r}" for key in _IDS if isinstance(parts.get(key), str)), "")
    named = ", ".join(part for part in (name, identity) if part)
    return f" (in {named})" if named else ""


def market_from(row: wire.WireMarket) -> Market:
    yes_bid, yes_ask = _price(row.yes_bid_dollars), _price(row.yes_ask_dollars)
    no_bid, no_ask = _price(row.no_bid_dollars), _price(row.no_ask_dollars)
    # A NO bid is a YES ask seen from the other outcome, so the sizes belong to both.
    has_bids, has_asks = _has_size(row.yes_bid_size_fp), _has_size(row.yes_ask_size_fp)
    previous_price, settlement_value = row.previous_price_dollars, row.settlement_value_dollars

    draft = _market_draft()
    draft.ticker = row.ticker
    draft.event_ticker = row.event_ticker
    draft.title = row.title
    draft.subtitle = row.yes_sub_title or row.subtitle
    draft.no_subtitle = row.no_sub_title
    draft.status = row.status
    draft.market_type = row.market_type
    draft.yes_bid = yes_bid if has_bids else _real_bid(yes_bid)
    draft.yes_ask = yes_ask if has_asks else _real_ask(yes_ask)
    draft.no_bid = no_bid if has_asks else _real_bid(no_bid)
    draft.no_ask = no_ask if has_bids else _real_ask(no_ask)
    # The exchange writes 0 where nothing was traded.
    draft.last_price = _price(row.last_price_dollars) or None
    draft.previous_price = None if previous_price is None else _price(previous_price) or None
    draft.volume = Decimal(row.volume_fp)
    draft.volume_24h = Decimal(row.volume_24h_fp)
    draft.open_interest = Decimal(row.open_interest_fp)
    draft.open_time = row.open_time
    draft.close_time = row.close_time
    draft.expected_expiration_time = row.expected_expiration_time
    draft.updated_time = row.updated_time
    draft.result = row.result or None
    draft.settlement_value = None if settlement_value is None else _price(settlement_value)
    draft.settled_at = row.settlement_ts
    draft.rules_primary = row.rules_primary
    draft.rules_secondary = row.rules_secondary
    draft.price_level_structure = row.price_level_structure
    draft.can_close_early = row.can_close_early
    return freeze(draft, Market)


_price = lru_cache(maxsize=10_000)(Decimal)
"""Prices lie on ticks, so a page holds the same few hundred texts again and again."""


def _has_size(size: str | None) -> bool:
    return size is not None and Decimal(size) > ZERO


def _real_bid(price: Decimal) -> Decimal | None:
    """None for 0 on a side without size: the exchange's sign for an empty side. No order can have that price."""
    return price or None


def _real_ask(price: Decimal) -> Decimal | None:
    """None for 1 on a side without size."""
    return None if price == ONE else price


def book_from(row: wire.WireOrderBook) -> OrderBook:
    return OrderBook(yes_bids=_levels(row.yes_dollars or ()), no_bids=_levels(row.no_dollars or ()))


def _levels(rows: Iterable[wire.WireLevel]) -> tuple[Level, ...]:
    """Best first, sorted here: the exchange sends the best last and documents the opposite."""
    levels = (Level(Decimal(price), Decimal(count)) for price, count in rows)
    return tuple(sorted((level for level in levels if level.count), key=lambda level: level.price, reverse=True))


def event_from(row: wire.WireEvent, markets: Iterable[wire.WireMarket] | None) -> Event:
    return Event(
        ticker=row.event_ticker,
        series_ticker=row.series_ticker,
        title=row.title,
        subtitle=row.sub_title,
        category=row.category or None,
        mutually_exclusive=row.mutually_exclusive,
        strike_date=row.strike_date,
        fee_type_override=row.fee_type_override or None,
        fee_multiplier_override=None if row.fee_multiplier_override is None else _exact(row.fee_multiplier_override),
        markets=tuple(market_from(market) for market in markets or ()),
    )


def _exact(value: float) -> Decimal:
    """A JSON number by its shortest decimal form: 0.07, not 0.070000000000000007."""
    return Decimal(repr(value))


def series_from(row: wire.WireSeries) -> Series:
    return Series(
        ticker=row.ticker,
        title=row.title,
        category=row.category,
        categories=tuple(row.categories or ()),
        tags=tuple(row.tags or ()),
        frequency=row.frequency,
        fee_type=row.fee_type,
        fee_multiplier=_exact(row.fee_multiplier),
        settlement_sources=tuple(source.name or source.url for source in row.settlement_sources or ()),
        contract_url=row.contract_url,
        settlement_urls=tuple(source.url for source in row.settlement_sources or ()),
    )


def candle_from(row: wire.WireCandle | wire.WireHistoricalCandle) -> Candle:
    bid, ask, price = row.yes_bid.close, row.yes_ask.close, row.price
    return Candle(
        end=datetime.fromtimestamp(row.end_period_ts, UTC),
        yes_bid_close=None if bid is None else _real_bid(Decimal(bid)),
        yes_ask_close=None if ask is None else _real_ask(Decimal(ask)),
        price_open=optional_decimal(price.open),
        price_high=optional_decimal(price.high),
        price_low=optional_decimal(price.low),
        price_close=optional_decimal(price.close),
        price_previous=optional_decimal(price.previous),
        volume=Decimal(row.volume),
        open_interest=Decimal(row.open_interest),
    )


def balance_from(row: wire.WireBalance) -> Balance:
    """Cash is what can be spent. Whether it still holds the collateral of resting orders is not documented.

    Raises SourceMalformed where `balance` is not the cents of `balance_dollars`: another unit would make both
    `portfolio_value` and equity wrong.
    """
    endpoint = "GET /portfolio/balance"
    cash = _from_cents(row.balance, "balance", endpoint)
    if 0 < row.updated_ts < _YEAR_2000:
        raise SourceMalformed(SOURCE, f"{endpoint}: updated_ts: {row.updated_ts} is no unix time", field="updated_ts")
    if row.balance_dollars is not None:
        exact = Decimal(row.balance_dollars)
        if abs(exact - cash) > CENT:
            problem = f"balance {row.balance} is not the cents of balance_dollars {row.balance_dollars}"
            raise SourceMalformed(SOURCE, f"{endpoint}: {problem}", field="balance")
        cash = exact
    shards = row.balance_breakdown
    return Balance(
        cash=cash,
        portfolio_value=_from_cents(row.portfolio_value, "portfolio_value", endpoint),
        as_of=datetime.fromtimestamp(row.updated_ts, UTC),
        by_shard=None
        if shards is None
        else tuple(ShardCash(exchange_index=shard.exchange_index, cash=Decimal(shard.balance)) for shard in shards),
    )


def _from_cents(value: int | float, field: str, place: str) -> Decimal:
    """Dollars. Raises SourceMalformed for a number with a point: it could be dollars, and would be read as cents."""
    if isinstance(value, float):
        raise SourceMalformed(SOURCE, f"{place}: {field}: expected whole cents, got {value}", field=field)
    return value * CENT


def position_from(row: wire.WirePosition) -> ExchangePosition:
    return ExchangePosition(
        ticker=row.ticker,
        position=Decimal(row.position_fp),
        exposure=Decimal(row.market_exposure_dollars),
        realized_pnl=Decimal(row.realized_pnl_dollars),
        fees_paid=Decimal(row.fees_paid_dollars),
        total_traded=Decimal(row.total_traded_dollars),
        updated_at=row.last_updated_ts,
    )


def fill_from(row: wire.WireFill, *, endpoint: str) -> Fill:
    """One fill. Raises SourceMalformed where its direction contradicts itself or it has no time.

    `book_side` alone is the direction: a bid is longer YES, an ask longer NO. `action` only says whether the order was
    a sale, which `Fill.as_trade` shows as SELL of the opposite outcome. Where the exchange no longer sends it, a fill
    reads as a BUY of `outcome`, which is the same position.
    """
    if (row.book_side is BookSide.BID) is not (row.outcome_side is Outcome.YES):
        problem = f"book_side {row.book_side.value} contradicts outcome_side {row.outcome_side.value}"
        raise SourceMalformed(SOURCE, f"{endpoint}: fill {row.fill_id}: {problem}", field="book_side")
    draft = _fill_draft()
    draft.fill_id = row.fill_id
    draft.order_id = row.order_id
    draft.ticker = row.ticker
    draft.book_side = row.book_side
    draft.outcome = row.outcome_side
    draft.sold = row.action == "sell"
    draft.count = Decimal(row.count_fp)
    yes_price, no_price = _price(row.yes_price_dollars), _price(row.no_price_dollars)
    if yes_price + no_price != ONE:
        problem = f"yes_price_dollars {row.yes_price_dollars} and no_price_dollars {row.no_price_dollars} do not make 1"
        raise SourceMalformed(SOURCE, f"{endpoint}: fill {row.fill_id}: {problem}", field="yes_price_dollars")
    draft.yes_price = yes_price
    draft.no_price = no_price
    draft.fee = Decimal(row.fee_cost)
    draft.is_taker = row.is_taker
    draft.timestamp = _unix_seconds(row, endpoint)
    draft.subaccount = row.subaccount_number or 0
    return freeze(draft, Fill)


def _unix_seconds(row: wire.WireFill, endpoint: str) -> float:
    """`created_time` has microseconds, `ts` whole seconds."""
    if row.created_time is not None:
        return _plausible(row.created_time, "created_time", f"{endpoint}: fill {row.fill_id[:100]}").timestamp()
    if row.ts is None:
        problem = f"{endpoint}: fill {row.fill_id} has neither created_time nor ts"
        raise SourceMalformed(SOURCE, problem, field="created_time")
    return float(row.ts)


def _plausible(moment: datetime, field: str, place: str) -> datetime:
    """Raises SourceMalformed for a time outside the years 2000 to 2100: such rows would be booked in a wrong order."""
    if not _YEAR_2000 <= moment.timestamp() < _YEAR_2100:
        raise SourceMalformed(SOURCE, f"{place}: {field}: {moment.isoformat()} is no time of 2000 to 2100", field=field)
    return moment


def settlement_from(row: wire.WireSettlement) -> Settlement:
    return Settlement(
        ticker=row.ticker,
        event_ticker=row.event_ticker,
        result=row.market_result,
        yes_count=Decimal(row.yes_count_fp),
        yes_cost=Decimal(row.yes_total_cost_dollars),
        no_count=Decimal(row.no_count_fp),
        no_cost=Decimal(row.no_total_cost_dollars),
        revenue=_from_cents(row.revenue, "revenue", f"settlement of {row.ticker[:100]!r}"),
        value=None if row.value is None else _from_cents(row.value, "value", f"settlement of {row.ticker[:100]!r}"),
        fee=Decimal(row.fee_cost),
        settled_at=_plausible(row.settled_time, "settled_time", f"settlement of {row.ticker[:100]!r}"),
    )


def transfer_from(row: wire.WireTransfer, kind: TransferKind) -> Transfer:
    return Transfer(
        transfer_id=row.id,
        kind=kind,
        status=row.status,
        method=row.type,
        amount=_from_cents(row.amount_cents, "amount_cents", f"transfer {row.id[:100]!r}"),
        fee=_from_cents(row.fee_cents, "fee_cents", f"transfer {row.id[:100]!r}"),
        created_at=datetime.fromtimestamp(row.created_ts, UTC),
        finalized_at=None if row.finalized_ts is None else datetime.fromtimestamp(row.finalized_ts, UTC),
    )


def order_from(row: wire.WireOrder) -> RestingOrder:
    """A resting order. Raises SourceMalformed where its direction contradicts itself."""
    if (row.book_side is BookSide.BID) is not (row.outcome_side is Outcome.YES):
        problem = f"book_side {row.book_side.value} contradicts outcome_side {row.outcome_side.value}"
        raise SourceMalformed(SOURCE, f"order {row.order_id} (in {row.ticker!r}): {problem}", field="book_side")
    return RestingOrder(
        order_id=row.order_id,
        client_order_id=row.client_order_id or None,
        ticker=row.ticker,
        book_side=row.book_side,
        outcome=row.outcome_side,
        yes_price=_price(row.yes_price_dollars),
        no_price=_price(row.no_price_dollars),
        remaining=Decimal(row.remaining_count_fp),
        filled=Decimal(row.fill_count_fp),
        initial=Decimal(row.initial_count_fp),
        created_at=row.created_time,
        updated_at=row.last_update_time,
        expires_at=row.expiration_time,
    )


def status_from(row: wire.WireExchangeStatus) -> ExchangeStatus:
    return ExchangeStatus(
        exchange_active=row.exchange_active,
        trading_active=row.trading_active,
        estimated_resume=row.exchange_estimated_resume_time,
    )


def cutoff_from(row: wire.CutoffDocument) -> HistoricalCutoff:
    return HistoricalCutoff(
        markets_settled=row.market_settled_ts,
        trades_created=row.trades_created_ts,
        orders_updated=row.orders_updated_ts,
    )


def error_from(
    status: int,
    body: bytes,
    *,
    endpoint: str,
    clock_ahead_seconds: float | None = None,
    no_call_until: str | None = None,
) -> SourceError:
    """The error of an answer, from any of the exchange's four shapes or from none of them (the HTML of a proxy).

    `clock_ahead_seconds` is how far our clock is ahead of the exchange's, `no_call_until` what `Retry-After` says.
    """
    code, message = _code_and_message(body)
    if code == CLOCK_REFUSED:
        message = f"{message}: {_clock_problem(clock_ahead_seconds)}"
    problem = f"{endpoint} answered {status}" + (f": {message}" if message else "")
    if no_call_until is not None:
        problem += f"; with Retry-After it refuses every call until {no_call_until}"
    if status == 429:
        return SourceRateLimited(SOURCE, problem, status=status, code=code or "too_many_requests")
    if status >= 500 or status == 408:
        return SourceUnavailable(SOURCE, problem, status=status, code=code)
    return SourceRefused(SOURCE, problem, status=status, code=code)


def _clock_problem(ahead_seconds: float | None) -> str:
    """The exchange accepts signatures of the last ten seconds or so, so ours is judged by the clock."""
    if ahead_seconds is None:
        return "this machine's clock differs from the exchange's"
    way = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is about {abs(ahead_seconds):.0f} s {way} the exchange's; set it right"


def _code_and_message(body: bytes) -> tuple[str | None, str]:
    """The code, and code, message and details as one line."""
    # Four forms: {"error": {code, message, details?}}, {code, message, details}, {"msg": "…"}, {"error": "…"}.
    try:
        outer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(outer, dict):
        return None, ""
    inner = outer.get("error", outer)
    if isinstance(inner, str):
        return None, inner[:300]
    if not isinstance(inner, dict):
        return None, ""
    code = inner.get("code")
    texts = [inner.get(name) for name in ("code", "message", "details", "msg")]
    # The exchange often repeats the code as the message: each text once.
    message = ": ".join(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
    return (code if isinstance(code, str) else None), message[:300]
