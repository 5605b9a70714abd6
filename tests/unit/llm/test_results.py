from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.llm.options import OutputMode, Prices
from coliseum.llm.results import AgentResult, Bill, CostSource, RunRecord, Turn, total_bill, usable_cost, usable_tokens

D = Decimal
BILLED = Turn(100, 10, D("0.002"), D("0.003"))
ESTIMATED = Turn(100, 10, None, D("0.003"))
UNKNOWN = Turn(100, 10, None, None)


@pytest.mark.parametrize(
    ("turns", "bill"),
    [
        ([], Bill(None, None)),
        ([BILLED], Bill(D("0.002"), CostSource.BILLED)),
        ([ESTIMATED], Bill(D("0.003"), CostSource.ESTIMATED)),
        ([BILLED, ESTIMATED], Bill(D("0.005"), CostSource.ESTIMATED)),
        ([UNKNOWN], Bill(None, None)),
        ([BILLED, UNKNOWN], Bill(D("0.002"), CostSource.BILLED)),
        ([Turn(0, 0, D(0), None)], Bill(D(0), CostSource.BILLED)),
        ([Turn(0, 0, None, D(0))], Bill(None, None)),
    ],
)
def test_a_bill_is_as_certain_as_its_worst_part(turns: list[Turn], bill: Bill) -> None:
    assert total_bill(turns) == bill


def test_prices_are_per_million_tokens() -> None:
    assert Prices(D("0.10"), D("0.50")).of(6_000, 2_500) == D("0.00185")


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_price_grows_with_every_token(tokens_in: int, tokens_out: int) -> None:
    prices = Prices(D("1.4"), D("4.4"))
    assert prices.of(tokens_in + 1, tokens_out) > prices.of(tokens_in, tokens_out)
    assert prices.of(tokens_in, tokens_out + 1) > prices.of(tokens_in, tokens_out)


def test_a_result_has_data_as_the_older_name_of_output_and_its_bill() -> None:
    record = RunRecord(
        model_requested="a/b",
        model_served="a/b-0901",
        host="Fake",
        generation_id="gen-1",
        output_mode=OutputMode.AUTO,
        requests=1,
        input_tokens=1,
        output_tokens=2,
        bill=Bill(D("0.1"), CostSource.BILLED),
        raw_reply="x",
        messages=b"[]",
    )
    result = AgentResult("an answer", record)
    assert result.data == result.output == "an answer"
    assert (result.cost_usd, result.cost_source) == (D("0.1"), CostSource.BILLED)
    assert (result.model_served, result.host, result.messages) == ("a/b-0901", "Fake", b"[]")


@pytest.mark.parametrize(
    ("cost", "is_byok", "upstream", "expected"),
    [
        (0.002, False, None, D("0.002")),
        (0, False, None, D(0)),
        (0.0001, True, 0.04, D("0.0401")),
        (0.0001, True, None, None),
        (0.0001, False, 0.04, D("0.0001")),
        (None, False, 0.04, None),
        (float("nan"), False, None, None),
        (float("inf"), False, None, None),
        (-5, False, None, None),
        (0.0001, True, -1, None),
        (True, False, None, None),
        ("0.1", False, None, None),
        (1e300, False, None, None),
        (1001, False, None, None),
        (999, False, None, D(999)),
    ],
)
def test_a_cost_that_cannot_be_true_is_unknown(
    cost: object, is_byok: bool, upstream: object, expected: D | None
) -> None:
    assert usable_cost(cost, is_byok=is_byok, upstream=upstream) == expected


@pytest.mark.parametrize(("count", "usable"), [(0, 0), (1200, 1200), (-1, None), (10**12, None), (None, None)])
def test_a_number_of_tokens_that_cannot_be_true_is_unknown(count: object, usable: int | None) -> None:
    assert usable_tokens(count) == usable
