"""The daily budget in the real database: never more than the cap, and every cent is accounted for."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.functions.asked_round import MODELS, TICKER, AskedRound, ask
from tests.integration.arena_world import behind, end_round, forecast_row

from coliseum.arena.agents.budget import Budget, reservation_per_decision, warn_when_nearly_spent
from coliseum.arena.agents.roster import roster
from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import Agent
from coliseum.config import Settings
from coliseum.store.client import Store

D = Decimal
HAIKU = MODELS[0]
Totals = Callable[[], tuple[Decimal, Decimal]]


@pytest.fixture
def totals(postgres_server: PostgresServer) -> Totals:
    """(reserved, spent) of all days."""

    def read() -> tuple[Decimal, Decimal]:
        with psycopg.connect(postgres_server.dsn) as connection:
            row = connection.execute(
                "select coalesce(sum(reserved_usd), 0), coalesce(sum(spent_usd), 0) from arena_budget"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    return read


def round_of_all_models(store: Store, tickers: int) -> AskedRound:
    """A round of every model over `tickers` markets."""
    models = [row["agent_id"] for row in roster().models]
    return ask(store, models=models, tickers=[f"{TICKER}{number}" for number in range(tickers)])


def models(world: AskedRound) -> list[Agent]:
    return [agent for agent in world.records.agents() if agent.kind == "llm"]


def attempt(decision: str, number: int, cost: Decimal | None) -> dict[str, object]:
    started = datetime.now(UTC).isoformat()
    billed = {"cost_usd": None if cost is None else str(cost), "cost_source": None if cost is None else "billed"}
    return {"decision_id": decision, "attempt": number, "started_at": started, "latency_ms": 1, **billed}


def finish(world: AskedRound, decision: str, lease: int, cost: Decimal, status: str = "failed") -> bool:
    round_id, ticker, agent_id, track = decision.split("/")
    forecast = forecast_row(round_id, agent=agent_id, ticker=ticker, track=Track(track)) if status == "done" else None
    return world.records.finish_decision(
        decision,
        status=status,
        reason="timeout",
        lease=lease,
        attempt=attempt(decision, lease, cost),
        forecast=forecast,
    )


def test_many_workers_never_reserve_more_than_the_cap(store: Store, totals: Totals) -> None:
    world = round_of_all_models(store, 4)
    budget = Budget(world.records, cap=D("1.00"))
    decisions = [row.decision_id for row in world.records.decisions(world.round_id) if row.agent_id != "consensus"][:60]
    amounts = [D(Random(7).randint(1, 9)) / 100 for _ in decisions]
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(budget.reserve, decisions, amounts))
    reserved, _ = totals()
    assert reserved == sum((amount for amount, well in zip(amounts, granted, strict=True) if well), D(0))
    assert reserved <= D("1.00")
    assert not all(granted)


def test_under_any_interleaving_no_money_is_lost_and_the_cap_holds(store: Store, totals: Totals) -> None:
    world = round_of_all_models(store, 4)
    cap = D("0.50")
    budget = Budget(world.records, cap=cap)
    all_of_them = [row.decision_id for row in world.records.decisions(world.round_id)]

    def work(seed: int) -> Decimal:
        """Lease, reserve, finish for less, as a worker does; what it spent."""
        rng, total = Random(seed), D(0)
        for decision in all_of_them[seed * 6 : seed * 6 + 6]:
            leased = world.records.lease_decision(decision, seconds=60)
            assert leased is not None
            amount = D(rng.randint(1, 12)) / 100
            if budget.reserve(decision, amount):
                bill = amount * rng.randint(0, 10) / 10
                assert finish(world, decision, leased.attempt, bill)
                total += bill
        return total

    with ThreadPoolExecutor(6) as pool:
        total = sum(pool.map(work, range(6)), D(0))
    assert totals() == (D(0), total)
    assert total <= cap


def test_a_whole_round_is_reserved_or_none_and_the_cheapest_come_first(store: Store, totals: Totals) -> None:
    world = round_of_all_models(store, 4)
    agents = models(world)
    round_row = world.records.round(world.round_id)
    Budget(world.records, cap=D("0.30")).fund(agents, round_row)
    Budget(world.records, cap=D(9)).fund(agents, world.records.round(world.round_id))  # once
    skipped = {row.agent_id for row in world.records.decisions(world.round_id, status="skipped")}
    funded = {agent.agent_id for agent in agents} - skipped
    assert funded
    assert skipped
    costs = {agent.agent_id: reservation_per_decision(agent) * 2 * 4 for agent in agents}
    assert max(costs[row] for row in funded) <= min(costs[row] for row in skipped)
    assert totals() == (sum((costs[row] for row in funded), D(0)), D(0))
    reserved = {row.agent_id: row.reserved for row in world.records.decisions(world.round_id, status="pending")}
    assert all(
        (reserved[agent.agent_id] == reservation_per_decision(agent)) for agent in agents if agent.agent_id in funded
    )


def test_the_default_budget_reaches_for_a_default_round_of_every_model(store: Store) -> None:
    defaults = Settings()
    world = round_of_all_models(store, defaults.round_markets)
    budget = Budget(world.records, cap=defaults.arena_daily_budget_usd)
    budget.fund(models(world), world.records.round(world.round_id))
    assert world.records.decisions(world.round_id, status="skipped") == ()


def test_a_round_pays_out_of_the_day_on_which_it_was_opened(
    store: Store, totals: Totals, postgres_server: PostgresServer
) -> None:
    world = ask(store, models=(HAIKU,))
    budget, decision = Budget(world.records, cap=D(1)), world.decision(HAIKU, "blind")
    behind(postgres_server, "insert into arena_budget values (now()::date - 1, 'global', 1, 1, 0)")
    assert budget.reserve(decision, D(1))
    assert not budget.reserve(decision, D("0.000001"))
    assert totals() == (D(2), D(0))


# ---------------------------------------------------------------- workers that die


@pytest.fixture
def paid(store: Store) -> tuple[AskedRound, str, str]:
    """A funded round and its two decisions. A worker took the blind one and then died."""
    world = ask(store, models=(HAIKU,))
    Budget(world.records, cap=D(2)).fund(models(world), world.records.round(world.round_id))
    blind, aware = world.decision(HAIKU, "blind"), world.decision(HAIKU, "aware")
    assert world.records.lease_decision(blind, seconds=60) is not None
    return world, blind, aware


EACH = D("0.00195")


def lose_leases(server: PostgresServer) -> None:
    server.execute("update arena_decisions set lease_until = now() - interval '1 s' where lease_until is not null")


def test_a_dead_workers_reservation_counts_as_spent_and_unused_money_is_released(
    paid: tuple[AskedRound, str, str], totals: Totals, postgres_server: PostgresServer
) -> None:
    world, _, _ = paid
    assert totals() == (2 * EACH, D(0))
    end_round(postgres_server, world.round_id)
    assert world.records.close_round(world.round_id)
    assert totals() == (EACH, D(0)), "the aware decision never ran; the worker of the blind one may still finish"
    world.records.hand_out(again_seconds=600, attempts=3)
    assert totals() == (EACH, D(0))
    lose_leases(postgres_server)
    world.records.hand_out(again_seconds=600, attempts=3)
    assert totals() == (D(0), EACH)
    assert {row.reserved for row in world.records.decisions(world.round_id)} == {D(0)}


def test_a_worker_that_finishes_after_the_close_is_counted_at_its_bill(
    paid: tuple[AskedRound, str, str], totals: Totals, postgres_server: PostgresServer
) -> None:
    world, blind, _ = paid
    end_round(postgres_server, world.round_id)
    world.records.close_round(world.round_id)
    assert finish(world, blind, 1, D("0.0007")) is False
    assert world.status(HAIKU, "blind") == ("failed", 1, "round_closed")
    assert totals() == (D(0), D("0.0007"))


def test_a_worker_that_finishes_after_its_lease_expired_is_not_counted_twice(
    paid: tuple[AskedRound, str, str], totals: Totals, postgres_server: PostgresServer
) -> None:
    world, blind, _ = paid
    lose_leases(postgres_server)
    second_lease = world.records.lease_decision(blind, seconds=60)
    assert second_lease is not None
    assert (second_lease.attempt, second_lease.reserved) == (2, D(0))
    assert totals() == (EACH, EACH)
    assert Budget(world.records, cap=D(2)).reserve(blind, EACH)
    assert finish(world, blind, 1, D("0.0007")) is False
    assert totals() == (2 * EACH, EACH), "the first attempt has been written off, the second one's money stays"
    assert finish(world, blind, 2, D("0.0009"))
    assert finish(world, blind, 2, D("0.0009")) is False
    assert totals() == (EACH, EACH + D("0.0009"))


def test_money_of_a_worker_that_dies_after_another_has_answered_counts_as_spent(
    paid: tuple[AskedRound, str, str], totals: Totals, postgres_server: PostgresServer
) -> None:
    world, blind, _ = paid
    lose_leases(postgres_server)
    assert world.records.lease_decision(blind, seconds=0) is not None
    assert Budget(world.records, cap=D(2)).reserve(blind, EACH)
    assert finish(world, blind, 1, D("0.0007"), status="done")
    assert totals() == (2 * EACH, EACH), "the second worker may still finish"
    world.records.hand_out(again_seconds=600, attempts=3)
    assert totals() == (EACH, 2 * EACH)


def test_a_decision_that_fails_for_its_lost_leases_leaves_no_money_reserved(
    paid: tuple[AskedRound, str, str], totals: Totals, postgres_server: PostgresServer
) -> None:
    world, blind, _ = paid
    lose_leases(postgres_server)
    world.records.hand_out(again_seconds=600, attempts=1)
    assert world.status(HAIKU, "blind") == ("failed", 1, "lease_expired")
    assert totals() == (EACH, EACH)
    assert world.records.finish_decision(blind, status="skipped", lease=1) is False
    assert totals() == (EACH, EACH)


def test_a_decision_that_is_not_made_releases_its_money(paid: tuple[AskedRound, str, str], totals: Totals) -> None:
    world, blind, _ = paid
    assert world.records.finish_decision(blind, status="skipped", lease=1, reason="circuit_open:timeout")
    assert totals() == (EACH, D(0))


def test_the_low_budget_warning_comes_once_a_day(
    paid: tuple[AskedRound, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    world, blind, _ = paid
    assert not warn_when_nearly_spent(world.records)
    assert Budget(world.records, cap=D("0.01")).reserve(blind, D("0.006"))
    finish(world, blind, 1, D("0.0079"))
    assert not warn_when_nearly_spent(world.records)
    leased = world.records.lease_decision(world.decision(HAIKU, "aware"), seconds=60)
    assert leased is not None
    finish(world, leased.decision_id, 1, D("0.0001"))
    assert [warn_when_nearly_spent(world.records) for _ in range(2)] == [True, False]
    metric = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "BudgetNearlySpent" in line]
    assert [line["BudgetNearlySpent"] for line in metric] == [[1.0]]
