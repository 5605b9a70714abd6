"""The rows that the API shows of a stored report."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.api.leaderboards import rows
from coliseum.arena.api.leaderboards.routes import SORTABLE
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.report import score
from coliseum.errors import InvalidInput


def standing(agent: str, rank: int | None) -> dict[str, Any]:
    return {
        "agent": agent, "rank": rank, "tier": rank, "listed": rank is not None, "missing": [], "separated": None,
    }  # fmt: skip


SCORES: dict[str, dict[str, Any]] = {
    "a": {"skill": 0.03, "brier": 0.20, "bias": -0.30, "ece": 0.1, "bins": [], "graded": 9},
    "b": {"skill": 0.02, "brier": 0.10, "bias": 0.05, "ece": None, "bins": [], "graded": 9},
    "c": {"skill": None, "brier": None, "bias": None, "ece": 0.2, "bins": [], "graded": 0},
}
REPORT: dict[str, Any] = {
    "season": "2026Q4",
    "track": "blind",
    "as_of": "2026-11-21T08:00:00+00:00",
    "known_at": "2026-11-21T08:00:00+00:00",
    "digest": "d" * 64,
    "input_hash": "e" * 64,
    "engine_version": "1",
    "rules_version": "1",
    "report": {
        "exchange": "sandbox",
        "rounds": 3,
        "standings": [standing("a", 1), standing("b", 2), standing("c", None)],
        "pairs": [
            {
                "first": "a", "second": "b", "difference": 0.01, "interval": None, "superiority": 0.7, "events": 9,
                "events_needed": 41,
            },
        ],
        "report": {"slices": {"horizon:1-2d": {"b": SCORES["b"]}, "all": SCORES}},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "order"), [("skill", "abc"), ("brier", "bac"), ("bias", "bac"), ("ece", "acb"), ("graded", "abc")]
)
def test_sorting_by_another_metric_never_changes_a_rank(metric: str, order: str) -> None:
    result = rows.standings(REPORT, metric=metric, slice_name="all")
    assert "".join(line.agent_id for line in result) == order
    assert {line.agent_id: line.rank for line in result} == {"a": 1, "b": 2, "c": None}


def test_a_slice_shows_its_own_numbers_and_the_overall_rank() -> None:
    (line,) = rows.standings(REPORT, metric="brier", slice_name="horizon:1-2d")
    assert (line.agent_id, line.rank, line.value) == ("b", 2, 0.10)
    assert rows.slices(REPORT) == ["all", "horizon:1-2d"]


def test_every_metric_that_the_api_names_is_a_number_of_a_report() -> None:
    report = score(table_from_cells(random_cells(1, events=10)), seed=1, draws=0)
    numbers = report.scores()["ana"]
    named = set(re.findall(r"`(\w+)`", SORTABLE)) - {"scores"}

    assert (named | rows.LOWER_IS_BETTER | set(rows.CALIBRATION)) <= numbers.keys()


def test_an_unknown_metric_or_slice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="one of bias, brier, ece, graded, skill"):
        rows.standings(REPORT, metric="profit", slice_name="all")
    with pytest.raises(InvalidInput, match="one of all, horizon:1-2d"):
        rows.calibration(REPORT, slice_name="category:None", agent=None)


def test_an_empty_report_has_no_rows() -> None:
    empty = {**REPORT, "report": {**REPORT["report"], "standings": [], "report": {"slices": {}}}}
    assert rows.standings(empty, metric="skill", slice_name="all") == []
    assert rows.standing_of(REPORT, "nobody") is None


def test_pairs_are_those_with_the_agent() -> None:
    assert [pair.events_needed for pair in rows.pairs(REPORT, agent="b")] == [41]
    assert rows.pairs(REPORT, agent="c") == []


def test_a_report_of_before_there_were_words_is_read_from_its_numbers() -> None:
    first = rows.standings(REPORT, metric="skill", slice_name="all")[0]
    assert (first.verdict, first.reading[:8], first.role, first.noise) == ("unknown", "not told", None, None)
    last = rows.standings(REPORT, metric="skill", slice_name="all")[2]
    assert last.explanation["rank"] == "No skill: it has answered no question."


def test_words_are_shown_as_they_were_published() -> None:
    told = {"verdict": "worse", "reading": "worse than the market", "explanation": {"rank": "as it was"}}
    published = [{**line, **told} if line["agent"] == "a" else line for line in REPORT["report"]["standings"]]
    report = {**REPORT, "report": {**REPORT["report"], "standings": published}}
    first = rows.standings(report, metric="skill", slice_name="all")[0]
    assert (first.verdict, first.reading, first.explanation) == (
        "worse",
        "worse than the market",
        {"rank": "as it was"},
    )


def test_the_words_are_those_of_the_whole_board_in_every_slice() -> None:
    whole = {**SCORES, "b": {**SCORES["b"], "skill_sequence": [0.01, 0.02]}}
    report = {**REPORT, "report": {**REPORT["report"], "report": {"slices": {"all": whole, "horizon:1-2d": {"b": {}}}}}}
    (line,) = rows.standings(report, metric="skill", slice_name="horizon:1-2d")
    assert line.reading == "better than the market"


def test_a_consensus_without_answers_says_that_its_panel_was_too_small() -> None:
    scores = {"a": {**SCORES["a"], "offered": 40, "answered": 0}}
    body = {
        **REPORT["report"],
        "operations": {"a": {"failure_rates": {"abstained": 1.0}}},
        "report": {"slices": {"all": scores}, "rules": {"pools": ["a"]}},
    }
    (line,) = rows.standings({**REPORT, "report": body}, metric="skill", slice_name="all")
    reasons = "fewer than two contestants of its panel had answered (100%)"
    assert line.explanation["coverage"] == f"It answered 0 of 40 questions: {reasons}."
