"""An upper bound of a request's cost, known before it is sent. Pure.

The bound assumes three characters per token, where four are usual, and the longest allowed reply. A second request of
the same run is reserved when it is needed.
"""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from coliseum.llm.options import Prices

CHARACTERS_PER_TOKEN = 3
SHAPE_CHARACTERS = 4_500
"""The reply's schema and its wrapping, which are part of every request."""
ROUND_CHARACTERS = 9_000
"""The prompt length that a round reserves before prompts exist; a longer one reserves the rest when it is sent."""
MICRODOLLAR = Decimal("0.000001")


def request_bound(prices: Prices, *, characters: int, max_tokens: int) -> Decimal:
    """The most that one request may cost, in dollars, for a prompt of `characters` and a reply of `max_tokens`."""
    tokens = -(-(characters + SHAPE_CHARACTERS) // CHARACTERS_PER_TOKEN)
    return prices.of(tokens, max_tokens).quantize(MICRODOLLAR, ROUND_UP)
