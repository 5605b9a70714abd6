"""The gateway as Supabase's own client sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError
from postgrest.types import CountMethod, ReturnMethod
from supabase import Client, ClientOptions, create_client
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import PATIENCE_SECONDS

SETUP = """
create table gauges (
    id bigint primary key,
    name text unique,
    level numeric not null default 1.5,
    active boolean,
    seen timestamptz,
    extra jsonb,
    tags text[],
    check (level < 1000)
);
alter table gauges enable row level security;
grant select, insert, update, delete on gauges to service_role;
create function gauges_above(p_level numeric) returns setof gauges language sql stable
    as $$ select * from public.gauges where level > p_level order by id $$;
create function gauge_pair() returns table (low numeric, high numeric) language sql stable
    as $$ select min(level), max(level) from public.gauges $$;
create function gauge_touch(p_id bigint, p_by numeric default 1) returns void language sql
    as $$ update public.gauges set level = level + p_by where id = p_id $$;
create function gauge_names() returns setof text language sql stable
    as $$ select name from public.gauges order by id $$;
create function gauge_either(p_key bigint) returns bigint language sql stable as $$ select p_key $$;
create function gauge_either(p_key text) returns text language sql stable as $$ select p_key $$;
"""
DROP = """
drop function gauge_either(bigint), gauge_either(text), gauge_names, gauge_touch, gauge_pair, gauges_above;
drop table gauges;
"""


@pytest.fixture(scope="module")
def _gauges(postgres_server: PostgresServer) -> Iterator[None]:
    postgres_server.execute(SETUP)
    yield
    postgres_server.execute(DROP)


@pytest.fixture(scope="module")
def _client(postgres_server: PostgresServer, _gauges: None) -> Iterator[Client]:
    with httpx.Client(timeout=PATIENCE_SECONDS) as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield create_client(postgres_server.url, postgres_server.secret_key, options)


@pytest.fixture
def client(_client: Client, postgres_server: PostgresServer) -> Client:
    postgres_server.execute("truncate gauges")
    return _client


@pytest.fixture
def filled(client: Client) -> Client:
    rows = [
        {"id": 1, "name": "one", "level": 10, "active": True, "extra": {"a": [1, None]}, "tags": ["x", "y,z"]},
        {"id": 2, "name": "two", "level": 20, "active": False, "extra": None, "tags": []},
        {"id": 3, "name": "Three*", "level": 30, "active": None, "seen": "2026-01-02T03:04:05.678Z"},
        {"id": 4, "name": 'f,o"u)r\\', "level": 40, "active": True},
    ]
    client.table("gauges").insert(rows).execute()
    return client


def rows_of(query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = query.execute().data
    return rows


def ids(query: Any) -> list[int]:
    return [row["id"] for row in rows_of(query)]


def test_an_inserted_row_comes_back_in_postgrests_forms(client: Client) -> None:
    sent = {"id": 1, "name": "é", "level": "1.50", "seen": "2026-01-02T03:04:05.678Z", "extra": {"a": 1}, "tags": ["b"]}

    (row,) = rows_of(client.table("gauges").insert(sent))

    assert row == {
        "id": 1,
        "name": "é",
        "level": 1.50,
        "active": None,
        "seen": "2026-01-02T03:04:05.678+00:00",
        "extra": {"a": 1},
        "tags": ["b"],
    }


@pytest.mark.parametrize("number", ["12345678.12345678901234567890", "0.00000000000000000001"])
def test_numbers_are_exact_through_text_even_when_sent_bare(client: Client, number: str) -> None:
    client.postgrest.session.post(
        f"{client.rest_url}/gauges",
        content=f'{{"id": 9007199254740993, "level": {number}e-6}}',
        headers={"apikey": client.supabase_key, "content-type": "application/json"},
    ).raise_for_status()

    (row,) = rows_of(client.table("gauges").select("id::text", "level::text"))

    assert row["id"] == "9007199254740993"
    assert Decimal(row["level"]) == Decimal(number).scaleb(-6)


FILTERS: list[tuple[str, Callable[[Any], Any], list[int]]] = [
    ("eq", lambda q: q.eq("name", "one"), [1]),
    ("eq odd", lambda q: q.eq("name", 'f,o"u)r\\'), [4]),
    ("neq", lambda q: q.neq("id", 1), [2, 3, 4]),
    ("gt lt", lambda q: q.gt("level", 10).lt("level", "40"), [2, 3]),
    ("gte lte", lambda q: q.gte("level", 20).lte("level", 30), [2, 3]),
    ("like", lambda q: q.like("name", "t%"), [2]),
    ("ilike", lambda q: q.ilike("name", "T*"), [2, 3]),
    ("is null", lambda q: q.is_("active", None), [3]),
    ("is true", lambda q: q.is_("active", True), [1, 4]),
    ("in", lambda q: q.in_("name", ["two", 'f,o"u)r\\', "none"]), [2, 4]),
    ("in nothing", lambda q: q.in_("id", []), []),
    ("not in", lambda q: q.not_.in_("id", [1, 2]), [3, 4]),
    ("not is", lambda q: q.not_.is_("active", None), [1, 2, 4]),
    ("or", lambda q: q.or_("id.eq.1,and(level.gt.20,active.is.null)"), [1, 3]),
    ("or quoted", lambda q: q.or_('name.eq."f,o\\"u)r\\\\",id.in.(2)'), [2, 4]),
    ("not or", lambda q: q.not_.or_("id.eq.1,id.eq.2"), [3, 4]),
    ("match", lambda q: q.match({"id": 2, "name": "two"}), [2]),
]


@pytest.mark.parametrize(("narrow", "found"), [case[1:] for case in FILTERS], ids=[case[0] for case in FILTERS])
def test_the_clients_filters_mean_what_they_mean_in_the_cloud(
    filled: Client, narrow: Callable[[Any], Any], found: list[int]
) -> None:
    assert ids(narrow(filled.table("gauges").select("id")).order("id")) == found


def test_order_with_its_nulls_then_limit_and_range(filled: Client) -> None:
    table = filled.table("gauges")

    assert ids(table.select("id").order("active", desc=True, nullsfirst=False).order("id")) == [1, 4, 2, 3]
    assert ids(table.select("id").order("id").limit(2)) == [1, 2]
    assert ids(table.select("id").order("id").range(1, 2)) == [2, 3]


def test_columns_can_be_renamed_and_cast(filled: Client) -> None:
    answer = filled.table("gauges").select("key:id::text, level::text, extra").eq("id", 1).execute()

    assert answer.data == [{"key": "1", "level": "10", "extra": {"a": [1, None]}}]


def test_a_count_covers_all_rows_and_a_page_says_where_it_lies(filled: Client) -> None:
    answer = filled.table("gauges").select("id", count=CountMethod.exact).gt("id", 1).order("id").limit(2).execute()
    raw = filled.postgrest.session.get(
        f"{filled.rest_url}/gauges?select=id&offset=1&limit=2&order=id",
        headers={"apikey": filled.supabase_key, "prefer": "count=exact"},
    )

    assert (len(answer.data), answer.count) == (2, 3)
    assert (raw.status_code, raw.headers["content-range"]) == (206, "1-2/4")


def test_a_head_counts_without_sending_rows(filled: Client) -> None:
    answer = filled.table("gauges").select("id", count=CountMethod.exact, head=True).execute()

    assert (answer.data, answer.count) == ([], 4)


def test_an_offset_behind_the_end_is_not_satisfiable(filled: Client) -> None:
    with pytest.raises(APIError) as refusal:
        filled.table("gauges").select("id", count=CountMethod.exact).range(10, 20).execute()

    assert refusal.value.code == "PGRST103"


def test_no_answer_is_longer_than_a_thousand_rows(client: Client) -> None:
    client.table("gauges").insert([{"id": number} for number in range(1001)], returning=ReturnMethod.minimal).execute()

    assert len(client.table("gauges").select("id").limit(5000).execute().data) == 1000


def test_single_wants_exactly_one_row_and_maybe_single_at_most_one(filled: Client) -> None:
    table = filled.table("gauges")

    assert table.select("id").eq("id", 1).single().execute().data == {"id": 1}
    with pytest.raises(APIError) as refusal:
        table.select("id").gt("id", 1).single().execute()
    assert (refusal.value.code, refusal.value.details) == ("PGRST116", "The result contains 3 rows")
    found = table.select("id").eq("id", 1).maybe_single().execute()
    assert found is not None
    assert found.data == {"id": 1}
    assert table.select("id").eq("id", 99).maybe_single().execute() is None


def test_a_bulk_insert_with_a_missing_key_gets_null_or_the_default_as_preferred(client: Client) -> None:
    rows = [{"id": 1, "level": 7}, {"id": 2}]
    table = client.table("gauges")

    with pytest.raises(APIError) as refusal:
        table.insert(rows).execute()
    assert refusal.value.code == "23502"

    table.insert(rows, default_to_null=False).execute()
    assert table.select("id,level").order("id").execute().data == [{"id": 1, "level": 7}, {"id": 2, "level": 1.5}]


def test_an_upsert_merges_or_ignores_and_counts(filled: Client) -> None:
    table = filled.table("gauges")

    merged: Any = table.upsert([{"id": 1, "level": 11}, {"id": 5, "level": 50}], count=CountMethod.exact).execute()
    ignored: Any = table.upsert(
        [{"id": 6, "name": "one"}, {"id": 7, "name": "seven"}],
        on_conflict="name",
        ignore_duplicates=True,
        default_to_null=False,
    ).execute()

    assert merged.count == 2
    assert [(row["level"], row["name"]) for row in merged.data] == [(11, "one"), (50, None)]
    assert [row["id"] for row in ignored.data] == [7]


def test_one_upsert_must_not_hit_a_row_twice(client: Client) -> None:
    with pytest.raises(APIError) as refusal:
        client.table("gauges").upsert([{"id": 1, "level": 1}, {"id": 1, "level": 2}]).execute()

    assert refusal.value.code == "21000"


def test_updates_and_deletes_touch_the_rows_they_name(filled: Client) -> None:
    table = filled.table("gauges")

    updated: Any = table.update({"level": "99.5", "extra": {"b": 2}}).gt("id", 2).execute()
    deleted: Any = table.delete(count=CountMethod.exact).eq("id", 1).execute()
    quiet = table.update({"name": "quiet"}, returning=ReturnMethod.minimal).eq("id", 2).execute()

    assert [(row["id"], row["level"], row["extra"]) for row in updated.data] == [
        (3, 99.5, {"b": 2}),
        (4, 99.5, {"b": 2}),
    ]
    assert (deleted.count, [row["id"] for row in deleted.data], quiet.data) == (1, [1], [])
    assert ids(table.select("id").order("id")) == [2, 3, 4]


def test_functions_answer_rows_values_or_nothing(filled: Client) -> None:
    above = filled.rpc("gauges_above", {"p_level": 10}).select("id").lt("id", 4).limit(1)

    assert ids(filled.rpc("gauges_above", {"p_level": "20"})) == [3, 4]
    assert above.execute().data == [{"id": 2}]
    assert filled.rpc("gauge_pair").execute().data == [{"low": 10, "high": 40}]
    assert filled.rpc("gauge_names").execute().data == ["one", "two", "Three*", 'f,o"u)r\\']
    filled.rpc("gauge_touch", {"p_id": 1}).execute()
    filled.rpc("gauge_touch", {"p_id": 1, "p_by": "0.5"}).execute()
    assert filled.table("gauges").select("level::text").eq("id", 1).execute().data == [{"level": "11.5"}]


def test_a_get_call_of_a_function_must_not_write(filled: Client) -> None:
    assert ids(filled.rpc("gauges_above", {"p_level": 30}, get=True)) == [4]
    with pytest.raises(APIError) as refusal:
        filled.rpc("gauge_touch", {"p_id": 1}, get=True).execute()

    assert refusal.value.code == "25006"


ERRORS: list[tuple[str, Callable[[Client], Any], str]] = [
    ("duplicate", lambda c: c.table("gauges").insert({"id": 1}), "23505"),
    ("check", lambda c: c.table("gauges").insert({"id": 9, "level": 5000}), "23514"),
    ("not null", lambda c: c.table("gauges").insert({"id": None}), "23502"),
    ("type", lambda c: c.table("gauges").select("id").eq("id", "abc"), "22P02"),
    ("nul", lambda c: c.table("gauges").select("id").eq("name", "a\x00b"), "22021"),
    ("no table", lambda c: c.table("nowhere").select("id"), "PGRST205"),
    ("no column", lambda c: c.table("gauges").select("nothing"), "42703"),
    ("no column in body", lambda c: c.table("gauges").insert({"nothing": 1}), "PGRST204"),
    ("two functions", lambda c: c.rpc("gauge_either", {"p_key": 1}), "PGRST203"),
    ("no function", lambda c: c.rpc("nowhere", {"a": 1}), "PGRST202"),
    ("update of all", lambda c: c.table("gauges").update({"level": 1}), "21000"),
    ("delete of all", lambda c: c.table("gauges").delete(), "21000"),
    ("embedding", lambda c: c.table("gauges").select("id, trades(*)"), "PGRST100"),
    ("text search", lambda c: c.table("gauges").select("id").text_search("name", "x"), "PGRST100"),
    ("planned count", lambda c: c.table("gauges").select("id", count=CountMethod.planned), "PGRST122"),
    ("max affected", lambda c: c.table("gauges").delete().eq("id", 1).max_affected(1), "PGRST100"),
    ("csv", lambda c: c.table("gauges").select("id").csv(), "PGRST107"),
    ("other schema", lambda c: c.schema("private").table("gauges").select("id"), "PGRST106"),
]


@pytest.mark.parametrize(("ask", "code"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_errors_carry_the_codes_of_the_cloud(filled: Client, ask: Callable[[Client], Any], code: str) -> None:
    with pytest.raises(APIError) as refusal:
        ask(filled).execute()

    assert refusal.value.code == code


def test_an_error_without_a_body_is_named_in_a_header(filled: Client) -> None:
    answer = filled.postgrest.session.head(f"{filled.rest_url}/nowhere", headers={"apikey": filled.supabase_key})

    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["proxy-status"] == "PostgREST; error=PGRST205"


def test_a_single_write_that_touches_two_rows_is_undone(filled: Client) -> None:
    raw = filled.postgrest.session.patch(
        f"{filled.rest_url}/gauges?id=gt.1",
        json={"level": 5},
        headers={
            "apikey": filled.supabase_key,
            "prefer": "return=representation",
            "accept": "application/vnd.pgrst.object+json",
        },
    )

    assert (raw.status_code, raw.json()["code"]) == (406, "PGRST116")
    assert filled.table("gauges").select("id").eq("level", 5).execute().data == []


def test_a_changed_table_is_noticed_without_a_restart(filled: Client, postgres_server: PostgresServer) -> None:
    filled.table("gauges").select("id").execute()
    postgres_server.execute("alter table gauges add column fresh text default 'new'")
    try:
        assert filled.table("gauges").select("fresh").limit(1).execute().data == [{"fresh": "new"}]
    finally:
        postgres_server.execute("alter table gauges drop column fresh")
