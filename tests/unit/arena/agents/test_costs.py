from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.agents.costs import ROUND_CHARACTERS, request_bound
from coliseum.llm.options import Prices

PRICES = st.builds(Prices, st.decimals("0.01", "100", places=2), st.decimals("0.01", "100", places=2))


def test_a_request_costs_its_prompt_its_shape_and_the_longest_reply() -> None:
    prices = Prices(Decimal("0.10"), Decimal("0.50"))
    assert request_bound(prices, characters=ROUND_CHARACTERS, max_tokens=3000) == Decimal("0.00195")


@given(
    PRICES, st.text(alphabet=st.characters(codec="utf-8"), max_size=4000), st.integers(1, 4000), st.integers(0, 4000)
)
def test_the_bound_holds_for_any_reply_that_fits(prices: Prices, text: str, limit: int, answered: int) -> None:
    """Tokenizers make a token of three characters or more, as long as it is plain text."""
    bound = request_bound(prices, characters=len(text), max_tokens=limit)
    assert prices.of(len(text) // 3, min(answered, limit)) <= bound


@given(PRICES, st.integers(0, 50_000), st.integers(1, 4000))
def test_a_longer_prompt_never_costs_less(prices: Prices, characters: int, limit: int) -> None:
    shorter = request_bound(prices, characters=characters, max_tokens=limit)
    assert shorter <= request_bound(prices, characters=characters + 100, max_tokens=limit)
