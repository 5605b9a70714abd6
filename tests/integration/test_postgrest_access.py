"""Who may do what at the gateway: keys, roles, row security, and everything it refuses rather than ignores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer

from coliseum.store.client import Store


@pytest.fixture
def secret(postgres_server: PostgresServer) -> Iterator[httpx.Client]:
    with _client(postgres_server, postgres_server.secret_key) as client:
        yield client


@pytest.fixture
def public(postgres_server: PostgresServer) -> Iterator[httpx.Client]:
    with _client(postgres_server, postgres_server.publishable_key) as client:
        yield client


def _client(server: PostgresServer, key: str) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/rest/v1", headers={"apikey": key, "authorization": f"Bearer {key}"})


TRADE: dict[str, Any] = {
    "epoch": "e",
    "seq": 1,
    "ms": 1,
    "trade_id": "t",
    "ticker": "T",
    "side": "BUY",
    "quantity": 1,
    "price": "0.5",
    "order_id": "private",
    "executed_at": "2026-01-01T00:00:00Z",
    "source": "bot_live",
}


def test_the_publishable_key_reads_public_views_and_nothing_behind_them(store: Store, public: httpx.Client) -> None:
    store.insert("trades", [TRADE])

    shown = public.get("/public_trades")
    hidden = public.get("/trades")

    assert [row["trade_id"] for row in shown.json()] == ["t"]
    assert "order_id" not in shown.json()[0]
    assert (hidden.status_code, hidden.json()["code"]) == (401, "42501")


@pytest.mark.parametrize("target", ["trades", "public_trades", "settlements", "projection_cursor"])
def test_the_publishable_key_writes_nothing(store: Store, public: httpx.Client, target: str) -> None:
    store.insert("trades", [TRADE])

    answers = [
        public.post(f"/{target}", json={"ticker": "X"}),
        public.patch(f"/{target}?ticker=eq.T", json={"ticker": "X"}),
        public.delete(f"/{target}?ticker=eq.T"),
    ]

    assert {answer.status_code for answer in answers} <= {400, 401}
    assert all(answer.json()["code"] in {"42501", "PGRST204", "42703"} for answer in answers)
    assert store.select("trades", "ticker") == [{"ticker": "T"}]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("project_entries", {"p_name": "x", "p_epoch": "e", "p_after_seq": 0, "p_entries": []}),
        ("projection_position", {"p_name": "x"}),
        ("prune_history", {"p_now": "2020-01-01"}),
        ("ping", {}),
    ],
)
def test_the_publishable_key_calls_no_function(public: httpx.Client, function: str, arguments: dict[str, Any]) -> None:
    answer = public.post(f"/rpc/{function}", json=arguments)

    assert (answer.status_code, answer.json()["code"]) == (401, "42501")


def test_every_table_has_row_security_and_the_public_may_only_read_views(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn) as connection:
        unguarded = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relrowsecurity"
        ).fetchall()
        writable = connection.execute(
            "select table_name, privilege_type from information_schema.role_table_grants"
            " where table_schema = 'public' and grantee in ('anon', 'authenticated', 'PUBLIC')"
            " and (privilege_type <> 'SELECT' or table_name in"
            " (select relname::text from pg_class where relkind in ('r', 'p')"
            "  and relnamespace = 'public'::regnamespace and relname <> 'gauges'))"
        ).fetchall()
        callable_by_public = connection.execute(
            "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef"
            " and has_function_privilege('anon', oid, 'execute')"
        ).fetchall()

    assert (unguarded, writable, callable_by_public) == ([], [], [])


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No API key found in request"),
        ({"apikey": "sb_secret_wrong"}, "Invalid API key"),
        ({"apikey": "é"}, "Invalid API key"),
        ({"authorization": "Bearer {secret}"}, "No API key found in request"),
        ({"apikey": "{publishable}", "authorization": "Bearer {secret}"}, "Invalid API key"),
        ({"apikey": "{secret}", "authorization": "Bearer eyJhbGciOi"}, "Invalid API key"),
        (
            {"apikey": "{secret}", "user-agent": "Mozilla/5.0 (X11) Chrome/140"},
            "Forbidden use of secret API key in browser",
        ),
    ],
)
def test_a_request_without_the_right_key_is_refused(
    postgres_server: PostgresServer, headers: dict[str, str], message: str
) -> None:
    filled = [
        (
            name.encode(),
            value.format(secret=postgres_server.secret_key, publishable=postgres_server.publishable_key).encode(),
        )
        for name, value in headers.items()
    ]

    answer = httpx.get(f"{postgres_server.url}/rest/v1/trades", headers=filled)

    assert (answer.status_code, answer.json()["message"]) == (401, message)
    assert postgres_server.secret_key not in answer.text


def test_a_browser_may_use_the_publishable_key(public: httpx.Client) -> None:
    assert public.get("/public_trades", headers={"user-agent": "Mozilla/5.0"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/trades?colour=eq.red", {}, 400),
        ("GET", "/trades?ticker=T", {}, 400),
        ("GET", "/trades?limit=1&limit=2", {}, 400),
        ("GET", "/trades?on_conflict=seq", {}, 400),
        ("GET", "/trades?ticker=eq.%ff", {}, 400),
        ("GET", "/trades?select=order_id(*)", {}, 501),
        ("GET", "/trades", {"prefer": "speed=fast"}, 400),
        ("GET", "/trades", {"range": "0-1"}, 501),
        ("GET", "/trades", {"accept": "text/csv"}, 406),
        ("GET", "/trades", {"accept-profile": "private"}, 406),
        ("POST", "/trades?ticker=eq.T", {}, 400),
        ("POST", "/trades", {"content-type": "text/csv"}, 415),
        ("PATCH", "/trades?ticker=eq.T&limit=1", {}, 400),
        ("PUT", "/trades?ticker=eq.T", {}, 405),
        ("GET", "/rpc/ping?extra=1", {}, 404),
        ("GET", "/", {}, 404),
    ],
)
def test_the_unknown_is_refused_never_ignored(
    store: Store, secret: httpx.Client, *, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    store.insert("trades", [TRADE])
    body = {} if method == "GET" else {"content": b'{"ticker": "X"}'}

    answer = secret.request(method, path, headers=headers, **body)  # type: ignore[arg-type]  # one known key

    assert answer.status_code == status
    assert store.select("trades", "ticker") == [{"ticker": "T"}]


@pytest.mark.parametrize(
    "body", [b"", b"[", b'{"a": 1', b"\xff", b'"text"', b"[1]", b"[[]]", b"{}", b"[{}]", b'[{"ticker":"a"},{"seq":1}]']
)
def test_a_body_that_makes_no_rows_is_refused(secret: httpx.Client, body: bytes) -> None:
    answer = secret.post("/trades", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["message"]


@pytest.mark.parametrize("hostile", ["'; drop table trades; --", "\\'; drop table trades; --", "%s %(a)s {} %%", "$1"])
def test_hostile_values_stay_values(store: Store, secret: httpx.Client, hostile: str) -> None:
    store.insert("trades", [TRADE | {"ticker": hostile}])

    found = secret.get("/trades", params={"select": "ticker", "ticker": f"eq.{hostile}"})
    renamed = secret.get("/trades", params={"select": f'"{hostile}":ticker'})
    function = secret.post("/rpc/projection_position", json={"p_name": hostile})

    assert found.json() == [{"ticker": hostile}]
    assert renamed.status_code in {400, 501}
    assert function.json() is None


def test_the_gateway_login_has_no_rights_of_its_own(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn) as connection:
        connection.execute("set role authenticator")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from public.trades")


def test_the_database_itself_requires_a_password(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_server.dsn, password="wrong").close()
