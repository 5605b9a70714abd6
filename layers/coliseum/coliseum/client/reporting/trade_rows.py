"""One trade of the bot as the JSON of GET /trades, and what is wrong with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_TICKER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_TIME = "unix seconds of the years 2000 to 2100 (1698676800.123, not milliseconds), or a time with its offset"


def trade_row(**fields: Any) -> tuple[dict[str, Any], list[str]]:
    """The JSON of a trade, and a sentence for each optional field that cannot be read and is left out.

    Raises ValueError for a required field: it says what came and what would be right.
    """
    row = {
        "trade_id": _identifier("trade_id", fields["trade_id"]),
        "ticker": _ticker(fields["ticker"]),
        "side": _word("side", fields["side"], ("BUY", "SELL")),
        "quantity": _number("quantity", fields["quantity"], "contracts, above 0", lambda value: value > 0),
        "price": _number(
            "price",
            fields["price"],
            "dollars per contract between 0 and 1 (0.65, not 65)",
            lambda value: 0 <= value <= 1,
        ),
        "timestamp": _seconds(fields["timestamp"]),
    }
    readers: dict[str, Callable[[Any], Any]] = {
        "outcome": lambda value: _word("outcome", value, ("yes", "no")),
        "fee": lambda value: _number("fee", value, "dollars for the whole trade", lambda _: True),
        "order_id": lambda value: _identifier("order_id", value),
        "strategy": lambda value: _text("strategy", value, 100),
    }
    problems = []
    for name, read in readers.items():
        if fields[name] is not None:
            try:
                row[name] = read(fields[name])
            except ValueError as error:
                problems.append(f"{error}; it is left out")
    return row, problems


def mode_from(value: Any) -> str:
    """The mode of a status. Raises ValueError for anything but paper or live."""
    return _word("mode", value, ("paper", "live"))


def _wrong(name: str, value: Any, expected: str) -> ValueError:
    shown = "nothing" if value is None else repr(value)[:80]
    return ValueError(f"{name}: got {shown}, expected {expected}")


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most or not value.isprintable():
        raise _wrong(name, value, f"text of 1 to {most} printable characters")
    return value


def _identifier(name: str, value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18
    return str(value) if whole or isinstance(value, uuid.UUID) else _text(name, value, 200)


def _ticker(value: Any) -> str:
    if not isinstance(value, str) or not set(value) <= _TICKER or not value.strip(".") or len(value) > 100:
        raise _wrong("ticker", value, "the exchange's ticker: up to 100 letters, digits, dots, hyphens, underscores")
    return value


def _word(name: str, value: Any, words: tuple[str, str]) -> str:
    text = getattr(value, "value", value)  # also a member of an enum
    for word in words:
        if isinstance(text, str) and text.lower() == word.lower():
            return word
    raise _wrong(name, value, " or ".join(words))


def _number(name: str, value: Any, expected: str, is_right: Callable[[Decimal], bool]) -> Any:
    """A JSON number stays one; any other number becomes decimal text, which keeps every digit."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise _wrong(name, value, expected) from None
    exponent = exact.as_tuple().exponent
    if isinstance(value, bool) or not isinstance(exponent, int) or exact.adjusted() >= 15 or not is_right(exact):
        raise _wrong(name, value, expected)
    if exponent < -30:
        raise _wrong(name, value, "at most 30 digits behind the point")
    return value if type(value) in (int, float) else format(exact, "f")


def _seconds(value: Any) -> float:
    seconds = value
    if isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                raise _wrong("timestamp", value, _TIME) from None
    if isinstance(seconds, datetime) and seconds.tzinfo is not None:
        seconds = seconds.timestamp()
    if isinstance(seconds, (bool, str, datetime)) or not hasattr(seconds, "__float__"):
        raise _wrong("timestamp", value, _TIME)
    if not 946_684_800 <= float(seconds) < 4_102_444_800:  # also false for NaN
        raise _wrong("timestamp", value, _TIME)
    return float(seconds)
