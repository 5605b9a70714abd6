from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation import claims as simulation

from coliseum.arena.claims import Claim, claim_from
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.claim_verdicts import ClaimLook, first_clusters, look_at_claim, reached_above
from coliseum.arena.scoring.confidence_sequence import cluster_skills, confidence_sequence

DAY = 86_400.0
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def season(events: int, *, lead: float = 0.2, seed: int = 1, agent: str = "a") -> list[Cell]:
    """One event a day, due and settled that day. The agent's p moves from q towards the truth by `lead`."""
    rng = random.Random(seed)
    cells: list[Cell] = []
    for place in range(events):
        q = round(rng.uniform(0.3, 0.7), 2)
        p = min(0.99, max(0.01, q + rng.choice([-1, 1]) * abs(lead)))
        truth = p if lead > 0 else 2 * q - p
        due_at = START + DAY * place
        y = int(rng.random() < min(1.0, max(0.0, truth)))
        cells.append(
            Cell(agent=agent, event=f"e{place:04}", market="m", window="1", p=p, q=q, y=y,
                 category="odd" if place % 2 else "even", horizon="1-2d", due_at=due_at, settled_at=due_at)
        )  # fmt: skip
    return cells


def follower(cells: list[Cell]) -> list[Cell]:
    """Another agent on the same questions, near the price."""
    return [replace(cell, agent="b", p=(cell.q or 0) + 0.01) for cell in cells]


def claim(direction: str = "above", *, rule: dict[str, Any] | None = None, **changes: Any) -> Claim:
    body = {"agent": "a", "direction": direction, "population": {}, "text": "x",
            "stopping": rule or {"rule": "every_look"}}  # fmt: skip
    return claim_from({**body, **changes})


def look(
    told: Claim, cells: list[Cell], *, first: int = 0, until: float = math.inf, left_out: frozenset[str] = frozenset()
) -> ClaimLook:
    """The look at a table in which the events from number `first` on count."""
    table = table_from_cells(cells)
    counted = np.array([int(event[1:]) >= first for event in table.events], dtype=np.bool_)
    return look_at_claim(told, table, counted_events=counted, left_out=left_out, until=until)


def answer(found: ClaimLook) -> tuple[str, bool]:
    return found.verdict.value, found.final


# -- every look


@pytest.mark.parametrize(
    ("direction", "lead", "verdict"),
    [
        ("above", 0.2, ("supported", True)),
        ("below", 0.2, ("refuted", True)),
        ("above", -0.2, ("refuted", True)),
        ("below", -0.2, ("supported", True)),
        ("above", 0.0, ("unresolved", False)),
    ],
)
def test_a_claim_at_every_look_is_decided_by_the_side_of_the_bounds(
    direction: str, lead: float, verdict: tuple[str, bool]
) -> None:
    assert answer(look(claim(direction), season(600, lead=lead))) == verdict


def test_it_is_decided_at_the_first_cluster_after_which_the_bounds_leave_the_threshold() -> None:
    cells = season(600)
    decided = look(claim(), cells)
    number = decided.numbers["clusters"]

    assert 30 < number < 600
    assert answer(look(claim(), cells[: number - 1])) == ("unresolved", False)
    assert look(claim(), cells[:number]).reason == decided.reason


def test_later_results_never_change_a_verdict() -> None:
    cells = season(600)
    turned = [replace(cell, y=None if cell.y is None else 1 - cell.y) for cell in season(2000)[600:]]
    assert answer(look(claim(), [*cells, *turned])) == answer(look(claim(), cells)) == ("supported", True)


@given(st.integers(20, 300), st.sampled_from([-0.15, 0.0, 0.05, 0.2]), st.floats(-0.2, 0.2))
def test_the_bounds_after_each_cluster_are_those_of_the_confidence_sequence(
    events: int, lead: float, threshold: float
) -> None:
    clusters = cluster_skills(table_from_cells(season(events, lead=lead, seed=events)))["a"]
    above = reached_above(clusters, threshold)
    for number in (1, events // 2, events):
        low = confidence_sequence(first_clusters(clusters, number)).low
        if abs(low - threshold) > 1e-9:
            assert bool(above[number - 1]) == (low > threshold)


def test_a_threshold_of_0_is_the_verdict_of_the_board() -> None:
    clusters = cluster_skills(table_from_cells(season(600)))["a"]
    assert (reached_above(clusters, 0.0) == confidence_sequence(clusters).above).all()


# -- what counts


def test_only_counted_events_count() -> None:
    cells = season(600)
    after = look(claim(), cells, first=400)
    assert after.numbers["questions"] == 200
    assert after.reason == look(claim(), cells[400:]).reason
    assert look(claim(), cells, first=600).reason == "no question that counts was answered by a at a price yet"


def test_events_before_the_registration_change_nothing() -> None:
    cells = season(300)
    other = [replace(cell, p=0.5, y=1) if int(cell.event[1:]) < 100 else cell for cell in cells]
    assert look(claim(), other, first=100).reason == look(claim(), cells, first=100).reason


def test_a_slice_counts_its_own_cells() -> None:
    cells = season(300)
    found = look(claim(population={"slice": "category:even"}), cells)
    assert found.reason == look(claim(), [cell for cell in cells if cell.category == "even"]).reason
    assert look(claim(population={"slice": "category:none"}), cells).numbers["questions"] == 0


def test_the_last_hours_count_only_for_a_claim_about_them() -> None:
    cells = [replace(cell, horizon="0-3h") for cell in season(100)]
    left_out = frozenset({"0-3h"})
    assert look(claim(), cells, left_out=left_out).numbers["questions"] == 0
    assert look(claim(population={"slice": "horizon:0-3h"}), cells, left_out=left_out).numbers["questions"] == 100


def test_against_another_agent_its_forecasts_take_the_place_of_the_price() -> None:
    strong, weak = season(600), follower(season(600))
    found = look(claim(against="b"), [*strong, *weak])
    assert answer(found) == ("supported", True)
    priced = [replace(cell, q=other.p) for cell, other in zip(strong, weak, strict=True)]
    assert found.reason == look(claim(), priced).reason


def test_against_another_agent_only_questions_that_both_answered_count() -> None:
    strong = season(600)
    weak = [replace(cell, p=None) if place % 3 else cell for place, cell in enumerate(follower(strong))]
    assert look(claim(against="b"), [*strong, *weak]).numbers["questions"] == 200


def test_a_result_that_is_missing_holds_back_everything_due_later() -> None:
    cells = season(600)
    waiting = [replace(cell, y=None, settled_at=None) if cell.event == "e0020" else cell for cell in cells]
    found = look(claim(), waiting)
    assert (answer(found), found.numbers["clusters"]) == (("unresolved", False), 20)


def test_order_of_rows_and_other_agents_change_nothing() -> None:
    cells, others = season(200), follower(season(300))
    shuffled = [*others, *cells]
    random.Random(3).shuffle(shuffled)
    one, other = look(claim(), cells), look(claim(), shuffled)
    assert (one.reason, one.numbers) == (other.reason, other.numbers)


# -- one look


def single(count: int, rule: str = "clusters") -> dict[str, Any]:
    return {"rule": rule, "count": count}


BY_DATE = {"rule": "date", "at": datetime.fromtimestamp(START + 150.5 * DAY, UTC).isoformat()}


@pytest.mark.parametrize("rule", [single(200), single(200, "events"), BY_DATE])
def test_a_single_look_is_not_made_before_its_time(rule: dict[str, Any]) -> None:
    found = look(claim(rule=rule), season(100), until=START + 100 * DAY)
    assert (answer(found), found.numbers["skill"], found.numbers["interval"]) == (("unresolved", False), None, None)
    assert found.reason.startswith("the only look is a")


@pytest.mark.parametrize(("rule", "size"), [(single(200), 200), (single(200, "events"), 200), (BY_DATE, 151)])
def test_a_single_look_never_changes_again(rule: dict[str, Any], size: int) -> None:
    first = look(claim(rule=rule), season(size), until=START + 151 * DAY)
    later = [*season(size), *(replace(cell, y=0) for cell in season(900)[size:])]
    again = look(claim(rule=rule), later, until=START + 900 * DAY)

    assert (first.final, first.numbers["clusters"]) == (True, size)
    assert (first.verdict, first.reason, first.numbers["interval"]) == (
        again.verdict, again.reason, again.numbers["interval"],
    )  # fmt: skip


def test_a_single_look_that_holds_the_threshold_stays_unresolved() -> None:
    found = look(claim(rule=single(100)), season(200, lead=0.01))
    assert answer(found) == ("unresolved", True)
    assert "which contains 0" in found.reason


@pytest.mark.parametrize(("lead", "verdict"), [(0.25, "supported"), (-0.25, "refuted")])
def test_a_single_look_is_decided_by_its_interval(lead: float, verdict: str) -> None:
    assert answer(look(claim(rule=single(300)), season(300, lead=lead))) == (verdict, True)


def test_a_look_at_a_date_waits_for_the_results_that_were_due_by_then() -> None:
    cells = [replace(cell, y=None, settled_at=None) if cell.event == "e0140" else cell for cell in season(200)]
    found = look(claim(rule=BY_DATE), cells)
    assert answer(found) == ("unresolved", False)
    assert found.reason == "waits for the results of 11 questions due by 2026-05-31T12:00:00Z"


def test_a_single_look_without_an_interval_says_why() -> None:
    cells = [replace(cell, p=0.02, q=0.03, y=0) for cell in season(60)]
    found = look(claim(rule=single(40)), cells)
    assert answer(found) == ("unresolved", True)
    assert found.reason.startswith("the only look has no interval: ")


def test_a_look_at_a_date_by_which_nothing_was_due_is_final() -> None:
    rule = {"rule": "date", "at": datetime.fromtimestamp(START - DAY, UTC).isoformat()}
    found = look(claim(rule=rule), season(50))
    assert (answer(found), found.numbers["clusters"]) == (("unresolved", True), 0)


# -- chance


@pytest.mark.parametrize("rule", ["every_look", "clusters"])
@pytest.mark.parametrize("shape", ["mid", "lo"])
def test_false_claims_are_rarely_supported(rule: str, shape: str) -> None:
    """At most 2.5 % in the long run. Of 100 seasons more than 10 would be 4.8 standard errors above that."""
    rates = simulation.supported(shape, rule=rule, seasons=100, clusters=60)
    assert rates.false <= 0.10
