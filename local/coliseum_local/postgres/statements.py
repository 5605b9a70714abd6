"""Turns a parsed query into SQL. Pure: names are checked against the schema and quoted, values are escaped literals.

Postgres does the work: it reads bodies with json_to_recordset and writes answers with json_agg, as PostgREST has
it do, so numbers, times and JSON look the same as there.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from coliseum_local.postgres.preferences import Preferences
from coliseum_local.postgres.problems import PostgrestError
from coliseum_local.postgres.query import IS_VALUES, OPERATORS, Comparison, Ordering, Selected, TableQuery, Tree
from coliseum_local.postgres.schema import EXPOSED, DatabaseFunction, DatabaseTable

MAX_ROWS = 1000
"""Rows of one answer, as on Supabase."""


def read(table: DatabaseTable, query: TableQuery, preferences: Preferences) -> Composed:
    """A select. Its one row: body, number of rows in it, number of all matching rows or null."""
    return _answer(SQL("select * from {}").format(_relation(table)), table, query, preferences)


def insert(
    table: DatabaseTable,
    columns: Sequence[str],
    body: str,
    query: TableQuery,
    preferences: Preferences,
    *,
    conflict: Sequence[str],
) -> Composed:
    """`body` is the JSON array of rows."""
    for name in (*columns, *conflict):
        _known(table, name)
    listed = _listed(columns)
    return SQL("with written as (insert into {} ({}) select {} from {}{} returning *) ").format(
        _relation(table),
        listed,
        _values(table, columns, with_defaults=preferences.missing_default),
        _records(table, columns, body, with_defaults=preferences.missing_default),
        _on_conflict(columns, conflict, preferences),
    ) + _written(table, query, preferences)


def update(
    table: DatabaseTable, columns: Sequence[str], body: str, query: TableQuery, preferences: Preferences
) -> Composed:
    """`body` is the JSON array of the one object of new values."""
    for name in columns:
        _known(table, name)
    assignments = SQL(", ").join(SQL("{0} = given.{0}").format(Identifier(name)) for name in columns)
    return SQL("with written as (update {} set {} from {}{} returning {}.*) ").format(
        _relation(table),
        assignments,
        _records(table, columns, body, with_defaults=False),
        _where(table, query),
        Identifier(table.name),
    ) + _written(table, query, preferences)


def delete(table: DatabaseTable, query: TableQuery, preferences: Preferences) -> Composed:
    return SQL("with written as (delete from {}{} returning *) ").format(
        _relation(table), _where(table, query)
    ) + _written(table, query, preferences)


def call(
    function: DatabaseFunction, given: Sequence[str], body: str, query: TableQuery, preferences: Preferences
) -> Composed:
    """A function with its arguments in the JSON object `body`. The row is that of `read`."""
    name = Identifier(EXPOSED, function.name)
    if given:
        typed = SQL(", ").join(
            SQL("{} {}").format(Identifier(argument), SQL(function.arguments[argument])) for argument in given
        )
        arguments = SQL(", ").join(SQL("{0} => args.{0}").format(Identifier(argument)) for argument in given)
        source = SQL("json_to_record({}::json) as args ({}), lateral {}({})").format(
            Literal(body), typed, name, arguments
        )
    else:
        source = SQL("{}()").format(name)
    if function.returns_rows:
        selection = SQL("select result.* from {} as result").format(source)
        if function.returns_set:
            return _answer(selection, None, query, preferences)
        return SQL(
            "with source as ({}) select (json_agg(source)->0)::text, 1::bigint, null::bigint from source"
        ).format(selection)
    values = SQL("with source as (select result as value from {} as result limit {}) ").format(
        source, Literal(MAX_ROWS)
    )
    picked = SQL("json_agg(value)" if function.returns_set else "json_agg(value)->0")
    return values + SQL("select coalesce({}, {})::text, count(*), null::bigint from source").format(
        picked, Literal("[]" if function.returns_set else "null")
    )


def nothing() -> Composed:
    """The answer to an insert of no rows."""
    return SQL("select '[]'::text, 0::bigint, 0::bigint").format()


def _answer(source: Composed, table: DatabaseTable | None, query: TableQuery, preferences: Preferences) -> Composed:
    limit = min(MAX_ROWS, query.limit if query.limit is not None else MAX_ROWS)
    total = SQL("(select count(*) from ({}) as {}{})").format(source, _alias(table), _where(table, query))
    return SQL(
        "with page as (select {} from ({}) as {}{}{} limit {} offset {}) select ({})::text, count(*), {} from page"
    ).format(
        _selection(table, query.select),
        source,
        _alias(table),
        _where(table, query),
        _order(table, query.order),
        Literal(limit),
        Literal(query.offset),
        _body(preferences),
        total if preferences.count else SQL("null::bigint"),
    )


def _written(table: DatabaseTable, query: TableQuery, preferences: Preferences) -> Composed:
    if not preferences.representation:
        return SQL("select null::text, count(*), count(*) from written").format()
    return SQL(
        "select (select {} from (select {} from written as {}) as page)::text, count(*), count(*) from written"
    ).format(_body(preferences), _selection(table, query.select), _alias(table))


def _body(preferences: Preferences) -> Composable:
    return SQL("json_agg(page)->0" if preferences.single else "coalesce(json_agg(page), '[]')")


def _selection(table: DatabaseTable | None, selected: Sequence[Selected]) -> Composed:
    return SQL(", ").join(_item(table, item) for item in selected)


def _item(table: DatabaseTable | None, item: Selected) -> Composable:
    if item.name == "*":
        return SQL("*")
    column: Composable = _column(table, item.name)
    if item.cast:
        column = SQL("{}::{}").format(column, SQL(item.cast))
    return SQL("{} as {}").format(column, Identifier(item.alias or item.name))


def _where(table: DatabaseTable | None, query: TableQuery) -> Composed:
    if not query.where:
        return Composed([])
    return SQL(" where ") + SQL(" and ").join(_condition(table, part) for part in query.where)


def _condition(table: DatabaseTable | None, part: Comparison | Tree) -> Composed:
    if isinstance(part, Tree):
        inner = SQL(f" {part.joiner} ").join(_condition(table, each) for each in part.parts)
    else:
        inner = _comparison(table, part)
    return SQL("not ({})" if part.negated else "({})").format(inner)


def _comparison(table: DatabaseTable | None, part: Comparison) -> Composed:
    column = _column(table, part.column)
    if part.operator == "in":
        if not part.values:
            return SQL("false").format()
        return SQL("{} in ({})").format(column, SQL(", ").join(Literal(value) for value in part.values))
    (value,) = part.values
    if part.operator == "is":
        return SQL("{} is {}").format(column, SQL(IS_VALUES[value.lower()]))
    if part.operator in {"like", "ilike"}:
        value = value.replace("*", "%")
    return SQL("{} {} {}").format(column, SQL(OPERATORS[part.operator]), Literal(value))


def _order(table: DatabaseTable | None, order: Sequence[Ordering]) -> Composed:
    if not order:
        return Composed([])
    terms = []
    for term in order:
        way = SQL(" desc" if term.descending else " asc")
        nulls = SQL("" if term.nulls is None else f" nulls {term.nulls}")
        terms.append(_column(table, term.column) + way + nulls)
    return SQL(" order by ") + SQL(", ").join(terms)


def _records(table: DatabaseTable, columns: Sequence[str], body: str, *, with_defaults: bool) -> Composed:
    """The body's rows, typed; with `with_defaults` each beside its raw JSON, which distinguishes missing from null."""
    typed = SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(table.columns[name].type)) for name in columns)
    if with_defaults:
        return SQL(
            "jsonb_array_elements({}::jsonb) as raw (value), lateral jsonb_to_record(raw.value) as given ({})"
        ).format(Literal(body), typed)
    return SQL("json_to_recordset({}::json) as given ({})").format(Literal(body), typed)


def _values(table: DatabaseTable, columns: Sequence[str], *, with_defaults: bool) -> Composed:
    values: list[Composable] = []
    for name in columns:
        default = table.columns[name].default
        value: Composable = SQL("given.{}").format(Identifier(name))
        if with_defaults and default is not None:
            value = SQL("case when raw.value ? {} then {} else {} end").format(Literal(name), value, SQL(default))
        values.append(value)
    return SQL(", ").join(values)


def _on_conflict(columns: Sequence[str], conflict: Sequence[str], preferences: Preferences) -> Composed:
    if preferences.resolution is None or not conflict:
        return Composed([])
    if preferences.resolution == "ignore-duplicates":
        return SQL(" on conflict ({}) do nothing").format(_listed(conflict))
    assignments = SQL(", ").join(SQL("{0} = excluded.{0}").format(Identifier(name)) for name in columns)
    return SQL(" on conflict ({}) do update set {}").format(_listed(conflict), assignments)


def _column(table: DatabaseTable | None, name: str) -> Composed:
    """A column to read. For a function's rows (`table` None) Postgres itself says whether it exists."""
    if table is not None and name not in table.columns:
        raise PostgrestError(400, "42703", f"column {table.name}.{name} does not exist")
    return SQL("{}").format(Identifier(*([] if table is None else [table.name]), name))


def _known(table: DatabaseTable, name: str) -> None:
    if name not in table.columns:
        raise PostgrestError(
            400, "PGRST204", f"Could not find the '{name}' column of '{table.name}' in the schema cache"
        )


def _relation(table: DatabaseTable) -> Identifier:
    return Identifier(EXPOSED, table.name)


def _alias(table: DatabaseTable | None) -> Identifier:
    return Identifier("result" if table is None else table.name)


def _listed(columns: Sequence[str]) -> Composed:
    return SQL(", ").join(Identifier(name) for name in columns)
