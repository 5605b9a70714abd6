"""The day's spending is the sum of the attempts' costs, whatever the workers do."""

from __future__ import annotations

from decimal import Decimal

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.postgres import PostgresServer
from tests.functions.asked_round import MODELS, ask
from tests.integration.test_llm_budget import finish

from coliseum.arena.agents.attempts import MAX_ATTEMPTS
from coliseum.arena.agents.budget import Budget
from coliseum.store.client import Store

CAP = Decimal("0.50")
CENTS = st.decimals(0, Decimal("0.20"), places=6)
STEP = st.tuples(
    st.integers(0, 3), st.sampled_from(["done", "failed", "pending", "skipped", "postponed"]), CENTS, CENTS
)


def sums(server: PostgresServer) -> tuple[Decimal, Decimal, Decimal]:
    """(reserved, spent) of the day and the sum of the attempts' costs, in dollars."""
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(
            "select coalesce(sum(reserved_usd), 0), coalesce(sum(spent_usd), 0),"
            " (select coalesce(sum(cost_usd), 0) from arena_attempts) from arena_budget"
        ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=12))
def test_the_days_sum_is_the_attempts_sum_after_every_step(
    store: Store, postgres_server: PostgresServer, steps: list[tuple[int, str, Decimal, Decimal]]
) -> None:
    postgres_server.empty()
    world = ask(store)
    budget = Budget(world.records, cap=CAP)
    wanted = [world.decision(agent, track) for agent in MODELS for track in ("blind", "aware")]
    for number, end, amount, bill in steps:
        leased = world.records.lease_decision(wanted[number], seconds=60)
        if leased is None:  # its decision has ended
            continue
        if not budget.reserve(wanted[number], amount) or end == "skipped":
            world.records.finish_decision(wanted[number], status="skipped", lease=leased.attempt, reason="budget")
        elif end == "postponed":
            world.records.postpone_decision(wanted[number], lease=leased.attempt, reason="circuit_open:timeout")
        else:
            status = "failed" if end == "pending" and leased.attempt >= MAX_ATTEMPTS else end
            finish(world, wanted[number], leased.attempt, bill, status)
        reserved, spent, attempts = sums(postgres_server)
        assert spent == attempts
        waiting = sum((row.reserved for row in world.records.decisions(world.round_id)), Decimal(0))
        assert reserved == waiting >= 0
