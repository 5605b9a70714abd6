"""The form of a cached value in Redis: JSON with the time at which its source gave it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

Value = TypeVar("Value")
VERSION = 1


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[Value]):
    """A value and when its source gave it, in unix seconds."""

    value: Value
    as_of: float


def serialize_entry(entry: CacheEntry[Value], shape: TypeAdapter[Value]) -> str:
    head = f'{{"v":{VERSION},"as_of":{entry.as_of!r},"value":'
    return head + shape.dump_json(entry.value).decode() + "}"


def parse_entry(text: object, shape: TypeAdapter[Value]) -> CacheEntry[Value] | None:
    """None for a missing text, and for one that cannot be parsed: an older release may have written it."""
    if not isinstance(text, str):
        return None
    try:
        body = json.loads(text)
        if body["v"] != VERSION:
            return None
        return CacheEntry(shape.validate_json(json.dumps(body["value"])), float(body["as_of"]))
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
