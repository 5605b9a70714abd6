from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.cells import Cell, table, table_from
from coliseum.arena.scoring.evidence import Span, clusters, evidence, pair_evidence


def cell(event: str, p: float, q: float, y: int, **more: object) -> Cell:
    return replace(Cell(agent="a", event=event, market="m", window="1", p=p, q=q, y=y), **more)  # type: ignore[arg-type]


def log10_of(*cells: Cell) -> float:
    final = evidence(table_from(cells))["a"].final
    assert final is not None
    return final


def test_events_multiply() -> None:
    assert log10_of(cell("e1", 0.8, 0.5, 1), cell("e2", 0.8, 0.5, 0)) == pytest.approx(math.log10(1.6 * 0.4))


def test_markets_and_windows_of_an_event_share_the_geometric_mean() -> None:
    rows = cell("e", 0.8, 0.5, 1), cell("e", 0.8, 0.5, 1, window="2"), cell("e", 0.2, 0.5, 1, market="n")

    assert log10_of(*rows) == pytest.approx(math.log10(1.6 * 1.6 * 0.4) / 3)


def test_dependent_events_share_one_factor() -> None:
    rows = [cell(f"e{i}", 0.8, 0.5, 1, cluster="rain") for i in range(5)]

    assert log10_of(*rows) == pytest.approx(math.log10(1.6))


def test_prices_and_forecasts_are_clipped() -> None:
    assert log10_of(cell("e", 1.0, 0.001, 1)) == pytest.approx(math.log10(99))


def test_the_peak_counts_once_the_order_is_known() -> None:
    rows = [cell("e2", 0.9, 0.3, 1, settled_at=1.0), cell("e1", 0.9, 0.3, 0, settled_at=2.0)]
    found = evidence(table_from(rows))["a"]

    assert found.peak == pytest.approx(math.log10(3))
    assert found.final == pytest.approx(math.log10(3 * 0.1 / 0.7))
    assert found.settled_at.tolist() == [1.0, 2.0]
    assert evidence(table_from([replace(rows[0], settled_at=None), rows[1]]))["a"].peak is None


def test_whoever_was_never_compared_has_no_evidence() -> None:
    assert evidence(table_from([Cell(agent="a", event="e", market="m", window="1", p=0.5, y=1)])) == {}


def test_agents_bet_against_each_other_on_what_both_answered() -> None:
    rows = [
        cell("e1", 0.8, 0.5, 1), cell("e1", 0.4, 0.5, 1, agent="b"),
        cell("e1", 0.9, 0.5, 0, market="n"), cell("e1", 0.5, 0.5, 0, market="n", agent="b"),
        cell("e2", 0.6, 0.5, 1), cell("e2", 0.3, 0.5, 1, agent="b"),
        cell("e3", 0.9, 0.5, 1), cell("e4", 0.9, 0.5, 1, agent="c"),
    ]  # fmt: skip

    assert pair_evidence(table_from(rows)) == {(0, 1): pytest.approx(math.log10(2 * 0.1 / 0.5) / 2 + math.log10(2))}
    assert pair_evidence(table_from([])) == {}


@pytest.mark.parametrize("rule", ["bold", "opposite", "noise"])
def test_against_a_right_market_the_stake_is_worth_no_more_than_one(rule: str) -> None:
    """The mean of E over worlds in which the market is right, dependent markets inside events included."""
    rng = np.random.default_rng(17)
    worlds, events, markets = 6000, 3, 2
    shape = (worlds, events)
    q = rng.choice([0.005, 0.1, 0.35, 0.5, 0.8, 0.999], shape)
    y = (rng.random(shape) < q).astype(float)
    p = {"bold": np.minimum(q * 1.3, 1), "opposite": 1 - q, "noise": rng.random(shape)}[rule]
    rows = worlds * events * markets
    world, event = (np.repeat(index.ravel(), markets) for index in np.indices(shape))
    found = evidence(
        table(
            agent=[f"w{i}" for i in world],
            event=[f"e{w}-{e}" for w, e in zip(world, event, strict=True)],
            market=[f"m{i % markets}" for i in range(rows)],
            window=["1"] * rows,
            p=np.repeat(p.ravel(), markets),
            q=np.repeat(q.ravel(), markets),
            y=np.repeat(y.ravel(), markets),  # both markets come out alike: full dependence
        )
    )
    stakes = np.array([10 ** (one.final or 0.0) for one in found.values()])

    assert stakes.mean() <= 1 + 3 * stakes.std() / math.sqrt(worlds)


spans = st.lists(
    st.tuples(st.sampled_from(["rain", "fed"]), st.integers(0, 20), st.integers(0, 5)), min_size=1, max_size=12
)


@given(spans)
def test_events_of_a_series_that_overlap_in_chains_are_one_cluster(rows: list[tuple[str, int, int]]) -> None:
    lives = [Span(event=f"e{i:02}", series=s, start=a, end=a + length) for i, (s, a, length) in enumerate(rows)]
    found = clusters(lives)
    for one in lives:
        for other in lives:
            overlap = one.series == other.series and one.start < other.end and other.start < one.end
            if overlap:
                assert found[one.event] == found[other.event]
            if one.series != other.series:
                assert found[one.event] != found[other.event]


def test_a_cluster_ends_where_nothing_overlaps() -> None:
    lives = [
        Span(event="mon", series="rain", start=0, end=2),
        Span(event="tue", series="rain", start=1, end=3),
        Span(event="wed", series="rain", start=3, end=4),
    ]

    assert clusters(lives) == {"mon": "mon", "tue": "mon", "wed": "wed"}
