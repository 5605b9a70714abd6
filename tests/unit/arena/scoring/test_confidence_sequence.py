from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import difference, random_cells

from coliseum.arena.scoring.arithmetic import exponential, exponential_parts
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.confidence_sequence import (
    BAR,
    BETS,
    BLOCK,
    WEIGHTS,
    ClusterSkills,
    cluster_skills,
    confidence_sequence,
    confidence_sequences,
)

Event = tuple[float, float, int]
"""(p, q, y)."""


def worth(p: float, q: float, y: float) -> float:
    return (q - p) * (q + p - 2 * y)


def skills_of(clusters: Sequence[Sequence[Event]]) -> ClusterSkills:
    """The columns of clusters of events with one market each."""

    def column(value: object) -> np.ndarray:
        return np.array([math.fsum(value(*event) for event in events) for events in clusters])  # type: ignore[operator]

    return ClusterSkills(
        skill=column(worth),
        loss=column(lambda p, q, _: max(-worth(p, q, 0), -worth(p, q, 1))),
        gain=column(lambda p, q, _: max(worth(p, q, 0), worth(p, q, 1))),
        events=column(lambda *_: 1.0),
        if_right=column(lambda p, q, _: (p - q) ** 2),
        due_at=np.arange(len(clusters), dtype=np.float64),
    )


def random_clusters(seed: int, number: int, *, knows: float = 0.0) -> list[list[Event]]:
    rng = random.Random(seed)
    clusters: list[list[Event]] = []
    for _ in range(number):
        events: list[Event] = []
        for _ in range(rng.choice([1, 1, 1, 3, 10])):
            q = rng.uniform(0.02, 0.98)
            p = min(0.99, max(0.01, q + rng.gauss(0, 0.15)))
            events.append((p, q, int(rng.random() < q + knows * (p - q))))
        clusters.append(events)
    return clusters


def exact_lower_bound(clusters: ClusterSkills) -> Decimal:
    """The definition once more, with fractions and 60 digits."""
    with localcontext() as context:
        context.prec = 60
        two = Decimal(2)
        halves = range(-8, 13)
        bets = [two ** (Decimal(half) / 2) for half in halves]
        bells = [(-(((Decimal(half) / 2 - Decimal("0.5")) / Decimal("1.75")) ** 2) / 2).exp() for half in halves]
        logs = [Decimal(0)] * len(bets)
        columns = (map(_decimal, column) for column in (clusters.skill, clusters.loss, clusters.gain))
        for x, loss, gain in zip(*columns, strict=True):
            for place, bet in enumerate(bets):
                small = bet * loss <= Decimal("0.75")
                logs[place] += (1 + bet * x).ln() if small else bet * x - (bet * (loss + gain)) ** 2 / 8
        number = sum(map(_decimal, clusters.events), Decimal(0))
        low = -sum(map(_decimal, clusters.loss), Decimal(0)) / number
        high = sum(map(_decimal, clusters.gain), Decimal(0)) / number
        for _ in range(120):
            middle = (low + high) / 2
            stake = sum(
                (bell * (log - bet * number * middle).exp() for bell, log, bet in zip(bells, logs, bets, strict=True)),
                Decimal(0),
            )
            low, high = (middle, high) if stake / sum(bells) >= 40 else (low, middle)
        return low


def _decimal(value: float) -> Decimal:
    exact = Fraction(float(value))
    return Decimal(exact.numerator) / Decimal(exact.denominator)


@pytest.mark.parametrize(("number", "knows"), [(1, 0.0), (12, 0.0), (80, 0.9), (80, -3.0), (200, 0.5)])
def test_the_bounds_are_those_of_the_definition_in_exact_arithmetic(number: int, knows: float) -> None:
    skills = skills_of(random_clusters(3, number, knows=knows))
    found = confidence_sequence(skills)

    assert found.low == pytest.approx(float(exact_lower_bound(skills)), abs=2e-12)
    assert found.high == pytest.approx(-float(exact_lower_bound(skills.mirrored)), abs=2e-12)


def test_bets_and_weights_are_those_of_the_rules() -> None:
    bells = [math.exp(-0.5 * ((half / 2 - 0.5) / 1.75) ** 2) for half in range(-8, 13)]

    assert BETS.tolist() == pytest.approx([2 ** (half / 2) for half in range(-8, 13)], rel=1e-15)
    assert WEIGHTS.tolist() == pytest.approx([bell / sum(bells) for bell in bells], rel=1e-14)
    assert BAR == 40


@given(st.floats(-700, 700))
def test_exponentials_are_those_of_the_mathematics_library_to_its_precision(x: float) -> None:
    assert exponential(np.array([x]))[0] == pytest.approx(math.exp(x), rel=1e-14)


def test_exponentials_beyond_the_range_of_floats_keep_their_exponent() -> None:
    mantissa, exponent = exponential_parts(np.array([-300_000.0, 5000.0]))

    assert exponent.tolist() == [round(-300_000 / math.log(2)), round(5000 / math.log(2))]
    assert np.log(mantissa) + exponent * math.log(2) == pytest.approx([-300_000.0, 5000.0])
    assert exponential(np.array([-300_000.0, 5000.0])).tolist() == [0.0, math.inf]


events = st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.sampled_from([0, 1]))
seasons = st.lists(st.lists(events, min_size=1, max_size=4), min_size=1, max_size=40)


@given(seasons)
def test_the_bounds_hold_the_mean_and_stay_in_what_was_possible(clusters: list[list[Event]]) -> None:
    skills = skills_of(clusters)
    found = confidence_sequence(skills)
    number = skills.events.sum()

    assert found.low - 1e-12 <= found.mean <= found.high + 1e-12
    assert found.low >= -skills.loss.sum() / number - 1e-11
    assert found.high <= skills.gain.sum() / number + 1e-11
    assert found.mean == pytest.approx(skills.skill.sum() / number)


@given(seasons)
def test_the_price_against_the_agent_has_the_mirrored_bounds(clusters: list[list[Event]]) -> None:
    swapped = [[(q, p, y) for p, q, y in events] for events in clusters]
    one, other = confidence_sequence(skills_of(clusters)), confidence_sequence(skills_of(swapped))

    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-11)
    assert other.above.tolist() == one.below.tolist()
    assert other.below.tolist() == one.above.tolist()


@given(seasons)
def test_naming_no_for_yes_changes_nothing(clusters: list[list[Event]]) -> None:
    turned = [[(1 - p, 1 - q, 1 - y) for p, q, y in events] for events in clusters]
    one, other = confidence_sequence(skills_of(clusters)), confidence_sequence(skills_of(turned))

    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-9)


@given(seasons, st.integers(0, 39), st.integers(0, 3))
def test_a_better_outcome_never_lowers_a_bound(clusters: list[list[Event]], place: int, within: int) -> None:
    place, within = place % len(clusters), within % len(clusters[place % len(clusters)])
    p, q, _ = clusters[place][within]
    found = []
    for y in (0, 1):
        clusters[place][within] = (p, q, y)
        found.append((worth(p, q, y), confidence_sequence(skills_of(clusters))))
    (_, worse), (_, better) = sorted(found, key=lambda one: one[0])

    assert worse.low <= better.low + 1e-12
    assert worse.high <= better.high + 1e-12


@given(seasons, st.integers(0, 40))
def test_a_later_cluster_changes_nothing_before_it(clusters: list[list[Event]], until: int) -> None:
    until = max(1, until % (len(clusters) + 1))
    whole, part = confidence_sequence(skills_of(clusters)), confidence_sequence(skills_of(clusters[:until]))

    assert whole.above[:until].tolist() == part.above.tolist()
    assert whole.below[:until].tolist() == part.below.tolist()


@given(seasons)
def test_a_copy_of_the_price_has_a_skill_of_exactly_0(clusters: list[list[Event]]) -> None:
    found = confidence_sequence(skills_of([[(q, q, y) for _, q, y in events] for events in clusters]))

    assert (found.low, found.mean, found.high) == (0.0, 0.0, 0.0)
    assert not found.above.any()
    assert not found.below.any()


def test_more_of_the_same_evidence_narrows_the_bounds() -> None:
    pattern: list[list[Event]] = [[(0.7, 0.5, 1)], [(0.7, 0.5, 1)], [(0.7, 0.5, 0)]]
    found = [confidence_sequence(skills_of(pattern * times)) for times in (5, 20, 80, 320)]

    assert [one.low for one in found] == sorted(one.low for one in found)
    assert [one.high for one in found] == sorted((one.high for one in found), reverse=True)


def test_the_last_look_and_the_bounds_agree_on_the_side() -> None:
    for seed in range(40):
        found = confidence_sequence(skills_of(random_clusters(seed, 150, knows=random.Random(seed).uniform(-2, 3))))

        assert (found.low > 0) == found.above[-1]
        assert (found.high < 0) == found.below[-1]


def test_long_histories_neither_overflow_nor_depend_on_the_blocks() -> None:
    number = 3 * BLOCK + 7
    skills = skills_of([[(0.9, 0.5, 1)]] * number)
    found = confidence_sequence(skills)
    first = int(np.argmax(found.above))

    assert 0.2 < found.low < 0.24
    assert found.high == pytest.approx(0.24)
    assert 0 < first < 40
    assert found.above.tolist() == [False] * first + [True] * (number - first)


def cell(event: str, p: float | None, q: float | None, y: int | None, **more: object) -> Cell:
    return replace(Cell(agent="a", event=event, market="m", window="1", p=p, q=q, y=y), **more)  # type: ignore[arg-type]


def test_an_event_is_the_mean_of_its_graded_markets_in_the_first_answered_window() -> None:
    table = table_from_cells([
        cell("e", 0.8, None, 1), cell("e", 0.8, 0.5, 1, window="2"), cell("e", 0.2, 0.5, 1, market="n", window="2"),
        cell("e", 0.9, 0.5, None, market="o", window="2"), cell("e", 0.1, 0.5, 1, window="3"),
    ])  # fmt: skip
    table = replace(table, settled_at=np.ones(len(table)))
    skills = cluster_skills(table)["a"]
    values = [worth(0.8, 0.5, 1), worth(0.2, 0.5, 1)]

    assert skills.skill.tolist() == pytest.approx([sum(values) / 2])
    assert skills.loss.tolist() == pytest.approx([(0.39 + 0.39) / 2])
    assert skills.gain.tolist() == pytest.approx([(0.21 + 0.21) / 2])
    assert skills.events.tolist() == [1]


def test_dependent_events_add_up_in_one_cluster() -> None:
    rows = [cell(f"e{i}", 0.8, 0.5, 1, cluster="rain") for i in range(3)]
    skills = cluster_skills(table_from_cells(rows))["a"]

    assert skills.skill.tolist() == pytest.approx([3 * 0.21])
    assert skills.events.tolist() == [3]


def test_dependent_copies_of_an_event_count_as_one_event_would() -> None:
    """Ten events that come out alike give no more certainty than one: the bound is that of the means."""
    singles = random_clusters(5, 60, knows=1.0)
    one = confidence_sequence(skills_of([events[:1] for events in singles]))
    ten = confidence_sequence(skills_of([events[:1] * 10 for events in singles]))

    assert ten.mean == pytest.approx(one.mean)
    assert ten.high - ten.low > 0.5 * (one.high - one.low)


def test_a_void_cluster_is_skipped_and_a_late_one_holds_back_those_after_it() -> None:
    rows = [
        cell("e1", 0.8, 0.5, 1, due_at=1.0), cell("e2", 0.8, 0.5, None, due_at=2.0, settled_at=2.0),
        cell("e3", 0.8, 0.5, 0, due_at=3.0), cell("e4", 0.8, 0.5, None, due_at=4.0),
        cell("e5", 0.8, 0.5, 1, due_at=5.0), cell("e6", 0.8, 0.5, 1, due_at=math.inf),
    ]  # fmt: skip

    assert cluster_skills(table_from_cells(rows))["a"].due_at.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("seed", range(3))
def test_clusters_agree_with_a_reference_in_plain_python(seed: int) -> None:
    cells = random_cells(seed)
    found = cluster_skills(table_from_cells(cells))
    for agent in sorted({one.agent for one in cells}):
        wanted = reference_clusters(cells, agent)
        assert found[agent].due_at.tolist() == [due for due, _, _ in wanted]
        assert found[agent].skill.tolist() == pytest.approx([skill for _, skill, _ in wanted])
        assert found[agent].events.tolist() == [number for _, _, number in wanted]


def reference_clusters(cells: Sequence[Cell], agent: str) -> list[tuple[float, float, int]]:
    """(Due time, summed skill, number of events) of each cluster that counts."""
    bets = [one for one in cells if one.agent == agent and one.p is not None and one.q is not None]
    first = {event: min(one.window for one in bets if one.event == event) for event in {one.event for one in bets}}
    due = {name: max(one.due_at or 0.0 for one in cells if one.cluster == name) for name in {c.cluster for c in cells}}
    result: list[tuple[float, float, int]] = []
    for cluster in sorted(due, key=lambda name: (due[name], name or "")):
        own = [one for one in bets if one.cluster == cluster and one.window == first[one.event]]
        if any(one.y is None and one.settled_at is None for one in own):
            break
        values: defaultdict[str, list[float]] = defaultdict(list)
        for one in own:
            if one.y is not None:
                values[one.event].append(difference(one))
        if values:
            result.append((due[cluster], sum(sum(v) / len(v) for v in values.values()), len(values)))
    return result


def test_the_order_of_rows_and_the_other_agents_change_nothing() -> None:
    cells = random_cells(1)
    shuffled = random.Random(2).sample(cells, len(cells))
    alone = confidence_sequences(table_from_cells([one for one in cells if one.agent == "bo"]))["bo"]
    first, second = (confidence_sequences(table_from_cells(rows)) for rows in (cells, shuffled))

    assert {agent: (one.low, one.high) for agent, one in first.items()} == {
        agent: (one.low, one.high) for agent, one in second.items()
    }
    assert (alone.low, alone.high) == (first["bo"].low, first["bo"].high)


def test_an_empty_table_has_no_bounds() -> None:
    assert confidence_sequences(table_from_cells([])) == {}
    assert confidence_sequences(table_from_cells([cell("e", 0.5, None, 1)])) == {}


def test_fractions_stay_within_the_known_range_of_each_cluster() -> None:
    """The bounds allow for the loss and the gain of YES and NO. The skill of a fraction lies between them."""
    for clusters in cluster_skills(table_from_cells(random_cells(3, fractions=True))).values():
        assert (clusters.skill >= -clusters.loss - 1e-12).all()
        assert (clusters.skill <= clusters.gain + 1e-12).all()
