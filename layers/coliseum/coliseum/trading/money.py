"""Money and quantities: Decimal inside, strings at the edges.

Money is in dollars, a price in dollars per contract, a quantity in contracts.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from coliseum.errors import InvalidInput

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
_MAX_TEXT = 64
_MAX_WHOLE_DIGITS, _MAX_DECIMALS = 15, 30
"""Larger numbers are refused: 1e999999 is eight characters here and a megabyte once it is written out."""


def decimal_from(value: object, *, field: str) -> Decimal:
    """An exact Decimal from a string, an int or a JSON number; `field` is the name for the error.

    A float is read by its shortest decimal form, so that 0.65 is 0.65 and not 0.65000000000000002. Raises InvalidInput
    for NaN, infinities, booleans, other types, numbers of more than 15 whole digits or 30 decimals, and texts with `_`
    or digits beyond ASCII, which Decimal alone would read.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InvalidInput(field, value, "a decimal number")
    if isinstance(value, int) and abs(value) >= 10**_MAX_WHOLE_DIGITS:
        raise InvalidInput(field, "a huge integer", f"at most {_MAX_WHOLE_DIGITS} digits")
    text = str(value).strip()
    plain = len(text) <= _MAX_TEXT and text.isascii() and "_" not in text
    try:
        number = Decimal(text if plain else "")
    except InvalidOperation:
        raise InvalidInput(field, value, "a decimal number") from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InvalidInput(field, value, "a finite decimal number")
    if exponent < -_MAX_DECIMALS or exponent > _MAX_WHOLE_DIGITS or number.adjusted() >= _MAX_WHOLE_DIGITS:
        raise InvalidInput(field, value, f"at most {_MAX_WHOLE_DIGITS} whole digits and {_MAX_DECIMALS} decimals")
    return number


def price_from(value: object, *, field: str = "price") -> Decimal:
    """A contract price in dollars, 0 to 1 inclusive: 0.65, not 65. Raises InvalidInput that names `field`."""
    price = decimal_from(value, field=field)
    if not ZERO <= price <= ONE:
        raise InvalidInput(field, value, "dollars per contract between 0 and 1 (0.65, not 65)")
    return price


def count_from(value: object, *, field: str = "quantity") -> Decimal:
    """A number of contracts above 0; the exchange trades fractions down to 0.01. Raises InvalidInput."""
    count = decimal_from(value, field=field)
    if count <= ZERO:
        raise InvalidInput(field, value, "a number of contracts above 0")
    return count


def decimal_text(value: Decimal, *, places: int = 2) -> str:
    """Plain decimal notation with at least `places` digits after the point and no exponent.

    Digits that carry value are never rounded away: 0.5 -> "0.50", 0.0175 -> "0.0175".
    """
    normal = value.normalize()
    exponent = normal.as_tuple().exponent
    digits = max(places, -exponent if isinstance(exponent, int) else places)
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not value else text


def optional_decimal(text: str | None) -> Decimal | None:
    """The number in `text`; None stays None. For texts that were checked before: raises ArithmeticError otherwise."""
    return None if text is None else Decimal(text)


def optional_text(value: Decimal | None, *, places: int = 2) -> str | None:
    """`decimal_text` of a number that may be unknown; None stays None."""
    return None if value is None else decimal_text(value, places=places)
