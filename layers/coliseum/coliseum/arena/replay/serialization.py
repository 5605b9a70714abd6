"""Writes frozen dataclasses as JSON and reads them by their field types. Decimals and times are strings. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
CACHED_VALUES = 100_000
"""Numbers and times in the cache. Rows often repeat them, and share the objects then."""


def to_json(record: Any, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields of a frozen dataclass with JSON types only."""
    return {
        field.name: _json_value(getattr(record, field.name)) for field in fields(record) if field.name not in leave_out
    }


def from_json(kind: type[Record], row: Mapping[str, Any], **fixed: Any) -> Record:
    """Read a dataclass of this kind. The values of `fixed` fields come from the caller.

    Raises ValueError for a wrong field, or a missing one that has no default; the message names it.
    """
    values: dict[str, Any] = {}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}  # type: ignore[arg-type]  # a dataclass
    for name, reader in _readers(kind).items():  # type: ignore[arg-type]  # a class is hashable
        if name in fixed:
            values[name] = fixed[name]
            continue
        if name not in row:
            if name in optional:
                continue  # recordings from before the field was added
            raise ValueError(f"{name}: missing")
        try:
            values[name] = reader(row[name])
        except (TypeError, ValueError, AttributeError, InvalidOperation):
            raise ValueError(f"{name}: got {row[name]!r}") from None
    return kind(**values)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with Z, in full precision."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(CACHED_VALUES)
def moment_from(value: Any) -> datetime:
    """The time of an RFC 3339 text. Raises ValueError for any other text, and for a time without a zone."""
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("the time has no zone")
    return moment


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return moment_text(value)
    return list(value) if isinstance(value, tuple) else value


@cache
def _readers(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


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


@lru_cache(CACHED_VALUES)
def number_from(text: str) -> Decimal:
    """The number of a text. Raises ValueError or InvalidOperation if it is not a finite number."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("the number is not finite")
    return number


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("the value is not a string")
    return sys.intern(value)  # rows repeat texts, which share one object then


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("the value is not a boolean")
    return value


_READERS: dict[Any, Callable[[Any], Any]] = {
    Decimal: _decimal,
    datetime: moment_from,
    str: _string,
    bool: _boolean,
}
