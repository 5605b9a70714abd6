"""`project_entries` stores each entry exactly once under repetition, concurrency and lost connections."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import PATIENCE_SECONDS, until

from coliseum.errors import SourceRefused, SourceUnavailable
from coliseum.store.client import Store

Entry = dict[str, Any]


def trade(seq: int, *, trade_id: str | None = None, kind: str = "trade", **changes: Any) -> Entry:
    data = {
        "trade_id": trade_id or f"t{seq}",
        "ticker": "T",
        "side": "BUY",
        "outcome": "yes",
        "quantity": 5,
        "quantity_contracts": "5.00",
        "price": 0.65,
        "price_dollars": "0.6500",
        "fee": None,
        "order_id": None,
        "timestamp": 1698676800.123,
        "source": "bot_live",
    }
    return {"ms": 1_700_000_000_000 + seq, "seq": seq, "kind": kind, "data": data | changes}


def status(seq: int) -> Entry:
    return {"ms": 1_700_000_000_000 + seq, "seq": seq, "kind": "bot_status", "data": {"status": "online"}}


def project(store: Store, entries: Sequence[Entry], *, after: int, epoch: str = "e1", lost: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = store.rpc(
        "project_entries",
        {"p_name": "test", "p_epoch": epoch, "p_after_seq": after, "p_entries": list(entries), "p_lost": lost},
    )
    return answer


def trade_ids(store: Store) -> list[str]:
    rows = store.select("trades", "trade_id", where=[("corrected_by", "is", None)], order=("epoch", "seq"))
    return [row["trade_id"] for row in rows]


def test_entries_are_stored_as_rows_and_the_cursor_moves(store: Store) -> None:
    answer = project(store, [trade(1), status(2)], after=0)

    assert answer == {"epoch": "e1", "ms": 1_700_000_000_002, "seq": 2, "inserted": 2}
    assert store.rpc("projection_position", {"p_name": "test"}) == {"epoch": "e1", "ms": 1_700_000_000_002, "seq": 2}
    assert store.select("trades", "event_id,price::text,quantity::text,executed_at,backfilled") == [
        {
            "event_id": "e1/1700000000001-1",
            "price": "0.6500",
            "quantity": "5.00",
            "executed_at": "2023-10-30T14:40:00.123+00:00",
            "backfilled": False,
        }
    ]
    assert store.select("feed_events", "kind,data") == [{"kind": "bot_status", "data": {"status": "online"}}]


def test_a_batch_may_be_repeated_and_may_overlap(store: Store) -> None:
    project(store, [trade(1), trade(2)], after=0)

    assert project(store, [trade(1), trade(2)], after=0)["inserted"] == 0
    assert project(store, [trade(2), trade(3)], after=1) == {
        "epoch": "e1",
        "ms": 1_700_000_000_003,
        "seq": 3,
        "inserted": 1,
    }
    assert trade_ids(store) == ["t1", "t2", "t3"]


def test_a_gap_before_a_batch_is_refused_unless_it_is_declared(store: Store) -> None:
    project(store, [trade(1)], after=0)

    with pytest.raises(SourceRefused, match="stands at 1") as refusal:
        project(store, [trade(5)], after=4)
    assert (refusal.value.code, refusal.value.status) == ("PT409", 409)
    with pytest.raises(SourceRefused, match="entry 5 where 2 was due"):
        project(store, [trade(5)], after=1)

    assert project(store, [trade(5)], after=1, lost=3)["seq"] == 5
    assert store.select("projection_gaps", "epoch,after_seq,lost") == [{"epoch": "e1", "after_seq": 1, "lost": 3}]


def test_a_batch_with_a_gap_inside_stores_nothing(store: Store) -> None:
    with pytest.raises(SourceRefused, match="entry 3 where 2 was due"):
        project(store, [trade(1), trade(3)], after=0)

    assert store.select("trades", "seq") == []
    assert store.rpc("projection_position", {"p_name": "test"}) is None


def test_the_cursor_never_returns_to_an_earlier_epoch(store: Store) -> None:
    project(store, [trade(1)], after=0)
    project(store, [trade(1, trade_id="n1")], after=0, epoch="e2")

    with pytest.raises(SourceRefused, match="has left epoch e1 for e2") as refusal:
        project(store, [trade(2)], after=1, epoch="e1")

    assert refusal.value.code == "PT409"
    assert trade_ids(store) == ["t1", "n1"]


@pytest.mark.parametrize(
    ("entries", "after", "lost"), [([], -1, 0), ([], 0, -1), ([], 0, 2), ([{"seq": 1}], 0, 0), ([trade(1)], None, 0)]
)
def test_malformed_arguments_are_refused(store: Store, entries: list[Entry], after: Any, lost: int) -> None:
    with pytest.raises(SourceRefused, match="22023"):
        project(store, entries, after=after, lost=lost)


def test_a_trade_without_a_required_field_fails_the_batch_and_is_named(store: Store) -> None:
    with pytest.raises(SourceRefused, match="ticker"):
        project(store, [trade(1), trade(2, ticker=None)], after=0)

    assert store.select("trades", "seq") == []


def test_a_correction_supersedes_the_earlier_row_and_deletes_nothing(store: Store) -> None:
    project(store, [trade(1, trade_id="a"), trade(2, trade_id="b")], after=0)
    project(store, [trade(3, trade_id="a", kind="trade_corrected", price_dollars="0.7")], after=2)
    project(store, [trade(4, trade_id="a", kind="trade_corrected", price_dollars="0.8")], after=3)

    rows = store.select("trades", "seq,price::text,correction,corrected_by", order=("seq",))
    assert rows == [
        {"seq": 1, "price": "0.6500", "correction": False, "corrected_by": "e1/1700000000003-3"},
        {"seq": 2, "price": "0.6500", "correction": False, "corrected_by": None},
        {"seq": 3, "price": "0.7", "correction": True, "corrected_by": "e1/1700000000004-4"},
        {"seq": 4, "price": "0.8", "correction": True, "corrected_by": None},
    ]
    assert [row["price"] for row in store.select("public_trades", "price::text", order=("event_id",))] == [
        "0.6500",
        "0.8",
    ]


def test_a_trade_published_again_in_a_new_epoch_counts_once(store: Store) -> None:
    project(store, [trade(1, trade_id="a"), trade(2, trade_id="b"), trade(3, trade_id="c")], after=0)

    again = [
        trade(1, trade_id="a"),
        trade(2, trade_id="b", fee="0.02"),
        trade(3, trade_id="c", timestamp=1_800_000_000),
    ]
    answer = project(store, again, after=0, epoch="e2")

    assert (answer["seq"], answer["inserted"]) == (3, 2)
    rows = store.select("trades", "event_id,trade_id", where=[("corrected_by", "is", None)], order=("event_id",))
    assert [(row["event_id"][:2], row["trade_id"]) for row in rows] == [
        ("e1", "a"),
        ("e1", "c"),  # an id that began again, at another time: another trade
        ("e2", "b"),  # the same trade, known better
        ("e2", "c"),
    ]


def test_concurrent_projectors_store_every_entry_once(store: Store) -> None:
    entries = [trade(seq) for seq in range(1, 61)]

    def work(step: int) -> None:
        for start in range(0, 60, step):
            batch = entries[start : start + step]
            try:
                project(store, batch, after=start)
            except SourceRefused as error:  # another step size is not as far yet
                assert error.code == "PT409"  # noqa: PT017 - a refusal is one of the two right ends

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [5, 6, 10, 5, 6, 10]))
    project(store, entries, after=0)

    assert trade_ids(store) == [f"t{seq}" for seq in range(1, 61)]
    assert store.rpc("projection_position", {"p_name": "test"})["seq"] == 60


def test_a_projection_cut_off_in_the_middle_stores_nothing_and_can_be_repeated(
    store: Store, postgres_server: PostgresServer
) -> None:
    project(store, [trade(1)], after=0)
    batch = [trade(2), status(3), trade(4)]

    with psycopg.connect(postgres_server.dsn) as blocker, ThreadPoolExecutor(1) as pool:
        blocker.execute("lock table feed_events in exclusive mode")  # the batch gets as far as its second entry
        cut = pool.submit(project, store, batch, after=1)
        _wait_for_a_blocked_session(postgres_server)
        postgres_server.execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'")
        with pytest.raises(SourceUnavailable, match="57P01"):
            cut.result(timeout=PATIENCE_SECONDS)

    assert trade_ids(store) == ["t1"]
    assert store.rpc("projection_position", {"p_name": "test"})["seq"] == 1
    assert project(store, batch, after=1)["inserted"] == 3


def _wait_for_a_blocked_session(server: PostgresServer) -> None:
    blocked = "select pid from pg_stat_activity where wait_event_type = 'Lock'"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        until(lambda: connection.execute(blocked).fetchone())
