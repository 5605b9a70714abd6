"""The two long lists, markets and fills, read in half the time: from JSON to our words without pydantic between.

Only the ordinary case is read here. Whatever is missing or of another form raises one of `UNUSUAL`, and the answer is
then read by `wire` and `parse`, which know every quirk and say what is wrong where. A row read here gives the same
words as there, which tests show for recorded and for mutilated rows. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from coliseum.trading.drafts import drafts_of, freeze
from coliseum.trading.markets import Market
from coliseum.trading.money import ONE
from coliseum.trading.pages import Page
from coliseum.trading.trades import BookSide, Fill, Outcome

UNUSUAL = (LookupError, TypeError, ValueError, AttributeError)
Row = dict[str, Any]
Word = TypeVar("Word")

_PRICE = re.compile(r"0(?:\.[0-9]{1,12})?|1(?:\.0{1,12})?").fullmatch
_FIVE_COUNTS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?(?: [0-9]{1,15}(?:\.[0-9]{1,12})?){4}").fullmatch
_COUNT_AND_MONEY = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})? -?[0-9]{1,15}(?:\.[0-9]{1,12})?").fullmatch
_MARKS = {"--T::Z", "--T::."}
"""Every third character of 2026-11-20T10:00:00.25Z from the fifth on."""
_DIRECTIONS = {("bid", "yes"): (BookSide.BID, Outcome.YES), ("ask", "no"): (BookSide.ASK, Outcome.NO)}
_SOLD = {"buy": False, "sell": True, None: False}

_market_draft = drafts_of(Market)
_fill_draft = drafts_of(Fill)


def markets_page(body: Any) -> Page[Market]:
    return _page(body, "markets", _market)


def fills_page(body: Any) -> Page[Fill]:
    return _page(body, "fills", _fill)


def _page(body: Any, name: str, words: Callable[[Row], Word]) -> Page[Word]:
    rows, cursor = body[name], body.get("cursor")
    if rows.__class__ is not list or (cursor is not None and cursor.__class__ is not str):
        raise TypeError(name)
    return Page(tuple([words(row) for row in rows]), cursor or None)


def _market(row: Row) -> Market:
    get = row.get
    volume, recent, interest = row["volume_fp"], row["volume_24h_fp"], row["open_interest_fp"]
    bid_size, ask_size = row["yes_bid_size_fp"], row["yes_ask_size_fp"]
    if not _FIVE_COUNTS(" ".join((volume, recent, interest, bid_size, ask_size))):
        raise ValueError(volume)
    bidless, askless = not Decimal(bid_size), not Decimal(ask_size)
    yes_bid, yes_ask = _price(row["yes_bid_dollars"]), _price(row["yes_ask_dollars"])
    no_bid, no_ask = _price(row["no_bid_dollars"]), _price(row["no_ask_dollars"])
    previous, value = get("previous_price_dollars"), get("settlement_value_dollars")

    draft = _market_draft()
    draft.ticker = ticker = row["ticker"]
    draft.event_ticker = event_ticker = row["event_ticker"]
    draft.title = title = get("title", "")
    outcome, subtitle = get("yes_sub_title", ""), get("subtitle", "")
    draft.subtitle = outcome or subtitle
    draft.status = status = row["status"]
    draft.market_type = market_type = row["market_type"]
    draft.yes_bid = None if bidless and not yes_bid else yes_bid
    draft.yes_ask = None if askless and yes_ask == ONE else yes_ask
    draft.no_bid = None if askless and not no_bid else no_bid
    draft.no_ask = None if bidless and no_ask == ONE else no_ask
    draft.last_price = _price(row["last_price_dollars"]) or None
    draft.previous_price = None if previous is None else _price(previous) or None
    draft.volume, draft.volume_24h, draft.open_interest = Decimal(volume), Decimal(recent), Decimal(interest)
    draft.open_time, draft.close_time = _shared_time(row["open_time"]), _shared_time(row["close_time"])
    draft.expected_expiration_time = _maybe_time(get("expected_expiration_time"))
    draft.updated_time = _maybe_time(get("updated_time"))
    result = row["result"]
    draft.result = result or None
    draft.settlement_value = None if value is None else _price(value)
    draft.settled_at = _maybe_time(get("settlement_ts"))
    draft.rules_primary = primary = get("rules_primary", "")
    draft.rules_secondary = secondary = get("rules_secondary", "")
    draft.price_level_structure = structure = get("price_level_structure", "")
    draft.can_close_early = early = get("can_close_early")
    if early not in {True, False, None} or early.__class__ is int:
        raise TypeError("can_close_early")
    # Raises TypeError unless all of them are texts.
    "".join(
        (ticker, event_ticker, title, outcome, subtitle, status, market_type, result, primary, secondary, structure)
    )
    return freeze(draft, Market)


def _fill(row: Row) -> Fill:
    get = row.get
    count, fee = row["count_fp"], row["fee_cost"]
    if not _COUNT_AND_MONEY(" ".join((count, fee))):
        raise ValueError(count)
    draft = _fill_draft()
    draft.fill_id = fill_id = row["fill_id"]
    draft.order_id = order_id = row["order_id"]
    draft.ticker = ticker = row["ticker"]
    draft.book_side, draft.outcome = _DIRECTIONS[row["book_side"], row["outcome_side"]]
    draft.sold = _SOLD[get("action")]
    draft.count = Decimal(count)
    draft.yes_price, draft.no_price = _price(row["yes_price_dollars"]), _price(row["no_price_dollars"])
    draft.fee = Decimal(fee)
    draft.is_taker = taker = row["is_taker"]
    draft.timestamp = _time(row["created_time"]).timestamp()
    if taker.__class__ is not bool or get("ts", 0).__class__ is not int:
        raise TypeError("is_taker, ts")
    "".join((fill_id, order_id, ticker))  # raises TypeError unless all of them are texts
    return freeze(draft, Fill)


@lru_cache(maxsize=10_000)
def _price(text: str) -> Decimal:
    """Prices stand on ticks, so that the same few hundred texts come again and again."""
    if not _PRICE(text):
        raise ValueError(text)
    return Decimal(text)


def _time(text: str) -> datetime:
    if text[4:20:3] not in _MARKS or text[-1] != "Z" or text[-2] == ".":
        raise ValueError(text)
    return datetime.fromisoformat(text)


_shared_time = lru_cache(maxsize=1000)(_time)
"""Times that all markets of an event have in common."""


def _maybe_time(text: str | None) -> datetime | None:
    return _time(text) if text else None
