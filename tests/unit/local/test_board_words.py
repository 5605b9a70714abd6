from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena import readings
from coliseum.arena.leaderboard import standing_body
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.report import ScoreRules
from coliseum_local.board_words import gap_lines, print_words, unanswered_lines
from coliseum_local.score import score_table

FEW = "7 clusters, and an interval needs 10"
SCORES: dict[str, Any] = {
    "answered": 7, "offered": 7, "skill_interval": None, "skill_sequence": [-0.1, 0.1], "skill_detectable": 0.1,
    "log10_evidence": 0.1,
}  # fmt: skip
EXPLANATION = {
    "interval": f"No interval: {FEW}.",
    "sequence": "At every look the skill lies in -0.1000 .. +0.1000 (noise) (95 %).",
    "evidence": "E = 1.26 is below 20, so it is no evidence against the price.",
    "detectable": f"A true skill.  {readings.NO_DATE}at this pace, it needs over 10 years.",
    "tier": f"No tier: {FEW}.",
}


def standing(agent: str, explanation: Mapping[str, str] = EXPLANATION, **scores: Any) -> dict[str, Any]:
    return {"agent": agent, "best_probability": None, "explanation": explanation, "scores": {**SCORES, **scores}}


def test_a_reason_is_said_once_with_all_that_lacks_and_its_agents() -> None:
    assert gap_lines([standing("ana"), standing("ben")]) == [
        f"No interval, no tier: {FEW} (ana, ben)",
        "No date: at this pace, it needs over 10 years (ana, ben)",
    ]


def test_agents_that_lack_different_things_have_lines_of_their_own() -> None:
    one = standing("ana", {"interval": f"No interval: {FEW}."})
    other = standing("ben", {"interval": f"No interval: {FEW}.", "tier": f"No tier: {FEW}."})
    assert gap_lines([one, other]) == [f"No interval: {FEW} (ana)", f"No interval, no tier: {FEW} (ben)"]


@pytest.mark.parametrize(("name", "number"), [("interval", "skill_interval"), ("sequence", "skill_sequence")])
def test_a_sentence_about_a_number_that_is_there_is_no_gap(name: str, number: str) -> None:
    text = {name: "The skill lies in +0.1000 .. +0.2000 (95 %). It is valid for one look only."}
    assert gap_lines([standing("ana", text, **{number: [0.1, 0.2]})]) == []


def test_unanswered_questions_are_counted_in_one_line() -> None:
    lazy = {"coverage": "It answered 3 of 7 questions."}
    rows = [standing("ana", lazy, answered=3), standing("ben"), standing("eve", lazy, answered=1)]
    assert unanswered_lines(rows) == ["Answered fewer questions than asked: ana (3 of 7), eve (1 of 7)"]
    assert unanswered_lines([standing("ben")]) == []
    assert gap_lines(rows[:1]) == []


def test_every_fact_of_every_explanation_is_under_the_table() -> None:
    due = {event: 1_800_000_000.0 + 86_400 * place for place, event in enumerate(f"e{n}" for n in range(60))}
    cells = [replace(cell, due_at=due[cell.event]) for cell in random_cells(3)]
    report, board = score_table(table_from_cells(cells), draws=50, rules=ScoreRules())
    out = io.StringIO()
    print_words(Console(file=out, width=400), report, board)
    text = out.getvalue()

    for row in board.standings:
        told = standing_body(row, report)["explanation"]
        assert readings.interval_text(row.scores["skill_sequence"]) in text
        for name, sentence in told.items():
            reason = sentence.removesuffix(".").partition(": ")[2]
            if sentence.startswith("No"):
                assert reason in text, name
    assert text.count("It does not say that the agent is better.") == 1
