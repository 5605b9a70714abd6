"""Several answers of one model to one question, its replicates: how they become one forecast. Pure.

A model that is asked twice does not say the same. The spread of its replicates is its own noise: differences between
scores that are smaller mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from statistics import variance

from coliseum.arena.forecasts import Forecast, clamped

MOST_REPLICATES = 5


def least_answers(replicates: int) -> int:
    """How many of so many replicates have to answer so that they count: more than half."""
    return replicates // 2 + 1


def combined(answers: Sequence[Forecast]) -> Forecast:
    """The forecast of several answers; a single one is itself.

    Its probability is the mean of those that give one, as docs/scoring.md says of replicates in files. It abstains
    where more than half of the answers do. The interval and the stake are means where every answer has them. The
    reasons are those of the answer next to the mean.
    """
    if len(answers) == 1:
        return answers[0]
    given = [answer for answer in answers if answer.probability is not None]
    if len(answers) - len(given) >= least_answers(len(answers)):
        return next(answer for answer in answers if answer.abstain)
    probabilities = tuple(answer.probability for answer in given if answer.probability is not None)
    mean = clamped(_mean(probabilities))
    nearest = min(given, key=lambda answer: abs((answer.probability or mean) - mean))
    return Forecast(
        probability=mean,
        low=_mean_of_all([answer.low for answer in given]),
        high=_mean_of_all([answer.high for answer in given]),
        base_rate=_mean_of_all([answer.base_rate for answer in given]),
        rationale=nearest.rationale,
        stake=_mean_of_all([answer.stake for answer in given]),
        numbers=nearest.numbers,
        replicates=probabilities,
    )


def spread(probabilities: Sequence[float]) -> float | None:
    """The unbiased variance of replicates, in squared probability; None of fewer than two."""
    return variance(probabilities) if len(probabilities) > 1 else None


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _mean_of_all(values: Sequence[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return _mean(known).quantize(Decimal("0.0001")) if len(known) == len(values) else None
