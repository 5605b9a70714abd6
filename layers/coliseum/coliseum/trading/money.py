"""Money and quantities: Decimal inside, strings at the edges. Dollars, prices in dollars per contract, contracts."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from coliseum.errors import InvalidInput

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
_MAX_TEXT = 64
_MAX_WHOLE_DIGITS, _MAX_DECIMALS = 15, 30
"""Beyond these a number is an attack on the memory of whoever writes it out, not money: 1e999999."""


def decimal_from(value: object, *, field: str) -> Decimal:
    """An exact Decimal from a string, an int or a JSON number.

    A float is read by its shortest decimal form (0.65 is 0.65). NaN, infinities, booleans, numbers of more
    than 15 whole digits or 30 decimals, and everything else raise InvalidInput that names `field`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InvalidInput(field, value, "a decimal number")
    if isinstance(value, int) and abs(value) >= 10**_MAX_WHOLE_DIGITS:
        raise InvalidInput(field, "a huge integer", f"at most {_MAX_WHOLE_DIGITS} digits")
    text = str(value).strip()
    try:
        number = Decimal(text if len(text) <= _MAX_TEXT else "")
    except InvalidOperation:
        raise InvalidInput(field, value, "a decimal number") from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InvalidInput(field, value, "a finite decimal number")
    if exponent < -_MAX_DECIMALS or exponent > _MAX_WHOLE_DIGITS or number.adjusted() >= _MAX_WHOLE_DIGITS:
        raise InvalidInput(field, value, f"at most {_MAX_WHOLE_DIGITS} whole digits and {_MAX_DECIMALS} decimals")
    return number


def price_from(value: object, *, field: str = "price") -> Decimal:
    """A contract price in dollars, 0 to 1 inclusive: 0.65, not 65."""
    price = decimal_from(value, field=field)
    if not ZERO <= price <= ONE:
        raise InvalidInput(field, value, "dollars per contract between 0 and 1 (0.65, not 65)")
    return price


def count_from(value: object, *, field: str = "quantity") -> Decimal:
    """A number of contracts above 0; fractions down to 0.01 exist on the exchange."""
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
