"""A cached value's form in Redis: JSON with the time its source said it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

Value = TypeVar("Value")
VERSION = 1


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[Value]):
    """A value and when its source said so, in unix seconds."""

    value: Value
    as_of: float


def serialize_entry(stored: CacheEntry[Value], shape: TypeAdapter[Value]) -> str:
    head = f'{{"v":{VERSION},"as_of":{stored.as_of!r},"value":'
    return head + shape.dump_json(stored.value).decode() + "}"


def parse_entry(text: object, shape: TypeAdapter[Value]) -> CacheEntry[Value] | None:
    """None for a missing text, and for one we cannot read: an older release may have written it."""
    if not isinstance(text, str):
        return None
    try:
        body = json.loads(text)
        if body["v"] != VERSION:
            return None
        return CacheEntry(shape.validate_json(json.dumps(body["value"])), float(body["as_of"]))
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
