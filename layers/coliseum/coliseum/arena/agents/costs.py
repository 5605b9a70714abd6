"""What asking may cost, before it is asked. Pure.

The bound is meant to hold: a token is taken for three characters, though it is nearer to four, and every reply for as
long as it may become. A second request of the same run is paid for when it comes.
"""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from coliseum.llm.options import Prices

CHARACTERS_PER_TOKEN = 3
SHAPE_CHARACTERS = 4_500
"""The answer's schema and its wrapping, which travel with every request."""
ROUND_CHARACTERS = 9_000
"""What a round reserves for a prompt that is not written yet; a longer one reserves the rest when it is sent."""
MICRODOLLAR = Decimal("0.000001")


def request_bound(prices: Prices, *, characters: int, max_tokens: int) -> Decimal:
    """Dollars that one request with a prompt of so many characters may cost at most."""
    tokens = -(-(characters + SHAPE_CHARACTERS) // CHARACTERS_PER_TOKEN)
    return prices.of(tokens, max_tokens).quantize(MICRODOLLAR, ROUND_UP)
