"""How several answers of one model become one forecast."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.forecasts import HIGHEST, LOWEST, Forecast, Track, forecast_from, payload
from coliseum.arena.replicates import MOST_REPLICATES, combined, least_answers, spread

D = Decimal
probabilities = st.decimals(LOWEST, HIGHEST, places=4)


def answer(p: str | None, *, low: str | None = None, high: str | None = None) -> Forecast:
    return Forecast(
        probability=None if p is None else D(p),
        low=None if low is None else D(low),
        high=None if high is None else D(high),
        rationale=f"says {p}",
    )


def test_one_answer_is_the_forecast() -> None:
    only = answer("0.37")
    assert combined([only]) is only


@pytest.mark.parametrize(
    ("answers", "p", "replicates"),
    [
        (["0.20", "0.40"], "0.3000", ["0.20", "0.40"]),
        (["0.10", "0.20", "0.40"], "0.2333", ["0.10", "0.20", "0.40"]),
        (["0.10", None, "0.40"], "0.2500", ["0.10", "0.40"]),
        (["0.10", None], "0.1000", ["0.10"]),  # half of them abstain: the others count
        (["0.10", None, None], None, None),
        ([None, None], None, None),
    ],
)
def test_it_is_the_mean_of_those_that_give_a_probability(
    answers: list[str | None], p: str | None, replicates: list[str] | None
) -> None:
    forecast = combined([answer(each) for each in answers])
    assert forecast.probability == (None if p is None else D(p))
    assert forecast.replicates == (None if replicates is None else tuple(map(D, replicates)))


def test_the_reasons_are_those_of_the_answer_next_to_the_mean() -> None:
    assert combined([answer("0.10"), answer("0.50"), answer("0.60")]).rationale == "says 0.50"


def test_an_interval_is_a_mean_only_where_every_answer_has_one() -> None:
    both = combined([answer("0.2", low="0.1", high="0.4"), answer("0.4", low="0.2", high="0.5")])
    assert (both.low, both.high) == (D("0.1500"), D("0.4500"))
    assert combined([answer("0.2", low="0.1", high="0.4"), answer("0.4")]).low is None


@given(st.lists(probabilities, min_size=2, max_size=MOST_REPLICATES))
def test_the_mean_lies_between_the_answers_and_is_sealed_with_them(answers: list[Decimal]) -> None:
    forecast = combined([Forecast(probability=each) for each in answers])
    assert forecast.probability is not None
    assert min(answers) - D("0.0001") <= forecast.probability <= max(answers) + D("0.0001")
    sealed = payload(
        round_id="r",
        ticker="T",
        agent_id="a",
        track=Track.BLIND,
        context_hash="c",
        forecast=forecast,
        made_at="2026-12-01T00:00:00Z",
        nonce="0" * 32,
    )
    assert forecast_from(sealed).replicates == tuple(answers)


@given(st.lists(st.none() | probabilities, min_size=1, max_size=MOST_REPLICATES))
def test_whatever_is_answered_is_one_forecast(answers: list[Decimal | None]) -> None:
    forecast = combined([Forecast(probability=each) for each in answers])
    assert forecast.abstain == (answers.count(None) * 2 > len(answers))


def test_a_payload_without_replicates_is_as_it_always_was() -> None:
    sealed = payload(
        round_id="r",
        ticker="T",
        agent_id="a",
        track=Track.BLIND,
        context_hash="c",
        forecast=answer("0.5"),
        made_at="2026-12-01T00:00:00Z",
        nonce="0" * 32,
    )
    assert "replicates" not in sealed


@pytest.mark.parametrize(("replicates", "least"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_more_than_half_have_to_answer(replicates: int, least: int) -> None:
    assert least_answers(replicates) == least


def test_the_spread_is_the_unbiased_variance_and_needs_two() -> None:
    assert spread([0.2, 0.4]) == pytest.approx(0.02)
    assert spread([0.3]) is spread([]) is None
