from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, build_table, table_from_cells
from coliseum.arena.scoring.evidence import BAR, evidence, pair_evidence


def cell(event: str, p: float, q: float | None, y: float | None, **more: object) -> Cell:
    return replace(Cell(agent="a", event=event, market="m", window="1", p=p, q=q, y=y), **more)  # type: ignore[arg-type]


def log10_of(*cells: Cell) -> float:
    final = evidence(table_from_cells(cells))["a"].final
    assert final is not None
    return final


def test_events_multiply() -> None:
    assert log10_of(cell("e1", 0.8, 0.5, 1), cell("e2", 0.8, 0.5, 0)) == pytest.approx(math.log10(1.6 * 0.4))


def test_markets_of_an_event_share_the_geometric_mean() -> None:
    rows = cell("e", 0.8, 0.5, 1), cell("e", 0.8, 0.5, 1, market="l"), cell("e", 0.2, 0.5, 1, market="n")

    assert log10_of(*rows) == pytest.approx(math.log10(1.6 * 1.6 * 0.4) / 3)


def test_an_event_counts_only_with_the_agent_s_first_window() -> None:
    rows = [
        cell("e", 0.8, None, 1), cell("e", 0.8, 0.5, 1, window="2"), cell("e", 0.1, 0.5, 1, window="3"),
        cell("e", 0.3, 0.5, 1, window="3", agent="b"),
    ]  # fmt: skip

    assert log10_of(*rows) == pytest.approx(math.log10(1.6))
    assert evidence(table_from_cells(rows))["b"].final == pytest.approx(math.log10(0.6))
    first = cell("e", 0.2, 0.5, None, settled_at=1.0)
    assert evidence(table_from_cells([first, replace(rows[1], market="n", settled_at=1.0)])) == {}  # void in the first


def test_dependent_events_share_one_factor() -> None:
    rows = [cell(f"e{i}", 0.8, 0.5, 1, cluster="rain") for i in range(5)]

    assert log10_of(*rows) == pytest.approx(math.log10(1.6))


def test_clusters_that_share_an_event_are_one_factor() -> None:
    rows = [cell("e1", 0.8, 0.5, 1, cluster="c1"), cell("e1", 0.8, 0.5, 1, market="n", cluster="c2"),
            cell("e2", 0.8, 0.5, 1, cluster="c2")]  # fmt: skip

    assert log10_of(*rows) == pytest.approx(math.log10(1.6))


def test_prices_and_forecasts_are_clipped() -> None:
    assert log10_of(cell("e", 1.0, 0.001, 1)) == pytest.approx(math.log10(99))


def test_clusters_are_ordered_by_their_due_times() -> None:
    rows = [cell("e2", 0.9, 0.3, 1, due_at=1.0, settled_at=9.0), cell("e1", 0.9, 0.3, 0, due_at=2.0, settled_at=1.5)]
    result = evidence(table_from_cells(rows))["a"]

    assert result.peak == pytest.approx(math.log10(3))
    assert result.final == pytest.approx(math.log10(3 * 0.1 / 0.7))
    assert result.due_at.tolist() == [1.0, 2.0]


def test_a_cluster_counts_when_all_clusters_due_before_it_are_settled() -> None:
    rows = [
        cell("e1", 0.8, 0.5, 1, due_at=1.0), cell("e2", 0.8, 0.5, None, due_at=2.0),
        cell("e3", 0.6, 0.5, 1, due_at=3.0),
        cell("e4", 0.8, 0.5, 1, due_at=math.inf), cell("e5", 0.8, 0.5, 1),
    ]  # fmt: skip

    assert log10_of(*rows) == pytest.approx(math.log10(1.6))
    void = replace(rows[1], settled_at=2.5)
    assert log10_of(rows[0], void, *rows[2:]) == pytest.approx(math.log10(1.6 * 1.2))
    assert len(evidence(table_from_cells([rows[0], void, *rows[2:]]))["a"].log10) == 2
    assert evidence(table_from_cells(rows[1:])) == {}


def test_settlement_times_replace_due_times_and_without_times_there_is_no_peak() -> None:
    rows = [cell("e2", 0.9, 0.3, 1, settled_at=1.0), cell("e1", 0.9, 0.3, 0, settled_at=2.0)]
    untimed = evidence(table_from_cells([replace(row, settled_at=None) for row in rows]))["a"]

    assert evidence(table_from_cells(rows))["a"].peak == pytest.approx(math.log10(3))
    assert untimed.peak is None
    assert untimed.final == pytest.approx(math.log10(3 * 0.1 / 0.7))


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_evidence_agrees_with_a_reference_in_plain_python(seed: int, *, fractions: bool) -> None:
    cells = random_cells(seed, fractions=fractions)
    agents = sorted({one.agent for one in cells})
    result, pairs = evidence(table_from_cells(cells)), pair_evidence(table_from_cells(cells))

    for place, agent in enumerate(agents):
        assert result[agent].log10.tolist() == pytest.approx(reference.log10_evidence(cells, agent))
        for further, other in enumerate(agents[place + 1 :], start=place + 1):
            against = reference.log10_evidence(cells, agent, other)
            assert pairs[place, further] == pytest.approx((against or [math.nan])[-1])


def test_a_fraction_pays_for_both_sides() -> None:
    """0.8 on YES at 0.5 and 0.2 on NO at 0.5; YES pays 0.25 and NO 0.75."""
    stake = evidence(table_from_cells([cell("e1", 0.8, 0.5, 0.25)]))["a"].final

    assert stake == pytest.approx(math.log10(0.25 * 0.8 / 0.5 + 0.75 * 0.2 / 0.5))


def test_an_agent_without_paired_cells_has_no_evidence() -> None:
    assert evidence(table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=0.5, y=1)])) == {}


def test_agents_bet_against_each_other_on_what_both_answered() -> None:
    rows = [
        cell("e1", 0.8, 0.5, 1), cell("e1", 0.4, 0.5, 1, agent="b"),
        cell("e1", 0.9, 0.5, 0, market="n"), cell("e1", 0.5, 0.5, 0, market="n", agent="b"),
        cell("e2", 0.6, 0.5, 1), cell("e2", 0.3, 0.5, 1, agent="b"),
        cell("e2", 0.1, 0.5, 1, window="2"), cell("e2", 0.9, 0.5, 1, window="2", agent="b"),
        cell("e3", 0.9, 0.5, 1), cell("e4", 0.9, 0.5, 1, agent="c"),
    ]  # fmt: skip

    assert pair_evidence(table_from_cells(rows)) == {
        (0, 1): pytest.approx(math.log10(2 * 0.1 / 0.5) / 2 + math.log10(2))
    }
    assert pair_evidence(table_from_cells([])) == {}


@pytest.mark.parametrize("rule", ["bold", "opposite", "noise"])
def test_the_expected_stake_against_a_right_market_is_at_most_one(rule: str) -> None:
    """The mean of E over worlds in which the market is right, dependent markets inside events included."""
    rng = np.random.default_rng(17)
    worlds, events, markets = 6000, 3, 2
    shape = (worlds, events)
    q = rng.choice([0.005, 0.1, 0.35, 0.5, 0.8, 0.999], shape)
    y = (rng.random(shape) < q).astype(float)
    p = {"bold": np.minimum(q * 1.3, 1), "opposite": 1 - q, "noise": rng.random(shape)}[rule]
    rows = worlds * events * markets
    world, event = (np.repeat(index.ravel(), markets) for index in np.indices(shape))
    result = evidence(
        build_table(
            agent=[f"w{i}" for i in world],
            event=[f"e{w}-{e}" for w, e in zip(world, event, strict=True)],
            market=[f"m{i % markets}" for i in range(rows)],
            window=["1"] * rows,
            p=np.repeat(p.ravel(), markets),
            q=np.repeat(q.ravel(), markets),
            y=np.repeat(y.ravel(), markets),  # both markets come out alike: full dependence
        )
    )
    stakes = np.array([10 ** (one.final or 0.0) for one in result.values()])

    assert stakes.mean() <= 1 + 3 * stakes.std() / math.sqrt(worlds)


def test_a_bold_first_answer_gains_no_evidence_from_markets_that_end_early_on_yes() -> None:
    """The agent is bold in the first of six windows and copies the right price after; YES ends a market at any time."""
    rng, seasons, events, windows, hazard = np.random.default_rng(5), 250, 60, 6, 0.3
    rows: list[tuple[str, str, str, float, float, int]] = []
    for season, event in np.ndindex(seasons, events):
        y = int(rng.random() < 0.5)
        for window in range(min(int(rng.geometric(hazard)), windows) if y else windows):
            q = (1 - hazard) ** window / ((1 - hazard) ** window + 1)
            rows.append((f"s{season}", f"{season}-{event}", f"{window}", q if window else 0.7, q, y))

    assert share_above_the_bar(rows) <= 0.05


def test_early_settlement_of_yes_is_no_evidence() -> None:
    """Forty events that were due; at the look three of four that come out NO are not settled yet."""
    rng, seasons, events, q = np.random.default_rng(6), 1000, 40, 0.3
    rows: list[tuple[str, str, str, float, float, int | None]] = []
    for season, event in np.ndindex(seasons, events):
        y = int(rng.random() < q)
        rows.append((f"s{season}", f"{season}-{event:02}", "1", 0.4, q, y if y or rng.random() < 0.25 else None))

    assert share_above_the_bar(rows) <= 0.05


def share_above_the_bar(rows: Sequence[tuple[str, str, str, float, float, int | None]]) -> float:
    """Share of the agents of (agent, event, window, p, q, y) whose stake ever reached the bar; all is due at once."""
    agent, event, window, p, q, y = zip(*rows, strict=True)
    result = evidence(
        build_table(
            agent=agent, event=event, market=["m"] * len(rows), window=window, p=p, q=q,
            y=[math.nan if one is None else one for one in y], due_at=[0.0] * len(rows),
        )
    )  # fmt: skip
    return sum((one.peak or 0.0) >= math.log10(BAR) for one in result.values()) / len(set(agent))
