"""JSON objects in which no key occurs twice. Python would silently keep the last value. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


class RepeatedKey(ValueError):
    """A JSON object has a key twice, so it is unknown which of the values counts."""


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs: an `object_pairs_hook`. Raises RepeatedKey with the key and its values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        values = " and ".join(_shown(value) for name, value in pairs if name == twice)
        raise RepeatedKey(f"the key {_shown(twice)} occurs twice, with {values}")
    return found


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for a text that is not JSON, and RepeatedKey."""
    return json.loads(text, object_pairs_hook=unique_keys)


def _shown(value: Any) -> str:
    if isinstance(value, str) and type(value) is not str:
        text = str(value)  # a number that the caller keeps as it is written
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
