"""The door to Postgres through Supabase's data API: rows, functions, numbers as text. Owner of `supabase`.

Whoever needs exact numbers asks for `column::text`; Decimals are sent as strings. The SDK is used without its
own retry (a refused connection took 7 s to surface), its time-out of two minutes, and HTTP/2 (which breaks in
frozen Lambdas). Only reads are sent again, once. The SDK is imported by the first client, not by this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from coliseum.errors import InvalidInput, SourceMalformed, SourceUnavailable
from coliseum.store.replies import SOURCE, error_from_reply, rows_in
from coliseum.store.rows import Row, filter_text, json_rows, json_value

if TYPE_CHECKING:
    import httpx

    from coliseum.config import Settings

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "in", "is"]
Condition = tuple[str, Operator, Any]
Answer = TypeVar("Answer")
MAX_ROWS_PER_REQUEST = 1000
"""Rows Supabase gives at most for one request; it cuts off the rest without a word."""
MAX_IN_VALUES = 100
"""Values of one `in` list: they travel in the URL."""


class Store:
    """Postgres for one thread or many. Build it once per process: the SDK's import alone takes half a second."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 10.0, connect_seconds: float = 2.0) -> None:
        import httpx
        from postgrest.types import CountMethod, ReturnMethod
        from supabase import ClientOptions, create_client

        self._exact, self._minimal = CountMethod.exact, ReturnMethod.minimal
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=connect_seconds),
            http2=False,
            event_hooks={"response": [_check]},
        )
        options = ClientOptions(
            httpx_client=self._http,
            auto_refresh_token=False,
            persist_session=False,
            postgrest_client_retry=False,
        )
        self._rest = create_client(url, key, options).postgrest

    @classmethod
    def from_settings(cls, settings: Settings, *, timeout_seconds: float = 10.0) -> Store:
        settings.require("supabase_url", "supabase_service_role_key")
        assert settings.supabase_url is not None
        assert settings.supabase_service_role_key is not None
        return cls(
            settings.supabase_url,
            settings.supabase_service_role_key.get_secret_value(),
            timeout_seconds=timeout_seconds,
        )

    @classmethod
    def from_settings_if_configured(cls, settings: Settings) -> Store | None:
        """None where the settings name no database, for work that goes on without one."""
        named = None not in {settings.supabase_url, settings.supabase_service_role_key}
        return cls.from_settings(settings) if named else None

    def rpc(self, function: str, args: Row) -> Any:
        """What the SQL function answers; a `void` function answers []. Sent at most once."""
        body = {name: json_value(value, name) for name, value in args.items()}
        with _translated():
            return self._rest.rpc(function, body).execute().data

    def select(
        self,
        table: str,
        columns: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of a table or view: all that match, or the first `limit`.

        `order` names columns, each ascending or with `.desc`. More rows than one page holds are fetched page by
        page, which is only right when `order` is total (ends in a unique column); without one that is refused.
        An `in` list longer than one URL carries is asked in parts, so it cannot be ordered or limited.
        """
        parts = _in_chunks(where)
        if len(parts) > 1 and (order or limit is not None):
            raise InvalidInput("where", f"in with more than {MAX_IN_VALUES} values", "no order and no limit beside it")
        return [row for part in parts for row in self._pages(table, columns, part, order, limit)]

    def insert(self, table: str, rows: Sequence[Row], *, ignore_duplicates_on: str | None = None) -> int:
        """Insert all rows in one statement, at most once; the number inserted.

        With `ignore_duplicates_on` (columns of a unique key, joined by commas) rows already there are left alone,
        so the call may be repeated.
        """
        if not rows:
            return 0
        body = json_rows(rows)
        target = self._rest.from_(table)
        if ignore_duplicates_on is None:
            request = target.insert(body, count=self._exact, returning=self._minimal)
        else:
            request = target.upsert(
                body,
                count=self._exact,
                returning=self._minimal,
                on_conflict=ignore_duplicates_on,
                ignore_duplicates=True,
            )
        with _translated():
            return request.execute().count or 0

    def upsert(self, table: str, rows: Sequence[Row], *, on_conflict: str) -> int:
        """Insert the rows, or overwrite the sent columns where the unique key `on_conflict` is there already.

        One key must not occur twice in `rows`. Returns the number of rows written.
        """
        if not rows:
            return 0
        request = self._rest.from_(table).upsert(
            json_rows(rows), count=self._exact, returning=self._minimal, on_conflict=on_conflict
        )
        with _translated():
            return request.execute().count or 0

    def ping(self) -> None:
        """Raise unless the database answers and our migrations are in it."""

        def ask() -> Any:
            with _translated():
                return self._rest.rpc("ping", {}, get=True).execute().data

        _again(ask)

    def close(self) -> None:
        self._http.close()

    def _pages(
        self, table: str, columns: str, where: Sequence[Condition], order: Sequence[str], limit: int | None
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while limit is None or len(rows) < limit:
            wanted = MAX_ROWS_PER_REQUEST if limit is None else min(MAX_ROWS_PER_REQUEST, limit - len(rows))
            page = _again(partial(self._page, table, columns, where, order, offset=len(rows), wanted=wanted))
            if rows and page and not order:
                raise InvalidInput(
                    "order", list(order), f"a total order, since {table} holds more than {MAX_ROWS_PER_REQUEST} rows"
                )
            rows += page
            if len(page) < wanted:
                break
        return rows

    def _page(
        self, table: str, columns: str, where: Sequence[Condition], order: Sequence[str], *, offset: int, wanted: int
    ) -> list[dict[str, Any]]:
        request = self._rest.from_(table).select(columns).limit(wanted)
        if offset:
            request = request.offset(offset)
        for column, operator, value in where:
            if operator == "in":
                request = request.in_(column, [filter_text(part, column) for part in value])
            else:
                request = request.filter(column, operator, filter_text(value, column))
        for name in order:
            column, _, direction = name.partition(".")
            request = request.order(column, desc=direction == "desc")
        with _translated():
            return rows_in(request.execute().data, table)


def lazy_store(settings: Settings, resources: ExitStack) -> Callable[[], Store]:
    """The store of a process that may not need it, since its SDK is slow to import; closed with `resources`."""

    @cache
    def store() -> Store:
        return resources.enter_context(closing(Store.from_settings(settings)))

    return store


def _in_chunks(where: Sequence[Condition]) -> list[Sequence[Condition]]:
    """`where` as one or more sets of conditions whose `in` lists fit into a URL; together they say the same."""
    for index, (column, operator, value) in enumerate(where):
        if operator == "in":
            values = list(dict.fromkeys(value))
            if len(values) > MAX_IN_VALUES:
                return [
                    chunk
                    for start in range(0, len(values), MAX_IN_VALUES)
                    for chunk in _in_chunks(
                        [*where[:index], (column, "in", values[start : start + MAX_IN_VALUES]), *where[index + 1 :]]
                    )
                ]
    return [where]


def _check(response: httpx.Response) -> None:
    """Raise our error for an answer outside 2xx, before the SDK loses its status."""
    if not response.is_success:
        raise error_from_reply(response.status_code, response.read())


@contextmanager
def _translated() -> Iterator[None]:
    """The transport's and the SDK's errors as ours. Never a URL or a header in the message."""
    import httpx
    from supabase import PostgrestAPIError

    try:
        yield
    except httpx.TransportError as error:
        raise SourceUnavailable(SOURCE, f"{type(error).__name__}: {error}") from error
    except PostgrestAPIError as error:
        raise SourceMalformed(SOURCE, f"{error.code}: {error.message}", field="answer") from error


def _again(read: Callable[[], Answer]) -> Answer:
    """Run a read, and once more where no answer came: a kept connection may have died in the meantime."""
    try:
        return read()
    except SourceUnavailable:
        return read()
