from __future__ import annotations

import math
from statistics import variance

import pytest

from coliseum.arena.scoring.report import score
from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.parse import ParsedForecasts, forecasts_from

HEADER = "agent,market,p,q,y,replicate\n"


def read(rows: str) -> ParsedForecasts:
    return forecasts_from(FileContent("f.csv", (HEADER + rows).encode()))


def problems_of(rows: str) -> list[str]:
    return [str(problem) for problem in read(rows).problems]


def test_the_mean_of_replicates_is_scored_and_their_noise_shown() -> None:
    result = read("a,m,0.4,0.5,1,1\na,n,0.9,0.5,0,1\na,m,0.7,0.5,1,2\na,m,,0.5,1,3\na,n,0.7,0.5,0,2\na,o,0.5,0.5,1,1\n")
    assert result.table is not None
    numbers = score(result.table, seed=1, draws=0).scores()["a"]

    assert result.table.p == pytest.approx([0.55, 0.8, 0.5])
    assert (numbers["graded"], numbers["replicated"]) == (3, 2)
    assert numbers["brier"] == pytest.approx((0.45**2 + 0.8**2 + 0.25) / 3)
    noise = (variance([0.4, 0.7]) + variance([0.9, 0.7])) / 2
    assert numbers["replicate_stdev"] == pytest.approx(math.sqrt(noise))


def test_a_question_that_no_replicate_answered_is_unanswered() -> None:
    result = read("a,m,,0.5,1,1\na,m,,0.5,1,2\n")

    assert result.table is not None
    assert result.table.answered.tolist() == [False]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (
            "a,m,0.4,0.5,1,1\na,m,0.5,0.5,1,1\n",
            "f.csv:3: a already answered m in window '1' as replicate '1' in line 2",
        ),
        ("a,m,0.4,0.5,1,1\na,m,0.5,0.6,1,2\n", "f.csv:3: y or q differs from line 2"),
        ("a,m,0.4,0.5,1,1\na,m,0.5,0.5,,2\n", "f.csv:3: y or q differs from line 2"),
    ],
)
def test_replicates_may_differ_only_in_label_and_answer(rows: str, wanted: str) -> None:
    (problem,) = problems_of(rows)

    assert problem.startswith(wanted)
