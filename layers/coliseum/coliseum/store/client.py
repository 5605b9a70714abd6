"""The client of Postgres through Supabase's data API. The only importer of the `supabase` SDK.

Select `column::text` for exact numbers; Decimals are sent as strings. Three features of the SDK are off: its retry (a
refused connection took 7 s to become an error), its time-out of two minutes, and HTTP/2 (it breaks in a Lambda that was
frozen). Only reads are repeated, once. The first client imports the SDK, not this module, to keep cold starts short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from coliseum.errors import InvalidInput, SourceMalformed, SourceUnavailable
from coliseum.identity import Identity
from coliseum.store.labels import LABELLED, RowLabels, row_labels_from
from coliseum.store.replies import SOURCE, error_from_reply, rows_in
from coliseum.store.rows import Row, filter_text, json_rows, json_value

if TYPE_CHECKING:
    import httpx

    from coliseum.config import Settings

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "in", "is"]
Condition = tuple[str, Operator, Any]
Value = TypeVar("Value")
MAX_ROWS_PER_REQUEST = 1000
"""Supabase returns at most this many rows for one request and leaves out the rest without an error."""
MAX_IN_VALUES = 100
"""Longer `in` lists are split, because their values are part of the URL."""


class Store:
    """Postgres. Thread-safe. Build it once per process: the import of the SDK alone takes half a second.

    With an identity it reads and writes only that identity's rows of the tables in `labels.LABELLED`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        identity: Identity | None = None,
        timeout_seconds: float = 10.0,
        connect_seconds: float = 2.0,
    ) -> None:
        """Without an identity all rows are seen, and written rows get empty labels."""
        import httpx
        from postgrest.types import CountMethod, ReturnMethod
        from supabase import ClientOptions, create_client

        self._identity = identity
        self._labels: RowLabels | None = None
        self._exact, self._minimal = CountMethod.exact, ReturnMethod.minimal
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=connect_seconds),
            http2=False,
            event_hooks={"response": [_raise_for_status]},
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
        """Raises ConfigurationError where SUPABASE_URL or its key is not set."""
        settings.require("supabase_url", "supabase_service_role_key")
        assert settings.supabase_url is not None
        assert settings.supabase_service_role_key is not None
        return cls(
            settings.supabase_url,
            settings.supabase_service_role_key.get_secret_value(),
            identity=settings.identity,
            timeout_seconds=timeout_seconds,
        )

    @classmethod
    def from_settings_if_configured(cls, settings: Settings) -> Store | None:
        """None where the settings name no database, for work that can go on without one."""
        configured = None not in {settings.supabase_url, settings.supabase_service_role_key}
        return cls.from_settings(settings) if configured else None

    def rpc(self, function: str, args: Row) -> Any:
        """Call a SQL function and return its result; a `void` function returns []. Sent at most once.

        Raises InvalidInput for a value that Postgres cannot hold, SourceError where the call fails.
        """
        body = {name: json_value(value, name) for name, value in args.items()}
        with _translate_errors():
            return self._rest.rpc(function, body).execute().data

    def labels(self, *, claim: bool = False) -> RowLabels:
        """The labels of this identity's rows. `claim` before a write: the first identity to write owns the old rows.

        One call to Postgres in the life of a process. Raises SourceError where it fails.
        """
        identity, known = self._identity, self._labels
        if identity is None:
            return RowLabels("", "", claimed=False)
        if known is not None and (known.claimed or not claim):
            return known
        arguments = {
            "p_account": identity.account,
            "p_bot": identity.bot,
            "p_account_without_key": identity.account_without_key,
            "p_claim": claim,
        }
        labels = row_labels_from(_retry_once(lambda: self.rpc("history_labels", arguments)))
        self._labels = labels if labels.claimed else None
        return labels

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

        `order` names columns, each ascending or with `.desc`. More rows than `MAX_ROWS_PER_REQUEST` are fetched page by
        page, which is only correct when `order` is total (ends in a unique column). Without an order that raises
        InvalidInput. An `in` list of more than `MAX_IN_VALUES` is split into several requests, so it cannot be combined
        with an order or a limit.
        """
        queries = _split_in_lists([*self._own_rows(table), *where])
        if len(queries) > 1 and (order or limit is not None):
            raise InvalidInput("where", f"in with more than {MAX_IN_VALUES} values", "no order and no limit beside it")
        return [row for query in queries for row in self._pages(table, columns, query, order, limit)]

    def insert(self, table: str, rows: Sequence[Row], *, ignore_duplicates_on: str | None = None) -> int:
        """Insert all rows in one statement, sent at most once. Returns the number of inserted rows.

        With `ignore_duplicates_on` (columns of a unique key, joined by commas) existing rows are left as they are, so
        the call may be repeated.
        """
        if not rows:
            return 0
        body = self._marked(table, rows)
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
        with _translate_errors():
            return request.execute().count or 0

    def upsert(self, table: str, rows: Sequence[Row], *, on_conflict: str) -> int:
        """Insert the rows, or overwrite the sent columns of rows with the same unique key `on_conflict`.

        A key must not occur twice in `rows`. Returns the number of written rows.
        """
        if not rows:
            return 0
        request = self._rest.from_(table).upsert(
            self._marked(table, rows), count=self._exact, returning=self._minimal, on_conflict=on_conflict
        )
        with _translate_errors():
            return request.execute().count or 0

    def ping(self) -> None:
        """Raises SourceError unless the database answers and has our migrations."""

        def call() -> Any:
            with _translate_errors():
                return self._rest.rpc("ping", {}, get=True).execute().data

        _retry_once(call)

    def close(self) -> None:
        self._http.close()

    def _own_rows(self, table: str) -> list[Condition]:
        """The conditions that leave only this identity's rows."""
        return [] if self._identity is None or table not in LABELLED else [*self.labels().conditions(table)]

    def _marked(self, table: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows as JSON, with this identity's labels."""
        if self._identity is not None and table in LABELLED:
            rows = self.labels(claim=True).mark(table, rows)
        return json_rows(rows)

    def _pages(
        self, table: str, columns: str, where: Sequence[Condition], order: Sequence[str], limit: int | None
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while limit is None or len(rows) < limit:
            size = MAX_ROWS_PER_REQUEST if limit is None else min(MAX_ROWS_PER_REQUEST, limit - len(rows))
            page = _retry_once(partial(self._page, table, columns, where, order, offset=len(rows), size=size))
            if rows and page and not order:
                raise InvalidInput(
                    "order", list(order), f"a total order, since {table} holds more than {MAX_ROWS_PER_REQUEST} rows"
                )
            rows += page
            if len(page) < size:
                break
        return rows

    def _page(
        self, table: str, columns: str, where: Sequence[Condition], order: Sequence[str], *, offset: int, size: int
    ) -> list[dict[str, Any]]:
        request = self._rest.from_(table).select(columns).limit(size)
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
        with _translate_errors():
            return rows_in(request.execute().data, table)


def lazy_store(settings: Settings, resources: ExitStack) -> Callable[[], Store]:
    """A function that builds the store on its first call, because the SDK is slow to import. `resources` closes it."""

    @cache
    def store() -> Store:
        return resources.enter_context(closing(Store.from_settings(settings)))

    return store


def _split_in_lists(where: Sequence[Condition]) -> list[Sequence[Condition]]:
    """`where` as one or more queries whose `in` lists fit into a URL. Together they match the same rows."""
    for index, (column, operator, value) in enumerate(where):
        if operator == "in":
            values = list(dict.fromkeys(value))
            if len(values) > MAX_IN_VALUES:
                return [
                    chunk
                    for start in range(0, len(values), MAX_IN_VALUES)
                    for chunk in _split_in_lists(
                        [*where[:index], (column, "in", values[start : start + MAX_IN_VALUES]), *where[index + 1 :]]
                    )
                ]
    return [where]


def _raise_for_status(response: httpx.Response) -> None:
    """Raise our error for an answer outside 2xx, before the SDK drops the status."""
    if not response.is_success:
        raise error_from_reply(response.status_code, response.read())


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the transport's and the SDK's errors as SourceErrors. Their messages hold no URL and no header."""
    import httpx
    from supabase import PostgrestAPIError

    try:
        yield
    except httpx.TransportError as error:
        raise SourceUnavailable(SOURCE, f"{type(error).__name__}: {error}") from error
    except PostgrestAPIError as error:
        raise SourceMalformed(SOURCE, f"{error.code}: {error.message}", field="answer") from error


def _retry_once(read: Callable[[], Value]) -> Value:
    """Run a read, and once more where no answer came: an idle connection may have died in the meantime."""
    try:
        return read()
    except SourceUnavailable:
        return read()
