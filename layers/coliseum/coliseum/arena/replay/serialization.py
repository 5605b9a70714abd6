"""Trading words as JSON and back, by their own field types: decimals and times as strings. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
REMEMBERED = 100_000
"""Numbers and times that are shared by all rows that have them, as texts are: rows repeat themselves."""


def to_json(word: Any, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A frozen dataclass as JSON's own types."""
    return {one.name: _text(getattr(word, one.name)) for one in fields(word) if one.name not in leave_out}


def from_json(kind: type[Record], row: Mapping[str, Any], **given: Any) -> Record:
    """The word again. Raises ValueError that names the field; `given` fields come from the caller."""
    values: dict[str, Any] = {}
    for name, reader in _readers(kind).items():  # type: ignore[arg-type]  # a class is hashable
        if name in given:
            values[name] = given[name]
            continue
        if name not in row:
            raise ValueError(f"{name}: missing")
        try:
            values[name] = reader(row[name])
        except (TypeError, ValueError, AttributeError, InvalidOperation):
            raise ValueError(f"{name}: got {row[name]!r}") from None
    return kind(**values)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with Z, as precise as it is."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(REMEMBERED)
def moment_from(value: Any) -> datetime:
    """Raises ValueError for anything but an aware time."""
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return moment_text(value)
    return list(value) if isinstance(value, tuple) else value


@cache
def _readers(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {one.name: _reader(hints[one.name]) for one in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        reader = _reader(inner)
        return lambda value: None if value is None else reader(value)
    if get_origin(hint) is tuple:
        return lambda value: tuple(map(_string, value))
    return _READERS[hint]


def _decimal(value: Any) -> Decimal:
    return number_from(_string(value))


@lru_cache(REMEMBERED)
def number_from(text: str) -> Decimal:
    """Raises ValueError or InvalidOperation for anything but a finite number."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return sys.intern(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


_READERS: dict[Any, Callable[[Any], Any]] = {
    Decimal: _decimal,
    datetime: moment_from,
    str: _string,
    bool: _truth,
}
