"""Whether the exchange's answers still have the form that we know. Pure.

Kalshi changes its interface about once a month, without a new version. `Sentinel` compares samples of every endpoint's
answers with `known_fields` and remembers what it found, so that each change is reported once per process.

It looks at the first answer of each endpoint, and then at so few bytes that looking stays below a twentieth of parsing:
of a list at its first row and one more, which is another one each time. A change that shows in few rows can be missed
until such a row is looked at. An answer that could not be parsed, or only without some rows, is looked at completely,
unless such answers keep coming.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from coliseum.kalshi.known_fields import ENDPOINTS, SHAPES, UNUSED, USES, WORDS
from coliseum.trading.exchange import ChangeKind

SHARE = 0.01
"""The part of all parsed bytes that is looked at."""
CALLS = 50
"""A small answer is looked at once in so many calls."""
COMPLETELY = 5
"""So many answers of an endpoint that could not be read are looked at completely, then one in `CALLS`."""
MAX_KNOWN = 200
"""Differences that are remembered. More of them would be no change of some fields but another interface."""
MAX_ROWS = 2000
_SLICE_BYTES = 64 * 1024
_SMALL_BYTES = 4096
_GOLDEN = 0.6180339887498949
_SHOWN = 60

_PRICE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?", re.ASCII)
_SIGNED = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
_YEAR_2100 = 4_102_444_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which an answer differs from the known form."""

    endpoint: str
    shape: str
    """The object that has the field, such as Market."""
    field: str
    change: ChangeKind
    detail: str
    """What came and what was expected, printable."""
    depends_on: str
    """What in Coliseum depends on the field."""
    key: str
    """Equal for two reports of one change."""


class Sentinel:
    """Looks at answers. One per client, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, _Endpoint] = {}
        self._known: set[str] = set()
        self._new: list[Difference] = []

    def look(self, endpoint: str, body: bytes, *, everything: bool = False) -> None:
        """Compare an answer, or a part of it, with the known form. Never raises for what an answer holds."""
        shape = ENDPOINTS.get(endpoint)
        if shape is None:
            return
        state = self._seen.get(endpoint)
        if state is None:
            state = self._seen.setdefault(endpoint, _Endpoint())
        if everything:
            if state.is_due_completely():
                self._note(endpoint, _everything(shape, body))
        elif state.is_due(len(body)):
            looked, found = _sample(shape, body, state.calls)
            state.spent(looked)
            self._note(endpoint, found)

    def refused(self, endpoint: str, message: str) -> None:
        """Look at the message of a 400. A parameter that the exchange accepted before may be required now, or gone."""
        field = _refused_parameter(message)
        if field is not None and endpoint in ENDPOINTS:
            use = _use(ENDPOINTS[endpoint], "")
            found = _Found(ENDPOINTS[endpoint], field, ChangeKind.PARAMETER, _printable(message), field)
            self._note(endpoint, [found], depends_on=f"this call; {use}")

    def take_new(self) -> tuple[Difference, ...]:
        """What was found since the last call."""
        if not self._new:
            return ()
        with self._lock:
            new, self._new = tuple(self._new), []
        return new

    def _note(self, endpoint: str, found: list[_Found], depends_on: str | None = None) -> None:
        for one in found:
            key = f"{one.shape}.{one.field} {one.change.value} {one.mark}"
            with self._lock:
                if key in self._known or len(self._known) >= MAX_KNOWN:
                    continue
                self._known.add(key)
                self._new.append(
                    Difference(
                        endpoint=endpoint,
                        shape=one.shape,
                        field=one.field,
                        change=one.change,
                        detail=one.detail,
                        depends_on=depends_on or _depends_on(one),
                        key=key,
                    )
                )


class _Endpoint:
    """How much of an endpoint's answers was looked at."""

    def __init__(self) -> None:
        self.calls = 0
        self._credit = 0.0
        self._cost = 0
        self._unreadable = 0

    def is_due(self, size: int) -> bool:
        self.calls += 1
        self._credit += size * SHARE
        return self.calls % CALLS == 1 or 0 < self._cost <= self._credit

    def is_due_completely(self) -> bool:
        """True for the first answers that could not be read, and for one in so many: a row may stay odd for days."""
        self._unreadable += 1
        return self._unreadable <= COMPLETELY or self._unreadable % CALLS == 0

    def spent(self, looked: int) -> None:
        self._cost = looked
        self._credit = 0.0


@dataclass(frozen=True, slots=True)
class _Found:
    shape: str
    field: str
    change: ChangeKind
    detail: str
    mark: str
    """What tells two changes of one field apart."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One known field."""

    kind: str
    nullable: bool
    check: Callable[[Any], str | None]
    """A word for what is wrong with a value: the kind of change, else None. Not for shapes."""
    shape: str | None
    """The shape of the object, or of the rows of the list, that the field holds."""
    is_list: bool


@dataclass(frozen=True, slots=True)
class _Shape:
    fields: Mapping[str, _Field]
    required: frozenset[str]


@cache
def _shape(name: str) -> _Shape:
    fields: dict[str, _Field] = {}
    required: set[str] = set()
    for entry in SHAPES[name].split():
        field, _, kind = entry.partition(":")
        if not kind.endswith("?"):
            required.add(field)
        plain = kind.rstrip("?~")
        inner = plain[1:-1] if plain[0] in "{[" else None
        words = WORDS[plain[1:]] if plain[0] == "=" else None
        check = _word_check(words) if words is not None else _CHECKS.get(plain, _anything)
        fields[field] = _Field(plain, "~" in kind, check, inner, plain[0] == "[")
    return _Shape(fields, frozenset(required))


def _sample(shape: str, body: bytes, calls: int) -> tuple[int, list[_Found]]:
    """The bytes that were looked at, and the differences of this sample."""
    lists = [name for name, field in _shape(shape).fields.items() if field.is_list and field.shape is not None]
    if not lists or len(body) <= _SMALL_BYTES:
        return len(body), _everything(shape, body)
    found: list[_Found] = []
    looked = 0
    if calls % CALLS == 1:
        # Now and then the envelope, too: all rows are skipped, not read.
        looked += len(body) // 8
        found += _envelope(shape, body)
    rows = [
        row for row in (_row_at(body, lists[0], place) for place in (0.0, calls * _GOLDEN % 1.0)) if row is not None
    ]
    inner = _shape(shape).fields[lists[0]].shape
    for row, size in rows:
        looked += size
        found += _compare(str(inner), row, most_rows=2)
    return looked, found


def _envelope(shape: str, body: bytes) -> list[_Found]:
    try:
        parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    small = {name: _decoded(raw) if len(bytes(raw)) <= _SMALL_BYTES else _TOO_LARGE for name, raw in parts.items()}
    return _compare(shape, small, most_rows=2)


class _Large:
    """Stands for a value that was not decoded."""


_TOO_LARGE = _Large()


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return _TOO_LARGE


def _row_at(body: bytes, name: str, place: float) -> tuple[dict[str, Any], int] | None:
    """The first row of a list, or one behind `place` (0 to 1) of the body, with its size; None where none is found."""
    start = body.find(b"[", body.find(b'"%s"' % name.encode()) + 1) + 1
    first = _object_at(body, start)
    if first is None or not place:
        return first
    names = list(first[0])
    mark = b'"%s"' % names[0].encode() if names else b"{"
    found = body.find(mark, start + int((len(body) - start) * place))
    begin = body.rfind(b"{", start, found)
    if found < 0 or begin < 0 or body[begin + 1 : found].strip():
        return None
    row = _object_at(body, begin)
    # An object inside a row may begin with the same name; it has few other names of a row.
    return row if row is not None and 2 * len(row[0].keys() & first[0].keys()) >= len(names) else None


def _object_at(body: bytes, start: int) -> tuple[dict[str, Any], int] | None:
    text = body[start : start + _SLICE_BYTES].decode("utf-8", "replace").lstrip()
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, dict) else None


_DECODER = json.JSONDecoder()


def _everything(shape: str, body: bytes) -> list[_Found]:
    try:
        return _compare(shape, json.loads(body), most_rows=MAX_ROWS)
    except (ValueError, RecursionError):
        return []  # no JSON: the parser says so


def _compare(name: str, value: Any, *, most_rows: int) -> list[_Found]:
    """How an object differs from its shape, in its fields and in the objects that it holds."""
    if not isinstance(value, dict):
        return [_other_type(name, "itself", value, "an object")]
    shape = _shape(name)
    found = list(_names(name, value, shape))
    for field_name, inner in value.items():
        field = shape.fields.get(field_name)
        if field is None or (inner is None and (field.nullable or field.is_list)) or inner is _TOO_LARGE:
            continue
        if field.shape is None:
            problem = field.check(inner) if inner is not None else "type"
            if problem is not None:
                found.append(_wrong(name, field_name, inner, field.kind, problem))
        elif field.is_list:
            found += _compare_rows(name, field_name, inner, field.shape, most_rows)
        else:
            found += _compare(field.shape, inner, most_rows=most_rows)
    return found


def _compare_rows(name: str, field_name: str, value: Any, shape: str, most_rows: int) -> list[_Found]:
    if not isinstance(value, list):
        return [_other_type(name, field_name, value, "a list")]
    rows = value if len(value) <= most_rows else [*value[: most_rows - 1], value[-1]]
    return [found for row in rows for found in _compare(shape, row, most_rows=most_rows)]


def _names(name: str, value: Mapping[str, Any], shape: _Shape) -> Iterator[_Found]:
    unknown = value.keys() - shape.fields.keys()
    missing = shape.required - value.keys()
    if not unknown and not missing:
        return
    if len(unknown) == len(missing) == 1:
        old, new = next(iter(missing)), next(iter(unknown))
        detail = f"{old} is gone and {_printable(new)} is new, with {_shown(value[new])}"
        yield _Found(name, old, ChangeKind.RENAMED_FIELD, detail, _printable(new))
        return
    for field in sorted(unknown):
        detail = f"a field that was not known, with {_shown(value[field])}"
        yield _Found(name, _printable(field), ChangeKind.UNKNOWN_FIELD, detail, "")
    for field in sorted(missing):
        yield _Found(name, field, ChangeKind.MISSING_FIELD, "every answer had it so far", "")


def _wrong(name: str, field: str, value: Any, kind: str, problem: str) -> _Found:
    if problem == "word":
        detail = f"{_shown(value)}, which is none of {', '.join(sorted(map(repr, WORDS[kind[1:]])))}"
        return _Found(name, field, ChangeKind.NEW_VALUE, detail, _shown(value))
    if problem == "unit":
        detail = f"{_shown(value)}, which is no {_KIND_NAMES.get(kind, kind)}: perhaps another unit"
        return _Found(name, field, ChangeKind.OTHER_UNIT, detail, "")
    return _other_type(name, field, value, _KIND_NAMES.get(kind, kind))


def _other_type(name: str, field: str, value: Any, expected: str) -> _Found:
    kind = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )
    return _Found(name, field, ChangeKind.OTHER_TYPE, f"{kind}, {_shown(value)}; expected {expected}", kind)


_KIND_NAMES = {
    "text": "a text",
    "flag": "a truth value",
    "whole": "a whole number",
    "number": "a number",
    "price": "price in dollars from 0 to 1, as text",
    "dollars": "amount of dollars as text",
    "count": "number of contracts as text",
    "signed": "number of contracts as text",
    "cents": "whole number of cents",
    "seconds": "unix time in seconds",
    "time": "RFC 3339 time",
    "texts": "a list of texts",
    "levels": "a list of prices and counts",
    "object": "an object",
}


def _anything(_: Any) -> str | None:
    return None


def _is(*kinds: type) -> Callable[[Any], str | None]:
    return lambda value: None if type(value) in kinds else "type"


def _word_check(words: frozenset[str]) -> Callable[[Any], str | None]:
    return lambda value: "type" if not isinstance(value, str) else None if value in words else "word"


def _number_text(pattern: re.Pattern[str], *, most: float) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if type(value) is not str or pattern.fullmatch(value) is None:
            return "type"
        return None if float(value) <= most else "unit"

    return check


def _seconds(value: Any) -> str | None:
    if type(value) not in {int, float}:
        return "type"
    return None if 0 <= value < _YEAR_2100 else "unit"


def _time(value: Any) -> str | None:
    if type(value) is not str:
        return "type"
    return None if not value or _TIME.fullmatch(value) else "unit"


def _levels(value: Any) -> str | None:
    if type(value) is not list:
        return "type"
    price, count = _CHECKS["price"], _CHECKS["count"]
    for level in value[:1]:
        if type(level) is not list or len(level) != 2:
            return "type"
        problem = price(level[0]) or count(level[1])
        if problem is not None:
            return problem
    return None


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "text": _is(str),
    "flag": _is(bool),
    "whole": _is(int),
    "number": _is(int, float),
    "cents": _is(int),
    "price": _number_text(_PRICE, most=1.0),
    "dollars": _number_text(_SIGNED, most=float("inf")),
    "count": _number_text(_PRICE, most=float("inf")),
    "signed": _number_text(_SIGNED, most=float("inf")),
    "seconds": _seconds,
    "time": _time,
    "texts": _is(list),
    "levels": _levels,
    "object": _is(dict),
}


def _depends_on(found: _Found) -> str:
    if found.change is ChangeKind.UNKNOWN_FIELD:
        return UNUSED
    return _use(found.shape, found.field)


def _use(shape: str, field: str) -> str:
    return USES.get(f"{shape}.{field}") or USES.get(shape, UNUSED)


def _refused_parameter(message: str) -> str | None:
    """The parameter that a 400 names; None where the message is about something else."""
    named = re.search(r"Field validation for '(\w{1,60})' failed on the '\w{1,60}' tag", message)
    if named:
        return named[1]
    required = re.search(r"parameter \W?(\w{1,60})\W? (?:is )?(?:required|missing)", message, re.IGNORECASE)
    return required[1] if required else None


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return "a value that cannot be shown"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:200])
