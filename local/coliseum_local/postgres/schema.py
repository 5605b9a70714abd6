"""What the exposed schema holds: tables, views, functions, as the catalogue says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from coliseum_local.postgres.problems import PostgrestError

EXPOSED = "public"


@dataclass(frozen=True, slots=True)
class Column:
    type: str
    """As SQL writes it, with its modifiers."""
    default: str | None
    """The default's SQL, from the catalogue."""


@dataclass(frozen=True, slots=True)
class DatabaseTable:
    """A table or view."""

    name: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseFunction:
    name: str
    arguments: Mapping[str, str]
    """Type by name."""
    required: frozenset[str]
    returns_set: bool
    returns_rows: bool
    """A row type rather than one value."""
    returns_nothing: bool


@dataclass(frozen=True, slots=True)
class Schema:
    tables: Mapping[str, DatabaseTable] = field(default_factory=dict)
    functions: Mapping[str, tuple[DatabaseFunction, ...]] = field(default_factory=dict)

    def table(self, name: str) -> DatabaseTable:
        if name not in self.tables:
            raise PostgrestError(404, "PGRST205", f"Could not find the table '{EXPOSED}.{name}' in the schema cache")
        return self.tables[name]

    def function(self, name: str, arguments: frozenset[str]) -> DatabaseFunction:
        """The overload that takes exactly these arguments; those with defaults may be missing."""
        fitting = [
            candidate
            for candidate in self.functions.get(name, ())
            if arguments <= candidate.arguments.keys() and candidate.required <= arguments
        ]
        shown = f"{EXPOSED}.{name}({', '.join(sorted(arguments))})"
        if not fitting:
            raise PostgrestError(404, "PGRST202", f"Could not find the function {shown} in the schema cache")
        if len(fitting) > 1:
            raise PostgrestError(300, "PGRST203", f"Could not choose the best candidate function for {shown}")
        return fitting[0]


def load(connection: psycopg.Connection[Any]) -> Schema:
    """The exposed schema as it is now."""
    with connection.cursor(row_factory=dict_row) as cursor:
        tables = {
            row["name"]: DatabaseTable(
                row["name"],
                {name: Column(*rest) for name, *rest in row["columns"]},
                tuple(row["primary_key"]),
            )
            for row in cursor.execute(_TABLES, {"schema": EXPOSED}).fetchall()
        }
        functions: dict[str, tuple[DatabaseFunction, ...]] = {}
        for row in cursor.execute(_FUNCTIONS, {"schema": EXPOSED}).fetchall():
            functions[row["name"]] = (*functions.get(row["name"], ()), _function(row))
    return Schema(tables, functions)


def _function(row: Mapping[str, Any]) -> DatabaseFunction:
    arguments = dict(zip(row["names"], row["types"], strict=True))
    required = row["names"][: len(row["names"]) - row["defaults"]]
    return DatabaseFunction(
        row["name"],
        arguments,
        frozenset(required),
        row["returns_set"],
        row["returns_rows"],
        row["returns_nothing"],
    )


_TABLES = """
select c.relname as name,
    coalesce((
        select json_agg(
            json_build_array(
                a.attname,
                format_type(a.atttypid, a.atttypmod),
                case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end
            ) order by a.attnum
        )
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ), '[]') as columns,
    coalesce((
        select json_agg(a.attname order by a.attnum)
        from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid and i.indisprimary
    ), '[]') as primary_key
from pg_class c
where c.relnamespace = %(schema)s::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
"""
_FUNCTIONS = """
select p.proname as name,
    coalesce(a.names, '{}')::text[] as names,
    coalesce(a.types, '{}')::text[] as types,
    p.pronargdefaults as defaults,
    p.proretset as returns_set,
    (t.typtype = 'c' or t.oid = 'record'::regtype) as returns_rows,
    t.oid = 'void'::regtype as returns_nothing
from pg_proc p
join pg_type t on t.oid = p.prorettype
cross join lateral (
    select array_agg(coalesce(p.proargnames[position], '') order by position) as names,
        array_agg(format_type(type, null) order by position) as types
    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as u (type, position)
    where p.proargmodes is null or p.proargmodes[position] in ('i', 'b')
) a
where p.pronamespace = %(schema)s::regnamespace and p.prokind = 'f' and p.provariadic = 0
    and t.oid <> 'trigger'::regtype
"""
