"""Parses the query of a URL in PostgREST's language. Pure; it knows no table.

Anything that is not understood is refused, because an ignored filter would return rows that were not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coliseum_local.postgres.problems import PostgrestError, malformed, not_offered

OPERATORS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "ilike": "ilike",
}
IS_VALUES = {
    "null": "null",
    "not_null": "not null",
    "true": "true",
    "false": "false",
    "unknown": "unknown",
}
UNSUPPORTED_OPERATORS = frozenset(
    (
        "match",
        "imatch",
        "isdistinct",
        "fts",
        "plfts",
        "phfts",
        "wfts",
        "cs",
        "cd",
        "ov",
        "sl",
        "sr",
        "nxr",
        "nxl",
        "adj",
    )
)
CASTS = frozenset(
    ("text", "integer", "bigint", "numeric", "float8", "boolean", "date", "timestamptz", "json", "jsonb", "uuid")
)
READ_KEYS = frozenset(("select", "order", "limit", "offset"))
TREES = {"or": (False, "or"), "and": (False, "and"), "not.or": (True, "or"), "not.and": (True, "and")}
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_ITEM = re.compile(r'(?:(?P<alias>[^:"]+):(?!:))?(?P<name>\*|"(?:[^"\\]|\\.)+"|[^:"\s]+)(?:::(?P<cast>\w+))?', re.ASCII)
_ORDER = re.compile(r"(?P<name>[^.]+)(?:\.(?P<way>asc|desc))?(?:\.nulls(?P<nulls>first|last))?", re.ASCII)
# Tokens of the reader below, each matched at one position.
_NESTED = re.compile(r"(not\.)?(and|or)(?=\()")
_OPERATOR = re.compile(r"(?:not\.)?\w+(?:\([^)]*\))?\.")
_BARE_COLUMN = re.compile(r"[^.,()\"]+")
_BARE_VALUE = re.compile(r"[^,()]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Selected:
    """One column of the answer; `*` is all of them."""

    name: str
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    column: str
    operator: str
    """A key of OPERATORS, or `is` or `in`."""
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """Conditions joined by `and` or `or`."""

    joiner: str
    parts: tuple[Comparison | Tree, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    column: str
    descending: bool
    nulls: str | None


@dataclass(frozen=True, slots=True)
class TableQuery:
    select: tuple[Selected, ...]
    where: tuple[Comparison | Tree, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0


def query_from(pairs: Sequence[tuple[str, str]]) -> TableQuery:
    """The query in decoded key-value pairs. Every key that is not a known parameter is a filter on a column."""
    single = _singles(pairs, READ_KEYS)
    return TableQuery(
        select=selected(single.get("select", "*")),
        where=tuple(_condition(key, value) for key, value in pairs if key not in READ_KEYS),
        order=_orderings(single.get("order", "")),
        limit=_whole("limit", single["limit"]) if "limit" in single else None,
        offset=_whole("offset", single.get("offset", "0")),
    )


def selected(text: str) -> tuple[Selected, ...]:
    items = []
    for item in _split(text):
        if "(" in item:
            raise not_offered(f"an embedded table or an aggregate in select ({item})")
        if "->" in item:
            raise not_offered(f"a path into JSON in select ({item})")
        match = _ITEM.fullmatch(item)
        if match is None or (match["alias"] and not _ALIAS.fullmatch(match["alias"])):
            raise malformed("select", item, "[alias:]column[::cast], separated by commas")
        if match["cast"] and match["cast"] not in CASTS:
            raise not_offered(f"a cast to {match['cast']}")
        items.append(Selected(unquoted(match["name"]), match["alias"], match["cast"]))
    return tuple(items) or (Selected("*"),)


def names(text: str) -> tuple[str, ...]:
    """Column names separated by commas, each possibly in double quotes."""
    return tuple(unquoted(part) for part in _split(text))


def unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _singles(pairs: Iterable[tuple[str, str]], keys: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in keys:
            if key in found:
                raise malformed(key, value, "the parameter once")
            found[key] = value
    return found


def _whole(key: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,15}", text, re.ASCII):
        raise malformed(key, text, "a whole number")
    if text.startswith("-"):
        raise PostgrestError(416, "PGRST103", "Requested range not satisfiable", f"{key} must not be below zero")
    return int(text)


def _orderings(text: str) -> tuple[Ordering, ...]:
    orderings = []
    for item in _split(text):
        match = _ORDER.fullmatch(item)
        if match is None or "(" in item or "->" in item:
            raise malformed("order", item, "column[.asc|.desc][.nullsfirst|.nullslast]")
        orderings.append(Ordering(unquoted(match["name"]), match["way"] == "desc", match["nulls"]))
    return tuple(orderings)


def _condition(key: str, text: str) -> Comparison | Tree:
    if key in TREES:
        negated, joiner = TREES[key]
        reader = _Reader(key, text)
        tree = Tree(joiner, reader.group(), negated)
        reader.end()
        return tree
    if not key.startswith('"') and ("." in key or "->" in key):
        raise not_offered(f"a filter on an embedded table or a path into JSON ({key})")
    negated, operator, value = _operator(key, text)
    if operator == "in":
        reader = _Reader(key, value)
        values = reader.list()
        reader.end()
        return Comparison(unquoted(key), operator, values, negated)
    return Comparison(unquoted(key), operator, (_checked(key, operator, value),), negated)


def _operator(key: str, text: str) -> tuple[bool, str, str]:
    """`[not.]operator.value` in its parts."""
    negated = text.startswith("not.")
    operator, dot, value = text.removeprefix("not.").partition(".")
    bare = operator.partition("(")[0]
    if bare in UNSUPPORTED_OPERATORS or (bare in OPERATORS and bare != operator):
        raise not_offered(f"the operator {operator} (on {key})")
    if not dot or (operator not in OPERATORS and operator not in {"is", "in"}):
        raise malformed(key, text, "[not.]operator.value with eq, neq, gt, gte, lt, lte, like, ilike, is or in")
    return negated, operator, value


def _checked(key: str, operator: str, value: str) -> str:
    if operator == "is" and value.lower() not in IS_VALUES:
        raise malformed(key, value, "is.null, is.not_null, is.true, is.false or is.unknown")
    return value


def _split(text: str) -> list[str]:
    """Parts between commas outside double quotes and parentheses."""
    parts, start, depth, quoted, escaped = [], 0, 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return parts if text else []


class _Reader:
    """Recursive descent over `(a.eq.1,or(b.is.null,not.c.in.(x,"y,z")))`."""

    def __init__(self, key: str, text: str) -> None:
        self._key = key
        self._text = text
        self._at = 0

    def group(self, depth: int = 0) -> tuple[Comparison | Tree, ...]:
        if depth > 20:
            raise self._malformed("at most 20 nested groups")
        self._take("(")
        parts = [self._part(depth)]
        while self._peek() == ",":
            self._at += 1
            parts.append(self._part(depth))
        self._take(")")
        return tuple(parts)

    def list(self) -> tuple[str, ...]:
        self._take("(")
        values: list[str] = []
        while self._peek() != ")":
            if values:
                self._take(",")
            values.append(self._value())
        self._take(")")
        return tuple(values)

    def end(self) -> None:
        if self._at != len(self._text):
            raise self._malformed("nothing more")

    def _part(self, depth: int) -> Comparison | Tree:
        nested = _NESTED.match(self._text, self._at)
        if nested:
            self._at = nested.end()
            return Tree(nested[2], self.group(depth + 1), bool(nested[1]))
        column = self._column()
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            raise self._malformed("column.operator.value")
        self._at = match.end()
        negated, operator, _ = _operator(column, match[0])
        values = self.list() if operator == "in" else (_checked(column, operator, self._value()),)
        return Comparison(column, operator, values, negated)

    def _column(self) -> str:
        if self._peek() == '"':
            column = self._value()
        else:
            match = _BARE_COLUMN.match(self._text, self._at)
            if match is None or "->" in match[0]:
                raise self._malformed("a column's name")
            column, self._at = match[0], match.end()
        self._take(".")
        return column

    def _value(self) -> str:
        quoted = _QUOTED.match(self._text, self._at)
        match = quoted or _BARE_VALUE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL) if quoted else match[0]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, char: str) -> None:
        if self._peek() != char:
            raise self._malformed(repr(char))
        self._at += 1

    def _malformed(self, expected: str) -> PostgrestError:
        return malformed(self._key, self._text, f"{expected} at position {self._at}")
