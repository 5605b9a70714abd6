from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.confidence_sequence import ClusterSkills, cluster_skills
from coliseum.arena.scoring.skill_claims import IMPOSSIBLE, reasons_without_bounds, skill_claims, spread

DAY = 86_400.0
START = 1_700_000_000.0  # 2023-11-14T22:13:20Z
NO_PACE = "there are no due times, so the pace of the clusters is not known"


def cell(event: int, p: float | None, q: float | None, y: int | None, **more: object) -> Cell:
    one = Cell(agent="a", event=f"e{event:04}", market="m", window="1", p=p, q=q, y=y, due_at=START + DAY * event)
    return replace(one, **more)  # type: ignore[arg-type]


def claims(cells: list[Cell]) -> dict[str, Any]:
    return skill_claims(table_from_cells(cells))["a"]


def right(first: int, last: int) -> list[Cell]:
    return [cell(event, 0.7, 0.5, 1) for event in range(first, last)]


def wrong(first: int, last: int) -> list[Cell]:
    return [cell(event, 0.7, 0.5, 0) for event in range(first, last)]


def even(number: int) -> list[Cell]:
    """A little skill: 51 of 100 come out on the side of the agent, by turns."""
    return [cell(i, 0.6, 0.5, int(i % 2 == 0 or i % 100 == 99)) for i in range(number)]


def test_the_dates_say_since_when_the_bounds_exclude_0() -> None:
    found = claims(right(0, 60))
    since = next(n for n in range(1, 61) if claims(right(0, n))["skill_sequence"][0] > 0)

    assert found["above_since"] == f"2023-{'11-' if since < 18 else '12-'}{(14 + since - 2) % 30 + 1:02}T22:13:20Z"
    assert found["above_last"] == "2024-01-12T22:13:20Z"
    assert (found["below_since"], found["below_last"]) == (None, None)


def test_a_lost_lead_stays_as_history() -> None:
    cells = right(0, 60) + wrong(60, 90)
    found = claims(cells)
    held = [event for event in range(60, 91) if claims(cells[:event])["skill_sequence"][0] > 0]

    assert found["skill_sequence"][0] <= 0
    assert found["above_since"] is None
    assert found["above_last"] == claims(cells[: held[-1]])["above_last"]
    assert found["above_last"] > "2024-01-12"


def test_a_price_that_was_always_right_is_above_the_agent() -> None:
    found = claims(wrong(0, 60))

    assert found["skill_sequence"][1] < 0
    assert found["below_since"] is not None
    assert (found["above_since"], found["above_last"]) == (None, None)
    assert found["skill_detectable_reason"] == "it stands out already"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([cell(0, 0.5, None, 1)], "it has no answer to a question with a price"),
        ([cell(0, None, 0.5, 1)], "it has no answer to a question with a price"),
        ([cell(0, 0.6, 0.5, None)], "its first cluster of events is not settled or not due yet"),
        ([cell(0, 0.6, 0.5, 1, due_at=math.inf)], "its first cluster of events is not settled or not due yet"),
        ([cell(0, 0.6, 0.5, None, settled_at=START)], "all its settled questions are void"),
        (
            [cell(0, 0.6, 0.5, 1, due_at=None), cell(1, 0.6, 0.5, None, due_at=None)],
            "1 of its questions have no outcome, and without due_at or settled_at nothing says whether they are void "
            "or still open",
        ),
    ],
)
def test_without_bounds_the_reason_is_said(cells: list[Cell], reason: str) -> None:
    found = claims(cells)

    assert (found["skill_sequence"], found["skill_sequence_mean"], found["skill_sequence_clusters"]) == (None, None, 0)
    assert found["skill_sequence_reason"] == reason
    assert found["skill_detectable_reason"] == reason


def test_open_questions_of_another_agent_do_not_matter() -> None:
    rows = [cell(0, 0.6, 0.5, 1, due_at=None), cell(1, 0.6, 0.5, None, due_at=None, agent="b")]
    table = table_from_cells(rows)

    assert reasons_without_bounds(table).keys() == {"b"}
    assert skill_claims(table)["a"]["skill_sequence"] is not None


def test_without_times_there_are_bounds_but_no_dates() -> None:
    found = claims([replace(one, due_at=None) for one in right(0, 60)])

    assert found["skill_sequence"] == claims(right(0, 60))["skill_sequence"]
    assert (found["above_since"], found["above_last"]) == (None, None)


def test_every_agent_has_bounds_or_a_reason() -> None:
    found = skill_claims(table_from_cells(random_cells(2)))

    assert all((one["skill_sequence"] is None) != (one["skill_sequence_reason"] is None) for one in found.values())


def skills(**columns: list[float]) -> ClusterSkills:
    number = len(columns["loss"])
    given = {"skill": [0.0] * number, "events": [1.0] * number, "if_right": [0.0] * number, "due_at": [0.0] * number}
    return ClusterSkills(**{name: np.array(column) for name, column in (given | columns).items()})


def test_the_spread_is_that_of_two_values_with_a_mean_of_0() -> None:
    """0.6 against 0.5 wins 0.09 or loses 0.11; without skill YES comes in 55 %."""
    table = table_from_cells([cell(0, 0.6, 0.5, 1)])
    variance = 0.55 * 0.09**2 + 0.45 * 0.11**2

    assert spread(cluster_skills(table)["a"]) == pytest.approx(math.sqrt(variance))
    assert spread(skills(loss=[0.1, 0.1], gain=[0.1, 0.1], events=[1.0, 3.0])) == pytest.approx(math.sqrt(0.02) / 4)


def test_what_could_stand_out_depends_on_prices_and_not_on_outcomes() -> None:
    cells = even(40)
    turned = [replace(one, y=1 - int(one.y or 0)) for one in cells]

    assert claims(cells)["skill_detectable"] == claims(turned)["skill_detectable"]
    assert claims(cells)["skill_detectable"] == pytest.approx(3.4 * math.sqrt(0.09 * 0.11 / 40))
    assert claims(cells)["skill_if_right"] == pytest.approx(0.01)


def test_the_date_is_that_of_twice_the_clusters_of_a_single_look() -> None:
    cells = even(100)
    found = claims(cells)
    mean = found["skill_sequence_mean"]
    single = math.ceil((1.959963984540054 + 0.8416212335729143) ** 2 * 0.09 * 0.11 / mean**2)
    days = 99 + (2 * single - 100)

    assert found["skill_detectable_from"] == str(np.datetime64(int(START + DAY * days), "s")) + "Z"
    assert found["skill_detectable_reason"] is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (right(0, 9), "9 of 10 clusters: too few to say what could stand out"),
        ([cell(i, 0.5, 0.5, 1) for i in range(30)], "its forecasts are those of the price, so its skill is 0"),
        ([replace(one, due_at=None) for one in even(30)], NO_PACE),
        ([replace(one, due_at=START) for one in even(30)], NO_PACE),
        ([cell(i, 0.501, 0.5, i % 2) for i in range(30)], "at this pace, a skill of this size needs over 10 years"),
    ],
)
def test_without_a_date_the_reason_is_said(cells: list[Cell], reason: str) -> None:
    found = claims(cells)

    assert found["skill_detectable_from"] is None
    assert found["skill_detectable_reason"] == reason


def test_long_shots_of_which_none_came_in_are_not_certain() -> None:
    """Thirty right prices at 5 %: nothing happened, so the outcomes do not vary, but the prices say what they could."""
    found = claims([cell(i, 0.03, 0.05, 0) for i in range(30)])

    assert found["skill_sequence"][0] < -0.01
    assert found["skill_if_right"] == pytest.approx(0.0004)


def test_a_skill_that_no_outcome_could_bring_is_not_called_detectable() -> None:
    """At most 0.0016 is possible with these forecasts, and 3.4 errors are 0.005."""
    found = claims([cell(i, 0.03, 0.05, 0) for i in range(30)])
    assert found["skill_detectable"] is None
    assert found["skill_detectable_reason"] == IMPOSSIBLE
    assert found["skill_detectable_from"] is not None
    assert claims([cell(i, 0.03, 0.05, 0) for i in range(400)])["skill_detectable"] < 0.0016


def test_the_share_of_the_largest_cluster_is_shown() -> None:
    cells = [cell(i, 0.6, 0.5, 1, cluster="rain" if i < 3 else f"c{i}") for i in range(6)]

    assert claims(cells)["skill_sequence_largest_share"] == 0.5
    assert claims(cells)["skill_sequence_clusters"] == 4


def test_times_beyond_the_calendar_are_left_out() -> None:
    cells = [replace(one, due_at=1e15 + i) for i, one in enumerate(right(0, 60))]

    assert claims(cells)["skill_sequence"][0] > 0
    assert claims(cells)["above_since"] is None


def test_later_results_only_extend_the_bounds() -> None:
    """Whatever settles next, the first clusters keep their values, so a published `above_last` is never withdrawn."""
    rng = random.Random(4)
    cells = [cell(i, rng.uniform(0.1, 0.9), 0.5, rng.randrange(2)) for i in range(60)]
    settled = rng.sample(range(60), 60)
    before: list[float] = []
    for number in range(0, 61, 5):
        known = [one if i in settled[:number] else replace(one, y=None) for i, one in enumerate(cells)]
        found = cluster_skills(table_from_cells(known)).get("a")
        now = [] if found is None else found.skill.tolist()
        assert now[: len(before)] == before
        before = now
    assert len(before) == 60
