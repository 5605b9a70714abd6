"""The day's budget in the real database: many workers at once, never a cent beyond the cap."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.agents.budget.service import Budget, set_aside
from coliseum.arena.agents.lineup.service import field_season
from coliseum.arena.agents.roster import roster
from coliseum.arena.records import ArenaRecords
from coliseum.store.client import Store

D = Decimal
DAY = date(2026, 11, 21)


@pytest.fixture
def spent(postgres_server: PostgresServer) -> Callable[[], tuple[Decimal, Decimal]]:
    """(reserved, spent) of the day."""

    def read() -> tuple[Decimal, Decimal]:
        with psycopg.connect(postgres_server.dsn) as connection:
            row = connection.execute("select reserved_usd, spent_usd from arena_budget").fetchone()
        assert row is not None
        return row[0], row[1]

    return read


def test_many_workers_never_reserve_beyond_the_cap(store: Store, spent: Callable[[], tuple[Decimal, Decimal]]) -> None:
    budget = Budget(ArenaRecords(store), cap=D("1.00"))
    amounts = [D(Random(7).randint(1, 9)) / 100 for _ in range(60)]
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda amount: budget.reserve(DAY, amount), amounts))
    reserved, _ = spent()
    assert reserved == sum((amount for amount, well in zip(amounts, granted, strict=True) if well), D(0))
    assert reserved <= D("1.00")
    assert not all(granted)


def test_under_any_interleaving_nothing_is_lost_and_nothing_exceeded(
    store: Store, spent: Callable[[], tuple[Decimal, Decimal]]
) -> None:
    budget, cap = Budget(ArenaRecords(store), cap=D("0.50")), D("0.50")

    def work(seed: int) -> Decimal:
        """Reserve and settle for less, as a worker does; what it spent."""
        rng, total = Random(seed), D(0)
        for _ in range(6):
            amount = D(rng.randint(1, 12)) / 100
            if budget.reserve(DAY, amount):
                bill = amount * rng.randint(0, 10) / 10
                budget.settle(DAY, reserved=amount, spent=bill)
                total += bill
        return total

    with ThreadPoolExecutor(6) as pool:
        total = sum(pool.map(work, range(6)), D(0))
    assert spent() == (D(0), total)
    assert total <= cap


def test_a_whole_round_is_reserved_or_none_and_the_cheapest_come_first(
    store: Store, spent: Callable[[], tuple[Decimal, Decimal]]
) -> None:
    records = ArenaRecords(store)
    field_season(records, "2026Q4", has_key=True)
    models = [agent for agent in records.agents() if agent.kind == "llm"]
    funded = Budget(records, cap=D("0.30")).reserve_round(models, 4, day=DAY)
    assert 0 < len(funded) < len(models)
    costs = {agent.agent_id: set_aside(agent) * 2 * 4 for agent in models}
    assert max(costs[one] for one in funded) <= min(cost for one, cost in costs.items() if one not in funded)
    assert spent() == (sum((costs[one] for one in funded), D(0)), D(0))


def test_the_default_budget_reaches_for_a_round_of_every_model(store: Store) -> None:
    records = ArenaRecords(store)
    field_season(records, "2026Q4", has_key=True)
    models = [agent for agent in records.agents() if agent.kind == "llm"]
    assert len(Budget(records, cap=D(2)).reserve_round(models, 8, day=DAY)) == len(roster().models)


def test_days_are_apart(store: Store) -> None:
    budget = Budget(ArenaRecords(store), cap=D(1))
    assert budget.reserve(DAY, D(1))
    assert not budget.reserve(DAY, D("0.000001"))
    assert budget.reserve(datetime(2026, 11, 22, tzinfo=UTC).date(), D(1))
