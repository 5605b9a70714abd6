from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import AskedMarket, Result, ScoredForecast
from coliseum.arena.season_cells.cells import EventCluster, cells, event_clusters, later_prices

START = datetime(2026, 11, 21, tzinfo=UTC)
LATER = START + timedelta(hours=100)


def market(
    round_id: str = "r1", ticker: str = "T", *, hours: float = 0, q: str | None = "0.40", close: float = 50
) -> AskedMarket:
    return AskedMarket(
        round_id=round_id,
        ticker=ticker,
        event_ticker=f"E-{ticker}",
        series_ticker="S",
        category="Weather",
        close_time=START + timedelta(hours=close),
        q=None if q is None else Decimal(q),
        yes_bid=Decimal("0.38"),
        yes_ask=Decimal("0.42"),
        volume_24h=Decimal(100),
        outcomes=3,
        mutually_exclusive=True,
        snapshot_at=START + timedelta(hours=hours),
    )


def result(ticker: str = "T", verdict: str = "yes", *, hours: float = 60) -> Result:
    at = START + timedelta(hours=hours)
    return Result(ticker=ticker, version=1, result=verdict, value=Decimal(1), decided_at=at, recorded_at=at)


def answer(agent: str = "a", round_id: str = "r1", ticker: str = "T", p: str | None = "0.70") -> ScoredForecast:
    return ScoredForecast(
        round_id=round_id, ticker=ticker, agent_id=agent, p=None if p is None else Decimal(p), created_at=START
    )


def test_a_cell_joins_a_question_with_its_frozen_market_and_result() -> None:
    (cell,) = cells(
        track=Track.BLIND, markets={("r1", "T"): market()}, questions=[("a", "r1", "T")], answers=[answer()],
        results={"T": result()}, now=LATER,
    )  # fmt: skip

    assert (cell.agent, cell.event, cell.market, cell.window) == ("a", "E-T", "T", "r1")
    assert (cell.p, cell.q, cell.y, cell.yes_ask, cell.no_ask) == (0.7, 0.4, 1, 0.42, 0.62)
    assert (cell.horizon, cell.track, cell.volume, cell.outcomes) == ("2-4d", "blind", 100.0, 3)
    assert (cell.structure, cell.settled_at) == ("exclusive", (START + timedelta(hours=60)).timestamp())
    assert (cell.cluster, cell.due_at) == ("E-T", (START + timedelta(hours=50)).timestamp())


@pytest.mark.parametrize("answers", [[], [answer(p=None)]])
def test_failures_and_abstentions_are_cells_without_a_forecast(answers: list[ScoredForecast]) -> None:
    (cell,) = cells(
        track=Track.BLIND, markets={("r1", "T"): market()}, questions=[("a", "r1", "T")], answers=answers,
        results={"T": result()}, now=LATER,
    )  # fmt: skip

    assert cell.p is None


def test_a_market_without_a_result_is_not_graded() -> None:
    """Its price may move towards the forecast meanwhile, and a missing answer counts already."""
    markets = {("r1", "U"): market(ticker="U"), ("r2", "U"): market("r2", "U", hours=1.5, q="0.55")}
    first, second = cells(
        track=Track.BLIND, markets=markets, questions=[("a", "r1", "U"), ("a", "r2", "U")],
        answers=[answer(ticker="U")], results={}, now=LATER,
    )  # fmt: skip

    assert (first.p, first.y, first.settled_at, first.cluster) == (0.7, None, None, "E-U")
    assert (first.q, first.q_1h, first.q_close) == (0.4, 0.55, 0.55)
    assert (second.p, second.y) == (None, None)


def test_rounds_that_do_not_count_give_no_cells() -> None:
    found = cells(
        track=Track.BLIND,
        markets={("r1", "T"): market()},
        questions=[("a", "r2", "T")],
        answers=[answer(round_id="r2")],
        results={"T": result()},
        now=LATER,
    )

    assert found == []


@pytest.mark.parametrize(("verdict", "y"), [("yes", 1), ("no", 0), ("void", None), ("scalar", None)])
def test_only_clean_outcomes_are_graded(verdict: str, y: int | None) -> None:
    (cell,) = cells(
        track=Track.AWARE, markets={("r1", "T"): market()}, questions=[], answers=[answer()],
        results={"T": result(verdict=verdict)}, now=LATER,
    )  # fmt: skip

    assert cell.y == y


def test_later_prices_come_from_later_rounds() -> None:
    frozen = [
        market("r0", hours=0, q="0.40"),
        market("r05", hours=0.5, q="0.41"),
        market("r1", hours=1.5, q="0.45"),
        market("r2", hours=25, q="0.60"),
        market("r3", hours=26, q=None),
        market("r9", ticker="OTHER", hours=1.2, q="0.99"),
    ]
    found = later_prices(frozen)

    assert found["r0", "T"] == {"q_1h": 0.45, "q_24h": 0.60, "q_close": 0.60}
    assert found["r1", "T"] == {"q_1h": None, "q_24h": None, "q_close": 0.60}
    assert found["r3", "T"] == {"q_1h": None, "q_24h": None, "q_close": None}


def test_events_of_a_series_that_overlap_share_a_cluster() -> None:
    markets = [
        market(ticker="A", close=20),
        market(ticker="B", hours=10, close=60),
        market(ticker="C", hours=60, close=70),
    ]
    early, late = EventCluster("E-A", START + timedelta(hours=60)), EventCluster("E-C", START + timedelta(hours=70))

    assert event_clusters(markets) == {"E-A": early, "E-B": early, "E-C": late}
    other = replace(markets[1], series_ticker="X")
    assert event_clusters([markets[0], other])["E-B"].name == "E-B"


def test_clusters_depend_only_on_what_the_first_round_of_each_event_knew() -> None:
    """That a market is open for longer, or moved to another day, may depend on its outcome."""
    first = [market(ticker="A", close=20), market(ticker="B", hours=25, close=60)]
    later = [market("r2", ticker="A", hours=10, close=40), market("r2", ticker="A2", hours=10, close=90)]
    later[1] = replace(later[1], event_ticker="E-A")

    assert event_clusters([*later, *first]) == event_clusters(first)


def test_a_market_that_ends_early_waits_for_the_evidence_until_its_cluster_is_due() -> None:
    """Otherwise an event that a later round adds to the cluster would change published evidence."""
    first, second = market(close=50), replace(market("r2", "U", hours=8, close=60), series_ticker="S")
    asked, results = {("r1", "T"): first}, {"T": result(hours=5)}

    def due(markets: dict[tuple[str, str], AskedMarket], hours: float) -> list[float | None]:
        found = cells(track=Track.BLIND, markets=markets, questions=[("a", *key) for key in markets], answers=[],
                      results=results, now=START + timedelta(hours=hours))  # fmt: skip
        return [cell.due_at for cell in found]

    assert due(asked, 6) == [math.inf]
    assert due(asked | {("r2", "U"): second}, 55) == [math.inf, math.inf]
    assert due(asked | {("r2", "U"): second}, 60) == [(START + timedelta(hours=60)).timestamp()] * 2
