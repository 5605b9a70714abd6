# ruff: noqa: E501 - a table is read best with one case on a line
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.readings import Verdict, explanation, interval_text, is_noise, reading, words

SCORES: dict[str, Any] = {
    "offered": 60, "answered": 60, "graded": 60, "paired": 60, "skill": 0.01, "skill_events": 60,
    "skill_interval": [-0.01, 0.03], "skill_sequence": [-0.03, 0.05], "skill_sequence_clusters": 60,
    "skill_detectable": 0.0321, "skill_detectable_from": "2027-03-05T00:00:00Z", "log10_evidence": 0.5,
}  # fmt: skip
RANKED: dict[str, Any] = {
    "rank": 1, "tier": 1, "rank_interval": [1, 2], "best_probability": 0.7, "listed": True, "missing": [],
    "role": "competitor", "role_reason": None, "tier_reason": None,
}  # fmt: skip
UNRANKED: dict[str, Any] = {**RANKED, "rank": None, "tier": None, "rank_interval": None, "best_probability": None}


@pytest.mark.parametrize(
    ("sequence", "role", "verdict", "text"),
    [
        ([0.001, 0.05], "competitor", "better", "better than the market"),
        ([-0.05, -0.001], "competitor", "worse", "worse than the market"),
        ([-0.05, -0.001], "reference", "worse", "worse than the market"),
        ([-0.05, 0.05], "competitor", "undecided", "not shown to be better or worse than the market yet"),
        ([0.0, 0.05], "competitor", "undecided", "not shown to be better or worse than the market yet"),
        ([-0.05, 0.0], None, "undecided", "not shown to be better or worse than the market yet"),
        (None, "competitor", "unknown", "too little is known to compare it with the market"),
        ([0.001, 0.05], "copy", "unknown", "repeats the market's price"),
    ],
)
def test_the_reading_follows_from_the_confidence_sequence(
    sequence: list[float] | None, role: str | None, verdict: str, text: str
) -> None:
    told = reading({**SCORES, "skill_sequence": sequence}, role=role)
    assert (told.verdict, told.text) == (verdict, text)


def test_a_report_without_confidence_sequences_has_no_verdict_whatever_it_called_separated() -> None:
    old = {name: value for name, value in SCORES.items() if "sequence" not in name and "detectable" not in name}
    told = words({**RANKED, "separated": "above"}, {**old, "skill_interval": [0.01, 0.02], "log10_evidence": 9.0})
    assert (told["verdict"], told["reading"][:8]) == ("unknown", "not told")
    assert set(told["explanation"]) == {"interval", "evidence"}


finite = st.floats(-1, 1)


@given(
    interval=st.none() | st.tuples(finite, finite).map(sorted),
    sequence=st.none() | st.tuples(finite, finite).map(sorted),
    evidence=st.none() | st.floats(-300, 300),
    separated=st.sampled_from([None, "above", "below"]),
    skill=st.none() | finite,
)
def test_only_a_sequence_above_0_makes_an_agent_better(
    interval: list[float] | None,
    sequence: list[float] | None,
    evidence: float | None,
    separated: str | None,
    skill: float | None,
) -> None:
    scores = {**SCORES, "skill": skill, "skill_interval": interval, "skill_sequence": sequence,
              "log10_evidence": evidence}  # fmt: skip
    told = words({**RANKED, "separated": separated}, scores)
    is_above = sequence is not None and sequence[0] > 0
    assert (told["verdict"] == Verdict.BETTER) == is_above
    assert ("better than the market" in told["reading"]) == is_above


@pytest.mark.parametrize(
    ("interval", "noise", "text"),
    [
        ([-0.01, 0.02], True, "-0.0100 .. +0.0200 (noise)"),
        ([0.0, 0.02], True, "+0.0000 .. +0.0200 (noise)"),
        ([-0.02, 0.0], True, "-0.0200 .. +0.0000 (noise)"),
        ([0.01, 0.02], False, "+0.0100 .. +0.0200"),
        ([-0.02, -0.01], False, "-0.0200 .. -0.0100"),
        (None, None, ""),
    ],
)
def test_an_interval_that_holds_0_is_noise(interval: list[float] | None, noise: bool | None, text: str) -> None:
    assert (is_noise(interval), interval_text(interval)) == (noise, text)


@pytest.mark.parametrize(
    ("standing", "scores", "name", "text"),
    [
        (RANKED, {}, "rank", None),
        (RANKED, {}, "interval", "The skill lies in -0.0100 .. +0.0300 (noise) (95 %). It contains 0, so the skill may be luck."),
        (RANKED, {"skill_interval": [0.01, 0.03]}, "interval", "The skill lies in +0.0100 .. +0.0300 (95 %). It is valid for one look only."),
        (RANKED, {"skill_interval": None, "skill_interval_reason": "30 clusters, but the prices expect 1.5 YES"}, "interval", "No interval: 30 clusters, but the prices expect 1.5 YES."),
        (RANKED, {"skill_interval": None}, "interval", "No interval: 60 events are too few."),
        (UNRANKED, {"skill": None, "skill_interval": None, "answered": 0, "offered": 9}, "interval", "No skill: it has answered no question."),
        (UNRANKED, {"skill": None, "skill_interval": None, "graded": 0}, "interval", "No skill: no question that it answered has a result yet."),
        (UNRANKED, {"skill": None, "skill_interval": None}, "rank", "No skill: no question that it answered and that has a result had a price."),
        (RANKED, {}, "sequence", "At every look the skill lies in -0.0300 .. +0.0500 (noise) (95 %), from 60 clusters of events. The verdict comes from it."),
        (RANKED, {"skill_sequence": None, "skill_sequence_reason": "no cluster is due yet"}, "sequence", "No verdict: no cluster is due yet."),
        (RANKED, {}, "detectable", "An agent with a true skill of about 0.032 would be better by now in about half of all seasons. A skill as large as its present mean would be shown by 2027-03-05 in about 80 % of seasons."),
        (RANKED, {"skill_detectable_from": None}, "detectable", "An agent with a true skill of about 0.032 would be better by now in about half of all seasons."),
        (RANKED, {"skill_detectable_from": 1_800_000_000.0}, "detectable", "An agent with a true skill of about 0.032 would be better by now in about half of all seasons. A skill as large as its present mean would be shown by 2027-01-15 in about 80 % of seasons."),
        (RANKED, {"skill_detectable_from": None, "skill_detectable_reason": "it stands out already"}, "detectable", "An agent with a true skill of about 0.032 would be better by now in about half of all seasons. No date: it stands out already."),
        (RANKED, {"skill_detectable": None, "skill_detectable_reason": "9 of 10 clusters"}, "detectable", "No outlook: 9 of 10 clusters."),
        (RANKED, {"skill_detectable": None, "skill_detectable_reason": "void", "skill_sequence_reason": "void"}, "detectable", None),
        (RANKED, {"skill_detectable": None}, "detectable", None),
        (RANKED, {}, "evidence", "E = 3.16 is below 20, so it is no evidence against the price."),
        (RANKED, {"log10_evidence": 24.66}, "evidence", "E = 10^24.7: evidence that the price is not exactly right. It does not say that the agent is better."),
        (RANKED, {"log10_evidence_peak": 1.5}, "evidence", "E = 3.16, once 31.6: evidence that the price is not exactly right. It does not say that the agent is better."),
        (RANKED, {"log10_evidence": None}, "evidence", None),
        ({**UNRANKED, "role": "copy", "role_reason": "copies the price: none of its 60 forecasts at a price differ from it"}, {}, "rank", "Not ranked: copies the price: none of its 60 forecasts at a price differ from it."),
        ({**UNRANKED, "missing": ["12 of 30 events", "3.0 of 10 days"]}, {}, "rank", "Not ranked yet: 12 of 30 events, 3.0 of 10 days."),
        ({**RANKED, "tier": None, "tier_reason": "12 of 30 clusters"}, {}, "tier", "No tier: 12 of 30 clusters."),
        ({**RANKED, "rank_interval": None, "tier_reason": "12 of 30 clusters"}, {}, "rank_interval", "No interval of the rank: 12 of 30 clusters."),
        ({**RANKED, "best_probability": None, "tier": 2}, {}, "best_probability", "No share of first places: it is not in the first tier."),
        (UNRANKED, {}, "best_probability", None),
        (RANKED, {}, "coverage", None),
        (RANKED, {"answered": 48}, "coverage", "It answered 48 of 60 questions."),
    ],
)  # fmt: skip
def test_every_number_explains_itself_and_its_absence(
    standing: dict[str, Any], scores: dict[str, Any], name: str, text: str | None
) -> None:
    assert explanation(standing, {**SCORES, **scores}).get(name) == text


@pytest.mark.parametrize(
    ("rates", "is_pool", "reasons"),
    [
        ({"abstained": 1.0}, True, "fewer than two contestants of its panel had answered (100%)"),
        (None, True, "fewer than two contestants of its panel had answered"),
        ({"timeout": 0.1, "abstained": 0.4}, False, "it gave no probability (40%), its answer took too long (10%)"),
        ({"unheard_of": 0.5}, False, "unheard_of (50%)"),
    ],
)
def test_missing_answers_are_explained_by_the_figures_of_the_work(
    rates: dict[str, float] | None, is_pool: bool, reasons: str
) -> None:
    operations = None if rates is None else {"failure_rates": rates}
    told = explanation(RANKED, {**SCORES, "answered": 0}, operations=operations, is_pool=is_pool)
    assert told["coverage"] == f"It answered 0 of 60 questions: {reasons}."
