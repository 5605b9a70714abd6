"""The database client against an embedded server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum import config, database
from coliseum.errors import InvalidInput, SourceRefused, SourceUnavailable
from coliseum.store.client import MAX_IN_VALUES, MAX_ROWS_PER_REQUEST, Store

START = datetime(2026, 1, 1, tzinfo=UTC)


def settlement(ticker: str, **changes: Any) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "event_ticker": "EVENT",
        "result": "yes",
        "yes_count": Decimal(1),
        "yes_cost": Decimal("0.40"),
        "no_count": 0,
        "no_cost": 0,
        "revenue": Decimal("1.00"),
        "fee": Decimal("0.02"),
        "settled_at": START,
    } | changes


def snapshots(count: int) -> list[dict[str, Any]]:
    return [
        {"ticker": f"T{number % 7}", "taken_at": START + timedelta(seconds=number), "status": "active"}
        for number in range(count)
    ]


@pytest.mark.parametrize("number", ["123456789012.12345678", "0.1", "-9007199254740993.0000000001"])
def test_a_number_comes_back_digit_for_digit(store: Store, number: str) -> None:
    store.insert("settlements", [settlement("A", revenue=Decimal(number))])

    assert store.select("settlements", "revenue::text") == [{"revenue": number}]


def test_rows_are_filtered_ordered_and_limited(store: Store) -> None:
    store.insert("settlements", [settlement(name, fee=fee) for name, fee in (("A", 3), ("B", 1), ("C", 2), ("D", 2))])

    rows = store.select(
        "settlements", "ticker", where=[("fee", "gte", Decimal(2))], order=("fee.desc", "ticker"), limit=2
    )

    assert [row["ticker"] for row in rows] == ["A", "C"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("ticker", "eq", 'odd,"(name)\\'), ['odd,"(name)\\']),
        (("ticker", "neq", "B"), ['odd,"(name)\\', "ünï%"]),
        (("ticker", "in", ["B", 'odd,"(name)\\', "ünï%", "B"]), ["B", 'odd,"(name)\\', "ünï%"]),
        (("ticker", "in", []), []),
        (("value", "is", None), ["B", "ünï%"]),
        (("fee", "lt", Decimal("0.02")), []),
        (("settled_at", "gt", START), ["B"]),
    ],
)
def test_a_condition_finds_its_rows_with_any_characters(store: Store, condition: Any, found: list[str]) -> None:
    store.insert("settlements", [settlement("ünï%")])
    store.insert("settlements", [settlement("B", settled_at=START + timedelta(days=1))])
    store.insert("settlements", [settlement('odd,"(name)\\', value=1)])

    assert sorted(row["ticker"] for row in store.select("settlements", "ticker", where=[condition])) == found


def test_an_insert_says_how_many_rows_it_wrote_and_repeats_harmlessly(store: Store) -> None:
    rows = [settlement("A"), settlement("B")]

    assert store.insert("settlements", rows, ignore_duplicates_on="account,ticker") == 2
    assert store.insert("settlements", [*rows, settlement("C")], ignore_duplicates_on="account,ticker") == 1
    assert store.insert("settlements", []) == 0


def test_a_plain_insert_refuses_a_duplicate_by_its_code(store: Store) -> None:
    store.insert("settlements", [settlement("A")])

    with pytest.raises(SourceRefused, match="23505") as refusal:
        store.insert("settlements", [settlement("B"), settlement("A")])

    assert (refusal.value.code, refusal.value.status) == ("23505", 409)
    assert len(store.select("settlements", "ticker")) == 1


def test_an_upsert_overwrites_only_the_columns_it_was_given(store: Store) -> None:
    store.insert("settlements", [settlement("A", value=Decimal("0.5"))])

    assert store.upsert("settlements", [settlement("A", result="no")], on_conflict="account,ticker") == 1
    assert store.select("settlements", "result,value::text") == [{"result": "no", "value": "0.5"}]


def test_columns_left_out_get_their_defaults(store: Store) -> None:
    store.insert("settlements", [settlement("A"), settlement("B")])

    assert all(row["recorded_at"] for row in store.select("settlements", "recorded_at"))


def test_more_rows_than_a_page_arrive_complete_when_the_order_is_total(store: Store) -> None:
    store.insert("market_snapshots", snapshots(MAX_ROWS_PER_REQUEST + 1))

    rows = store.select("market_snapshots", "taken_at", order=("taken_at",))

    assert len({row["taken_at"] for row in rows}) == MAX_ROWS_PER_REQUEST + 1
    with pytest.raises(InvalidInput, match="order"):
        store.select("market_snapshots", "taken_at")
    assert len(store.select("market_snapshots", "taken_at", limit=3)) == 3


def test_a_long_in_list_is_asked_in_parts(store: Store) -> None:
    tickers = [f"MARKET-WITH-A-RATHER-LONG-NAME-{number:04}" for number in range(3 * MAX_IN_VALUES)]
    store.insert("settlements", [settlement(ticker) for ticker in tickers])

    assert len(store.select("settlements", "ticker", where=[("ticker", "in", tickers)])) == 3 * MAX_IN_VALUES
    with pytest.raises(InvalidInput):
        store.select("settlements", "ticker", where=[("ticker", "in", tickers)], limit=5)


@pytest.mark.parametrize(
    ("table", "columns", "code"), [("nothing", "a", "PGRST205"), ("trades", "nothing", "42703"), ("trades", "a(b)", "")]
)
def test_what_does_not_exist_is_refused_by_name(store: Store, table: str, columns: str, code: str) -> None:
    with pytest.raises((SourceRefused, SourceUnavailable), match=code or "not offered"):
        store.select(table, columns)


def test_a_function_is_called_by_the_names_of_its_arguments(store: Store) -> None:
    assert store.rpc("projection_position", {"p_name": "nobody"}) is None
    with pytest.raises(SourceRefused, match="PGRST202"):
        store.rpc("projection_position", {"wrong": "name"})
    with pytest.raises(SourceRefused, match="22023"):
        store.rpc("prune_history", {"p_now": datetime.now(UTC) + timedelta(days=1)})


def test_pruning_keeps_what_is_young_and_what_is_precious(store: Store) -> None:
    now = datetime.now(UTC)
    rows = [{"ticker": "T", "taken_at": now - timedelta(days=367, minutes=minute), "status": "a"} for minute in (1, 2)]
    store.insert("market_snapshots", [*rows, {"ticker": "T", "taken_at": now, "status": "active"}])
    entries = [
        {"ms": 1000, "seq": 1, "kind": "bot_status", "data": {}},
        {"ms": 1000, "seq": 2, "kind": "source_gap", "data": {}},
    ]
    store.rpc("project_entries", {"p_name": "x", "p_epoch": "e", "p_after_seq": 0, "p_entries": entries})

    pruned = store.rpc("prune_history", {"p_now": now})

    assert pruned == {"balance_snapshots": 0, "market_snapshots": 2, "feed_events": 1}
    assert [row["kind"] for row in store.select("feed_events", "kind")] == ["source_gap"]


def test_snapshots_are_thinned_to_one_an_hour_after_a_week(store: Store) -> None:
    now = datetime(2024, 11, 20, 12, tzinfo=UTC)
    old = [now - timedelta(days=8) + timedelta(minutes=minutes) for minutes in (5, 10, 55, 65, 70)]
    young = [now - timedelta(days=6) + timedelta(minutes=minutes) for minutes in (5, 10)]
    store.insert(
        "market_snapshots",
        [{"ticker": ticker, "taken_at": at, "status": "active"} for ticker in ("A", "B") for at in old + young],
    )
    store.insert(
        "balance_snapshots", [{"taken_at": at, "cash": 1, "portfolio_value": 0, "source": "x"} for at in old + young]
    )

    pruned = store.rpc("prune_history", {"p_now": now})

    assert pruned == {"balance_snapshots": 3, "market_snapshots": 6, "feed_events": 0}
    kept = store.select("balance_snapshots", "taken_at", order=("taken_at",))
    assert [datetime.fromisoformat(row["taken_at"]) for row in kept] == [old[0], old[3], *young]
    assert store.rpc("prune_history", {"p_now": now}) == {
        "balance_snapshots": 0,
        "market_snapshots": 0,
        "feed_events": 0,
    }


def test_a_wrong_key_is_refused_and_never_shown(postgres_server: PostgresServer) -> None:
    unknown = Store(postgres_server.url, "sb_secret_wrong")

    with pytest.raises(SourceRefused) as refusal:
        unknown.ping()
    unknown.close()

    assert refusal.value.status == 401
    assert "sb_secret" not in str(refusal.value)


def test_a_refused_connection_surfaces_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    store = Store(f"http://127.0.0.1:{port}", "sb_secret_x")
    begun = time.monotonic()

    with pytest.raises(SourceUnavailable, match="ConnectError"):
        store.select("trades", "seq")
    store.close()

    assert time.monotonic() - begun < 30


def test_a_silent_server_ends_in_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store(f"http://127.0.0.1:{silent.getsockname()[1]}", "sb_secret_x", timeout_seconds=0.1)

        with pytest.raises(SourceUnavailable, match="ReadTimeout"):
            store.insert("trades", [{"seq": 1}])
        store.close()


LINE = "from coliseum.database import check_db_connection; print('DB Connected:', check_db_connection())"


def _run_documented_line(root: Path, folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(root / "layers" / "coliseum"), **settings}
    return subprocess.run(
        [sys.executable, "-c", LINE],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )


def test_the_documented_line_says_whether_the_database_answers(
    root: Path, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    up = {"SUPABASE_URL": postgres_server.url, "SUPABASE_SERVICE_ROLE_KEY": postgres_server.secret_key}
    found = _run_documented_line(root, tmp_path, up)
    assert (found.stdout, found.stderr) == ("DB Connected: True\n", "")
    for down in ({}, up | {"SUPABASE_URL": "http://127.0.0.1:9"}):
        result = _run_documented_line(root, tmp_path, down)
        assert (result.stdout, result.stderr) == ("DB Connected: False\n", "")


def test_a_database_that_accepts_and_says_nothing_is_given_up_soon(root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        result = _run_documented_line(root, tmp_path, {"SUPABASE_URL": url, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"})
    assert (result.stdout, result.stderr) == ("DB Connected: False\n", "")
    assert time.monotonic() - begun < 100  # the database client's own limit is 120 s


@pytest.fixture
def _settings_put_back() -> Iterator[None]:
    before = vars(config).get("settings")
    yield
    vars(config).pop("settings", None)
    if before is not None:
        config.set_settings(before)


@pytest.mark.usefixtures("_settings_put_back")
def test_check_db_connection_reports_whether_the_database_answers(postgres_server: PostgresServer) -> None:
    answers = []
    for values in (
        {"supabase_url": postgres_server.url, "supabase_service_role_key": postgres_server.secret_key},
        {"supabase_url": postgres_server.url, "supabase_service_role_key": "sb_secret_wrong"},
        {"supabase_url": "http://127.0.0.1:9", "supabase_service_role_key": "sb_secret_wrong"},
        {"supabase_url": None, "supabase_service_role_key": None},
    ):
        config.set_settings(config.load(values))
        answers.append(database.check_db_connection())

    assert answers == [True, False, False, False]
