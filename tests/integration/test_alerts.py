"""Alerts from the log to the services, against the real Postgres and Redis."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.integration.alert_world import IDENTITY, AlertWorld, Killed

from coliseum.alerts.facts import ExchangeFacts
from coliseum.alerts.outbox import LOG
from coliseum.errors import SourceRefused
from coliseum.feed.entries import EntryKind
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


@pytest.fixture
def world(store: Store, redis: Redis, prefix: str) -> AlertWorld:
    """Its poller runs and its bot is online; the first look is behind it."""
    world = AlertWorld(store, redis, prefix)
    world.poller()
    world.run()
    return world


def run(world: AlertWorld, times: int, *, after: float = 60) -> None:
    for _ in range(times):
        world.now += after
        world.beat()
        world.run(after=0)


def in_log(world: AlertWorld) -> list[str]:
    """The `alert` entries of the log, as `change id`."""
    entries = world.feed.latest(100).reading.entries
    return [f"{e.data['change']} {e.data['id']}" for e in entries if e.kind is EntryKind.ALERT]


def test_a_bot_that_is_offline_and_back_is_told_once_each_to_every_service_and_to_the_log(world: AlertWorld) -> None:
    world.poller(bot="offline")
    run(world, 4)
    world.poller()
    run(world, 3)
    raised, cleared = world.told()
    assert raised.partition(" ")[0] == cleared.partition(" ")[0]
    assert raised.startswith("bot_offline:all:")
    assert (raised.partition(" ")[2], cleared.partition(" ")[2]) == ("(raised)", "(cleared)")
    assert world.told(1) == [raised, cleared]
    assert [text.partition(" ")[0] for text in in_log(world)] == ["raised", "cleared"]


def test_a_short_outage_is_not_told(world: AlertWorld) -> None:
    world.poller(bot="offline")
    run(world, 2)
    world.poller()
    run(world, 4)
    assert world.told() == []


def test_a_poller_that_stops_is_told_and_says_nothing_of_the_bot(world: AlertWorld) -> None:
    world.poller(bot="offline", alive=False)
    for _ in range(10):
        world.run()
    assert [text.partition(":")[0] for text in world.told()] == ["no_poller"]


def test_lost_trades_are_told_once_also_when_the_log_begins_a_new_epoch(world: AlertWorld) -> None:
    """SSE-039"""
    world.gap(1)
    world.gap(2, lost=3, backfilled=3)
    run(world, 1)
    for key in (world.feed.keys.stream, world.feed.keys.meta, world.feed.keys.seen, world.feed.keys.known):
        world.redis.command("DEL", key)
    world.gap(1)
    world.poller()
    run(world, 3)
    assert len(world.told()) == 1
    assert world.told()[0].startswith("trades_lost:window-")


def test_what_the_log_dropped_before_a_look_is_read_from_the_history(world: AlertWorld) -> None:
    reading = world.feed.latest(1).reading
    world.gap(1)
    gap = world.feed.latest(1).reading.entries[0]
    row = {"epoch": reading.epoch, "seq": gap.id.seq, "ms": gap.id.ms, "kind": "source_gap", "data": gap.data}
    world.store.insert("feed_events", [{**row, "published_at": "2026-12-01T00:00:00Z"}])
    world.poller()
    world.redis.command("XTRIM", world.feed.keys.stream, "MAXLEN", 1)
    run(world, 1)
    assert [text.partition("-")[0] for text in world.told()] == ["trades_lost:window"]


def test_a_service_that_is_down_is_tried_again_and_delays_no_other(world: AlertWorld) -> None:
    down = world.names[0]
    world.services.down = {down}
    world.gap(1)
    run(world, 1)
    assert (len(world.told(0)), len(world.told(1))) == (0, 1)
    run(world, 5)
    world.services.down = set()
    run(world, 40)
    assert world.told(0) == world.told(1)


def test_a_service_that_stays_down_for_a_day_is_given_up_and_shown(world: AlertWorld) -> None:
    world.services.down = {world.names[0]}
    world.gap(1)
    run(world, 30, after=3600)
    rows = world.store.select("alert_deliveries", "service,status,attempts", where=[("service", "neq", LOG)])
    states = {row["service"]: row["status"] for row in rows}
    assert states == {world.names[0]: "undelivered", world.names[1]: "sent"}


def test_an_end_is_not_told_where_the_beginning_never_arrived(world: AlertWorld) -> None:
    world.services.down = {world.names[0]}
    world.poller(bot="offline")
    run(world, 26, after=3600)
    world.poller()
    world.services.down = set()
    run(world, 4)
    phases = {text.partition("(")[2] for text in world.told(0)}
    assert "cleared)" not in phases
    assert "cleared)" in {text.partition("(")[2] for text in world.told(1)}


def test_an_end_that_waits_for_a_beginning_is_untold_once_that_is_given_up(world: AlertWorld) -> None:
    world.services.down = {world.names[0]}
    world.poller(bot="offline")
    run(world, 10, after=3600)
    world.poller()
    run(world, 18, after=3600)
    rows = world.store.select("alert_deliveries", "phase,service,status", where=[("service", "eq", world.names[0])])
    statuses = {row["phase"]: row["status"] for row in rows}
    assert statuses.pop("raised") == "undelivered"
    assert "cleared" in statuses
    assert set(statuses.values()) == {"untold"}


def test_a_flood_comes_as_nine_messages_and_a_summary(world: AlertWorld) -> None:
    for number in range(26):
        world.gap(number)
    run(world, 1)
    messages = [message for name, message in world.services.taken if name == world.names[0]]
    assert len(messages) == 10
    assert messages[-1].title == "Coliseum: 17 more alerts"
    run(world, 3)
    assert len([name for name, _ in world.services.taken if name == world.names[0]]) == 10


def test_quiet_hours_hold_back_warnings_for_one_summary_and_let_critical_alerts_pass(
    store: Store, redis: Redis, prefix: str
) -> None:
    world = AlertWorld(store, redis, prefix, quiet="00:00-12:00 UTC")
    world.now = 1_796_083_200.0  # 2026-12-01T00:00:00Z
    world.poller()
    run(world, 1)
    world.gap(1)
    world.gap(2)
    run(world, 1)
    assert world.told() == []
    world.poller(bot="offline")
    run(world, 3)
    assert [text.partition(":")[0] for text in world.told()] == ["bot_offline"]
    world.poller()
    run(world, 14, after=3600)
    ends = [message.title for name, message in world.services.taken if name == world.names[0]]
    assert "Coliseum: 2 more alerts" in ends


def test_a_muted_rule_is_kept_in_the_history_and_not_sent(world: AlertWorld) -> None:
    world.store.rpc("alerts_mute", {"p_owner": IDENTITY.label, "p_rule": "trades_lost", "p_seconds": 3600})
    world.store.rpc("alerts_mute", {"p_owner": IDENTITY.label, "p_rule": "bot_idle", "p_seconds": 3600})
    world.now = time.time()  # a mute is in the database's time
    world.poller()
    world.gap(1)
    run(world, 2)
    assert world.told() == []
    assert [text.partition(":")[0] for text in in_log(world)] == ["noted trades_lost"]


def test_a_mute_of_more_than_seven_days_is_refused(world: AlertWorld) -> None:
    with pytest.raises(SourceRefused):
        world.store.rpc("alerts_mute", {"p_owner": IDENTITY.label, "p_rule": "*", "p_seconds": 8 * 86_400})


def test_two_runs_at_once_store_one_look(world: AlertWorld) -> None:
    """The slower one is refused by the version, and its alert is not raised twice."""
    world.gap(1)
    inside: list[object] = []

    def step(name: str) -> None:
        if name == "before commit" and not inside:
            inside.append(name)
            world.run(after=0)

    world.records.step = step
    world.beat()
    report = world.run()
    assert report is not None
    assert report.problem == "another run was faster"
    run(world, 2)
    assert len(world.told()) == 1


STEPS = (
    "before commit",
    "after commit",
    "before claim",
    "after claim",
    "before sending",
    "after sending",
    "before mark",
)


@pytest.mark.parametrize("place", STEPS)
def test_a_run_that_is_killed_loses_no_alert_and_changes_no_id(world: AlertWorld, place: str) -> None:
    def step(name: str) -> None:
        if name == place:
            raise Killed

    world.gap(1)
    world.records.step = step
    world.services.step = step
    run(world, 1)
    world.records.step = lambda _: None
    world.services.step = lambda _: None
    run(world, 4)
    for service in (0, 1):
        assert len(set(world.told(service))) == 1
    assert len(in_log(world)) == 1


def test_a_loss_of_the_day_counts_deposits_and_has_two_limits(
    world: AlertWorld, postgres_server: PostgresServer
) -> None:
    day = int(world.now) // 86_400 * 86_400
    store_row = {"taken_at": datetime.fromtimestamp(day + 60, UTC).isoformat(), "cash": "1000", "portfolio_value": "0"}
    world.store.insert("balance_snapshots", [{**store_row, "source": "kalshi"}])
    for equity, moved in [("955", 0), ("945", -10), ("945", 0), ("955", 0), ("961", 0)]:
        transfers = ((world.now, Decimal(moved)),) if moved else ()
        world.exchange.facts = ExchangeFacts(equity=Decimal(equity), transfers=transfers)
        world.exchange.moved = transfers
        run(world, 1)
    told = [text for text in world.told() if text.startswith("day_loss")]
    assert [text.partition("(")[2] for text in told] == ["raised)", "cleared)"]


def test_positions_that_differ_are_told_after_ten_minutes(world: AlertWorld, postgres_server: PostgresServer) -> None:
    assert IDENTITY.account == "production/x"
    postgres_server.execute(
        "insert into public.account_books (account) values ('production/x');"
        " insert into public.account_holdings (account, ticker, contracts, basis)"
        " values ('production/x', 'KXA-26-B', 10, 5)"
    )
    world.exchange.facts = ExchangeFacts(positions={"KXA-26-B": Decimal(9)}, closes={"KXA-26-B": world.now + 3000})
    run(world, 9)
    assert [text.partition(":")[0] for text in world.told()] == ["closing"]
    run(world, 3)
    assert [text.partition(":")[0] for text in world.told()] == ["closing", "books_differ"]
    world.exchange.facts = replace(world.exchange.facts, positions={"KXA-26-B": Decimal(10)})
    run(world, 1)
    assert world.told()[-1].endswith("(cleared)")


def test_the_daily_digest_is_sent_once_a_day(store: Store, redis: Redis, prefix: str) -> None:
    world = AlertWorld(store, redis, prefix, digest="08:00 UTC")
    world.poller()
    run(world, 72, after=3600)
    assert [text.rpartition(":")[0].partition(":")[0] for text in world.told()] == ["digest"] * 3
    assert len(set(world.told())) == 3


def test_a_quiet_look_costs_one_read_of_redis_and_one_call_of_postgres(
    world: AlertWorld, redis_server: RedisServer
) -> None:
    world.beat()
    world.run()
    redis_server.reset_meter()
    world.run()
    assert redis_server.billed() == {"HMGET": 1, "GET": 1, "XRANGE": 1}
