"""Reports of one season, made one after the other while rounds are opened and results arrive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import AskedMarket, Result, Round, ScoredForecast
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.evidence import evidence
from coliseum.arena.season_cells.cells import MarketKey, asked_until, cells

START = datetime(2026, 11, 21, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def season(seed: int) -> tuple[dict[MarketKey, AskedMarket], list[ScoredForecast], dict[str, Result]]:
    """Events of nine series with up to three rounds. YES ends many of them early, and NO may be known late."""
    rng = random.Random(seed)
    markets: dict[MarketKey, AskedMarket] = {}
    answers: list[ScoredForecast] = []
    results: dict[str, Result] = {}
    for event in range(40):
        ticker, opened, length = f"T{event}", rng.randrange(90), rng.randrange(2, 16)
        yes = rng.random() < 0.5
        ends = opened + (rng.uniform(1, length) if yes else length + rng.choice([0, 0, 20]))
        results[ticker] = Result(
            ticker=ticker, version=1, result=rng.choice(["yes", "yes", "void"]) if yes else "no", value=Decimal(0),
            decided_at=at(ends), recorded_at=at(ends),
        )  # fmt: skip
        for hour in range(opened, min(int(ends), opened + length - 1, opened + 3)):
            asked = AskedMarket(
                round_id=f"r{hour:03}", ticker=ticker, event_ticker=f"E{event}", series_ticker=f"S{event % 9}",
                category="Weather", close_time=at(opened + length + (hour - opened) * rng.choice([0, 5])),
                q=Decimal("0.5"), yes_bid=Decimal("0.48"), yes_ask=Decimal("0.52"), volume_24h=Decimal(1), outcomes=1,
                mutually_exclusive=False, snapshot_at=at(hour),
            )  # fmt: skip
            markets[asked.round_id, ticker] = asked
            p = Decimal(rng.choice(["0.3", "0.6", "0.8"]))
            answers.append(
                ScoredForecast(round_id=asked.round_id, ticker=ticker, agent_id="a", p=p, created_at=asked.snapshot_at)
            )
    return markets, answers, results


def stakes(seed: int) -> Iterator[list[float]]:
    """The running evidence of the agent in a report for every hour. Rounds are open, and secret, for two hours."""
    markets, answers, results = season(seed)
    rounds = [
        Round(
            round_id=f"r{hour:03}", slot=at(hour), season="s", opened_at=at(hour), closes_at=at(hour + 2),
            status="closed", exchange="sandbox", seed=1, markets=1, funded_at=None,
        )
        for hour in range(100)
    ]  # fmt: skip
    for hour in range(130):
        now = at(hour)
        closed = {one.round_id for one in rounds if one.closes_at <= now}
        known_markets = {key: one for key, one in markets.items() if one.round_id in closed}
        known = {ticker: one for ticker, one in results.items() if one.recorded_at <= now}
        board = cells(
            track=Track.BLIND, markets=known_markets, questions=(), answers=answers, results=known,
            now=asked_until(rounds, now),
        )  # fmt: skip
        found = evidence(table_from_cells(board)).get("a")
        yield [] if found is None else found.log10.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_later_reports_only_extend_the_evidence_of_earlier_ones(seed: int) -> None:
    """So a published peak never falls, and the factor of a cluster never changes."""
    before: list[float] = []
    for running in stakes(seed):
        assert running[: len(before)] == pytest.approx(before)
        before = running

    assert len(before) > 5
