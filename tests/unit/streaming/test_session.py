"""One connection from its beginning to its end, on a clock of the test."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.unit.streaming.whatwg import Interpreter
from tests.unit.streaming.world import BEGAN_MS, Client, World, names, trade_ids

from coliseum.feed.entries import START, EntryId, EntryKind
from coliseum.feed.timestamps import rfc3339
from coliseum.streaming.encode import KEEPALIVE
from coliseum.streaming.session import Write
from coliseum.streaming.subscription import Earliest, Resume, Since


@pytest.fixture
def world() -> World:
    return World()


def ids_of(client: Client) -> dict[str, str]:
    """The id in force after the last event of each name."""
    return {each.type: each.last_event_id for each in Interpreter().read(client.bytes_in).dispatched}


def test_a_fresh_client_gets_ready_snapshot_and_status_and_then_live_events(world: World) -> None:
    """SSE-020, SSE-025, SSE-031."""
    world.publish("OLD-1")
    client = Client(world)
    assert names(client.pump()) == ["ready", "snapshot", "bot_status"]
    world.publish("A-1")
    assert trade_ids(client.pump()) == ["e1/2"]


def test_ready_holds_everything_a_client_needs_to_judge_its_stream(world: World) -> None:
    """SSE-021."""
    world.publish("A-1", "A-2")
    ready = dict(Client(world, tickers=frozenset({"A-1"})).pump())["ready"]
    assert ready["epoch"] == "e1"
    assert ready["head"] == str(world.head)
    assert ready["oldest"] == str(world.entries[0].id)
    assert ready["resumed"] is False
    assert ready["filters"]["tickers"] == ["A-1"]
    assert "new_trades" in ready["filters"]["events"]
    assert (ready["session_max_seconds"], ready["heartbeat_seconds"]) == (240, 30)


def test_ready_and_snapshot_say_which_exchange_account_and_bot_the_log_belongs_to(world: World) -> None:
    """SSE-021, SSE-025."""
    events = dict(Client(world).pump())
    assert events["ready"]["identity"] == events["snapshot"]["identity"]
    assert (events["ready"]["identity"]["exchange"], events["ready"]["identity"]["account"]) == ("sandbox", "sandbox/a")


def test_ready_carries_the_time_to_wait_before_reconnecting(world: World) -> None:
    """SSE-015."""
    client = Client(world)
    client.pump()
    assert Interpreter().read(client.bytes_in).reconnection_ms == 1500


def test_ready_carries_the_accepted_id_only_on_a_clean_resume(world: World) -> None:
    """SSE-022."""
    first, second = world.publish("A-1", "A-2")
    resumed = Client(world, start=Resume(first.id))
    events = resumed.pump()
    assert events[0][1]["resumed"] is True
    assert ids_of(resumed)["ready"] == str(first.id)
    assert trade_ids(events) == [second.data["trade_id"]]
    fresh = Client(world)
    fresh.pump()
    assert ids_of(fresh)["ready"] == ""


def test_a_clean_resume_needs_no_snapshot_but_gets_one_when_it_asks(world: World) -> None:
    """SSE-025."""
    (first,) = world.publish("A-1")
    assert "snapshot" not in names(Client(world, start=Resume(first.id)).pump())
    assert "snapshot" in names(Client(world, start=Resume(first.id), snapshot="always").pump())
    assert "snapshot" not in names(Client(world, snapshot="none").pump())


def test_a_snapshot_is_the_state_at_its_own_id_and_ends_the_replay(world: World) -> None:
    """SSE-025."""
    world.publish("A-1", "B-1")
    world.view.bot = {"status": "online"}
    client = Client(world, tickers=frozenset({"B-1"}))
    snapshot = dict(client.pump())["snapshot"]
    assert snapshot["head"] == ids_of(client)["snapshot"] == str(world.head)
    assert snapshot["live"] is True
    assert snapshot["bot"] == {"status": "online"}
    assert [trade["ticker"] for trade in snapshot["trades"]] == ["B-1"]


def test_the_bots_status_comes_once_on_connect_without_an_id_and_then_on_change(world: World) -> None:
    """SSE-031."""
    world.view.bot = {"status": "online", "trades": 3}
    client = Client(world, stream="status")
    events = client.pump()
    assert [data for name, data in events if name == "bot_status"] == [{"status": "online", "trades": 3}]
    assert b'event: bot_status\ndata: {"status":"online","trades":3}\n\n' in client.bytes_in
    world.publish("", kind=EntryKind.BOT_STATUS)
    assert names(client.pump()) == ["bot_status"]


def test_a_bot_without_a_report_is_offline_with_unknown_trades(world: World) -> None:
    status = dict(Client(world).pump())["bot_status"]
    assert status == {
        "status": "offline",
        "since": None,
        "trades": None,
        "detail": "the poller has not reported yet",
        "mode": None,
        "mode_as_of": None,
        "mode_warning": None,
        "clock_ahead_seconds": None,
        "unconfirmed": None,
    }


def test_a_stream_without_status_sends_none(world: World) -> None:
    """SSE-040."""
    assert "bot_status" not in names(Client(world, stream="trades").pump())


def test_trimmed_history_is_a_gap_with_its_exact_size_then_replay_then_snapshot(world: World) -> None:
    """SSE-023."""
    entries = world.publish(*["A-1"] * 30)
    world.trim(keep=10)
    client = Client(world, start=Resume(entries[4].id))
    events = client.pump()
    assert names(events) == ["ready", "gap", "new_trades", "snapshot", "bot_status"]
    assert events[1][1]["lost"] == 15
    assert events[1][1]["from"] == str(entries[4].id)
    assert events[1][1]["to"].endswith("-20")
    assert events[1][1]["reason"] == "trimmed"
    assert trade_ids(events) == [entry.data["trade_id"] for entry in entries[20:]]


def test_a_live_client_gets_a_gap_at_once_when_its_history_is_trimmed(world: World) -> None:
    """SSE-023: contiguity is checked on every read, not only on connect."""
    world.publish("A-1")
    client = Client(world)
    client.pump()
    world.ring_follows = False
    world.publish(*["A-1"] * 500)
    world.trim(keep=10)
    events = client.pump()
    assert names(events) == ["gap", "new_trades", "snapshot", "bot_status"]
    assert events[0][1]["lost"] == 490


def test_a_client_cut_between_gap_and_snapshot_gets_the_gap_again(world: World) -> None:
    """SSE-024."""
    entries = world.publish(*["A-1"] * 30)
    world.trim(keep=10)
    client = Client(world, start=Resume(entries[4].id), last_event_id=str(entries[4].id))
    client.pump()
    client.last_event_id = str(entries[4].id)
    received = client.cut(client.bytes_in.index(b"event: new_trades"))
    assert names(received) == ["ready", "gap"]
    client.connect()
    assert names(client.pump())[:2] == ["ready", "gap"]


def test_a_client_cut_between_reset_and_snapshot_gets_the_reset_again(world: World) -> None:
    """SSE-024."""
    (first,) = world.publish("A-1")
    world.now += 10
    world.new_epoch()
    client = Client(world, last_event_id=str(first.id))
    client.pump()
    client.last_event_id = str(first.id)
    assert names(client.cut(client.bytes_in.index(b"event: snapshot"))) == ["ready", "reset"]
    client.connect()
    assert names(client.pump())[:2] == ["ready", "reset"]


def test_a_new_epoch_resets_a_returning_client_and_replays_what_the_new_log_holds(world: World) -> None:
    """SSE-026."""
    (first,) = world.publish("A-1")
    world.now += 10
    world.new_epoch()
    world.publish("B-1", "B-2")
    events = Client(world, start=Resume(first.id)).pump()
    assert names(events) == ["ready", "reset", "new_trades", "snapshot", "bot_status"]
    assert events[1][1]["reason"] == "epoch"
    assert trade_ids(events) == ["e1'/1", "e1'/2"]


def test_a_new_epoch_resets_a_live_client_too(world: World) -> None:
    """SSE-026."""
    world.publish("A-1")
    client = Client(world)
    client.pump()
    world.new_epoch()
    world.publish("B-1")
    events = client.pump()
    assert names(events) == ["reset", "new_trades", "snapshot", "bot_status"]


def test_the_first_epoch_ever_is_no_reset_for_clients_that_waited_for_it() -> None:
    world = World()
    world.view.ring.epoch = None
    client = Client(world)
    client.pump()
    world.view.ring.restart("e1", START, same_history=True)
    world.publish("A-1")
    assert names(client.pump()) == ["new_trades"]


def test_a_cursor_ahead_of_the_log_is_believed_for_three_seconds(world: World) -> None:
    """SSE-027: it may be a replica that lags."""
    world.publish("A-1")
    client = Client(world, start=Resume(EntryId(world.wall_ms + 5000, 9)))
    assert client.run(2.5) == []
    events = client.run(1.5)
    assert names(events) == ["ready", "reset", "snapshot", "bot_status"]
    assert events[1][1]["reason"] == "ahead"


def test_a_replica_that_catches_up_in_time_is_a_clean_resume(world: World) -> None:
    """SSE-027."""
    world.publish("A-1")
    ahead = EntryId(world.wall_ms, 2)
    client = Client(world, start=Resume(ahead))
    assert client.run(1.0) == []
    world.now -= 1.0
    world.publish("A-1")
    world.now += 1.0
    events = client.run(1.0)
    assert names(events)[0] == "ready"
    assert "reset" not in names(events)


def test_a_log_that_lost_its_tail_resets_only_the_clients_that_saw_it(world: World) -> None:
    """SSE-027."""
    entries = world.publish(*["A-1"] * 10)
    ahead = Client(world)
    ahead.pump()
    behind = Client(world, start=Resume(entries[3].id))
    behind.pump(most_sends=1)
    world.rewind(seq=8)
    events = ahead.pump()
    assert names(events) == ["reset", "snapshot", "bot_status"]
    assert events[0][1]["reason"] == "ahead"
    world.now += 1
    world.publish("B-1")
    assert trade_ids(ahead.pump()) == ["e1/9"]


def test_entries_older_than_the_ring_come_from_redis_without_a_seam(world: World) -> None:
    """SSE-028."""
    entries = world.publish(*["A-1"] * 450)
    world.forget_ring()
    client = Client(world, start=Resume(entries[9].id))
    events = client.pump()
    assert trade_ids(events) == [entry.data["trade_id"] for entry in entries[10:]]
    assert world.fetches >= 3


def test_replay_is_written_in_chunks_of_two_hundred_entries(world: World) -> None:
    """SSE-028."""
    world.publish(*["A-1"] * 450)
    client = Client(world, start=Earliest())
    client.session.advance(world.view, world.now, world.wall_ms)
    sizes = []
    while isinstance(step := client.session.advance(world.view, world.now, world.wall_ms), Write):
        sizes.append(step.entries)
    assert max(sizes) <= 200


def test_a_cut_inside_the_replay_goes_on_from_the_last_id(world: World) -> None:
    """SSE-028."""
    world.publish(*["A-1"] * 450)
    client = Client(world, start=Earliest())
    client.pump(most_sends=2)
    seen = trade_ids(client.cut())
    assert 0 < len(seen) < 450
    client.connect()
    seen += trade_ids(client.pump())
    assert seen == [f"e1/{number}" for number in range(1, 451)]


def test_a_cut_at_every_byte_of_a_stream_loses_nothing_and_repeats_nothing(world: World) -> None:
    """SSE-002, SSE-013."""
    count = 50 if os.environ.get("COLISEUM_SOAK") else 10
    for _ in range(count):
        world.publish("A-1")
        world.publish("", kind=EntryKind.BOT_STATUS)  # parts the trades: an event each
    client = Client(world, stream="trading", start=Earliest())
    client.pump()
    whole = client.bytes_in
    for cut in range(len(whole) + 1):
        client.bytes_in, client.last_event_id = whole, ""
        seen = trade_ids(client.cut(cut))
        client.connect()
        client.pump()
        assert seen + trade_ids(client.events()) == [f"e1/{number}" for number in range(1, 2 * count, 2)]


def test_since_a_time_begins_with_the_first_entry_at_or_after_it(world: World) -> None:
    """SSE-051."""
    world.publish("A-1")
    world.now += 60
    world.publish("A-2")
    since = world.wall_ms
    for forget in (False, True):
        if forget:
            world.forget_ring()
        assert trade_ids(Client(world, start=Since(since)).pump()) == ["e1/2"]
        assert trade_ids(Client(world, start=Since(since + 1)).pump()) == []
        assert trade_ids(Client(world, start=Since(0)).pump()) == ["e1/1", "e1/2"]


def test_earliest_begins_with_the_oldest_entry_kept_and_calls_nothing_lost(world: World) -> None:
    """SSE-051."""
    world.publish(*["A-1"] * 20)
    world.trim(keep=5)
    events = Client(world, start=Earliest()).pump()
    assert "gap" not in names(events)
    assert len(trade_ids(events)) == 5


def test_entries_of_other_markets_move_the_position_but_not_the_wire(world: World) -> None:
    """SSE-042."""
    client = Client(world, tickers=frozenset({"NEVER-1"}))
    client.pump()
    world.publish(*["A-1"] * 30)
    assert client.pump() == []
    heartbeat = dict(client.run(31))["heartbeat"]
    assert heartbeat["last_event_id"] == str(world.head) == client.last_event_id


def test_a_filtered_client_that_got_a_heartbeat_comes_back_without_a_false_gap(world: World) -> None:
    """SSE-042: the filter matched nothing for longer than the log is kept."""
    client = Client(world, tickers=frozenset({"NEVER-1"}))
    client.pump()
    world.publish(*["A-1"] * 500)
    client.run(31)
    world.trim(keep=1)
    client.connect()
    assert "gap" not in names(client.pump())


def test_a_heartbeat_comes_every_thirty_seconds_with_what_a_client_needs_to_trust_it(world: World) -> None:
    """SSE-032, SSE-033."""
    world.report()
    client = Client(world)
    client.pump()
    world.publish("A-1")
    world.now += 0.007
    client.pump()
    world.now -= 0.007
    beats = [data for name, data in client.run(95) if name == "heartbeat"]
    assert len(beats) == 3
    assert beats[0] == {
        "timestamp": (BEGAN_MS + 1_030_000) / 1000,
        "last_event_id": str(world.head),
        "cursor": str(world.head),
        "seq": 1,
        "epoch": "e1",
        "poll_ok_at": rfc3339(BEGAN_MS + 1_000_000),
        "bot_ok_at": rfc3339(BEGAN_MS + 1_000_000),
        "lag_ms": 7,
        "delivered": 1,
        "stale": [],
    }


def test_silence_is_broken_by_a_comment_every_ten_seconds(world: World) -> None:
    """SSE-014."""
    client = Client(world)
    client.pump()
    before = len(client.bytes_in)
    client.run(25)
    assert client.bytes_in[before:] == KEEPALIVE * 2


def test_stale_and_fresh_are_sent_once_each_and_on_connect_while_stale(world: World) -> None:
    """SSE-060, SSE-062."""
    client = Client(world)
    client.pump()
    world.stale("poller", "bot")
    assert client.pump() == [
        ("stale", {"source": "poller", "last_ok_at": None}),
        ("stale", {"source": "bot", "last_ok_at": None}),
    ]
    world.stale("bot")
    assert client.pump() == [("fresh", {"source": "poller"})]
    assert ("stale", {"source": "bot", "last_ok_at": None}) in Client(world).pump()
    assert ids_of(client)["stale"] == ids_of(client)["snapshot"]


def test_rotation_sends_closing_with_the_cursor_and_a_time_to_come_back(world: World) -> None:
    """SSE-070."""
    client = Client(world, tickers=frozenset({"NEVER-1"}), settings={"ends_at": world.now + 12})
    client.pump()
    world.publish("A-1")
    events = client.run(13)
    assert names(events) == ["heartbeat", "closing"]
    assert events[1][1] == {"reason": "rotate", "cursor": str(world.head)}
    assert client.closed == "rotate"
    assert client.last_event_id == str(world.head)


def test_a_drained_session_ends_in_time_with_reason_shutdown(world: World) -> None:
    """SSE-072."""
    client = Client(world)
    client.pump()
    client.session.drain(world.now + 3)
    assert dict(client.run(5))["closing"]["reason"] == "shutdown"


def test_a_drain_later_than_the_rotation_changes_nothing(world: World) -> None:
    client = Client(world, settings={"ends_at": world.now + 2})
    client.session.drain(world.now + 3)
    assert dict(client.run(5))["closing"]["reason"] == "rotate"


def test_a_ticket_that_ends_ends_the_session(world: World) -> None:
    """SSE-083."""
    client = Client(world, settings={"expires_at": world.now + 5})
    assert dict(client.run(6))["closing"]["reason"] == "auth_expired"


def test_without_redis_a_new_client_gets_stale_and_closing_with_a_long_retry() -> None:
    """SSE-064."""
    world = World()
    world.view.loaded = False
    world.view.redis.down_since = world.now
    client = Client(world)
    assert client.pump() == []
    events = client.run(3)
    assert names(events) == ["ready", "stale", "closing"]
    assert events[0][1]["degraded"] is True
    assert events[0][1]["head"] is None
    assert events[1][1]["source"] == "redis"
    assert events[2][1]["reason"] == "redis"
    assert Interpreter().read(client.bytes_in).reconnection_ms == 9000
    assert ids_of(client)["closing"] == ""


def starting_world() -> World:
    """A process that Redis has not answered yet and that waits 15 s for the first answer."""
    world = World()
    world.view.loaded = False
    world.view.redis.first_answer_due = world.now + 15
    return world


def test_a_client_of_a_starting_process_waits_for_the_first_answer_of_redis() -> None:
    """SSE-066."""
    world = starting_world()
    world.view.redis.down_since = world.now  # the first reads failed, and the reader repeats them
    client = Client(world)
    assert client.run(14) == []
    assert client.bytes_in == KEEPALIVE
    world.view.loaded, world.view.redis.down_since, world.view.redis.first_answer_due = True, None, 0.0
    assert names(client.pump()) == ["ready", "snapshot", "bot_status"]
    assert client.closed is None


def test_a_starting_process_without_an_answer_in_time_closes_its_clients() -> None:
    """SSE-066."""
    world = starting_world()
    client = Client(world)
    assert names(client.run(16)) == ["ready", "stale", "closing"]
    assert client.closed == "redis"


def test_a_client_that_comes_late_to_a_starting_process_has_its_own_two_seconds() -> None:
    """SSE-064."""
    world = starting_world()
    world.now += 14.5
    client = Client(world)
    assert client.run(1.5) == []
    assert names(client.run(1)) == ["ready", "stale", "closing"]


def test_a_rotation_ends_a_session_that_still_waits_for_the_first_answer() -> None:
    """SSE-070."""
    world = starting_world()
    assert names(Client(world, settings={"ends_at": world.now + 4}).run(5)) == ["closing"]


def test_a_resuming_client_is_sent_away_with_its_own_cursor_while_redis_is_down() -> None:
    """SSE-064."""
    world = World()
    (first,) = world.publish("A-1")
    world.stale("redis")
    events = Client(world, start=Resume(first.id)).pump()
    assert dict(events)["closing"]["cursor"] == str(first.id)


def test_a_resume_that_needs_redis_waits_two_seconds_for_it(world: World) -> None:
    """SSE-064."""
    first, *_ = world.publish(*["A-1"] * 5)
    world.forget_ring()
    world.redis_up = False
    client = Client(world, start=Resume(first.id))
    assert client.run(1) == []
    world.redis_up = True
    assert len(trade_ids(client.run(1))) == 4
    world.redis_up = False
    assert names(Client(world, start=Resume(first.id)).run(3)) == ["ready", "stale", "closing"]


def test_a_live_session_outlives_redis_for_a_minute_and_then_closes(world: World) -> None:
    """SSE-065."""
    world.publish("A-1")
    client = Client(world)
    client.pump()
    world.view.redis.down_since = world.now
    events = client.run(59)
    assert set(names(events)) == {"heartbeat"}
    closing = dict(client.run(2))["closing"]
    assert closing == {"reason": "redis", "cursor": str(world.head)}


def test_a_session_that_needs_redis_reads_less_and_less_often(world: World) -> None:
    """SSE-065."""
    client = Client(world)
    client.pump()
    world.ring_follows = False
    world.publish(*["A-1"] * 5)
    world.forget_ring()
    world.redis_up = False
    world.fetches = 0
    client.run(20)
    assert 6 <= world.fetches <= 10
    world.redis_up = True
    assert len(trade_ids(client.run(6))) == 5


def test_a_session_ahead_of_its_ring_waits_for_it_before_it_is_live(world: World) -> None:
    """SSE-025: a snapshot must not be older than its id."""
    first, *_ = world.publish(*["A-1"] * 5)
    world.forget_ring()
    world.ring_follows = False
    missing = world.publish("A-9")
    client = Client(world, start=Resume(first.id), snapshot="always")
    events = client.pump()
    assert trade_ids(events)[-1] == "e1/6"
    assert "snapshot" not in names(events)
    world.view.ring.extend(missing)
    assert "snapshot" in names(client.run(0.5))


def test_a_reset_that_the_session_sees_first_is_sent_once(world: World) -> None:
    """SSE-026: Redis is already in a new epoch while the shared ring still shows the old one."""
    first, *_ = world.publish(*["A-1"] * 5)
    world.forget_ring()
    world.now += 5
    world.epoch, world.base_ms, world.entries, world.head = "e2", world.wall_ms, [], START
    world.ring_follows = False
    new = world.publish("B-1")
    client = Client(world, start=Resume(first.id))
    events = client.pump()
    assert names(events)[:2] == ["ready", "reset"]
    world.view.ring.restart("e2", START, new)
    events += client.run(1)
    assert names(events).count("reset") == 1
    assert trade_ids(events) == ["e2/1"]
    assert names(events)[-2:] == ["snapshot", "bot_status"]


@pytest.mark.parametrize("cursor", ["0-0", "1-1", "999999999999999-999999999999999", "1700001000000-3"])
def test_any_well_formed_cursor_ends_in_a_live_session(world: World, cursor: str) -> None:
    """SSE-052."""
    world.publish("A-1", "A-2")
    client = Client(world, start=Resume(EntryId.parse(cursor)))
    assert names(client.run(5))[-1] == "bot_status"
    world.publish("B-1")
    assert trade_ids(client.pump()) == ["e1/3"]


def test_a_closed_session_has_sent_every_event_it_counts(world: World) -> None:
    """SSE-090."""
    world.publish("A-1")
    client = Client(world, start=Earliest(), settings={"ends_at": world.now + 65})
    client.run(70)
    assert client.session.stats.events == len(client.events())
    assert client.session.stats.entries == 1


def test_waiting_never_ends_in_the_past(world: World) -> None:
    client = Client(world)
    client.pump()
    wait: Any = client.session.advance(world.view, world.now, world.wall_ms)
    assert wait.until == world.now + 10
