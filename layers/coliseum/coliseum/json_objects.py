"""JSON from outside, read strictly: no key twice (Python would keep the last value), no NaN, no NUL. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

MAX_DEPTH = 20
"""Levels of objects and lists that a caller's JSON may have."""


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


def json_problem(value: object, *, depth: int = 0) -> str | None:
    """Why a parsed JSON value is refused from outside; None where nothing is wrong.

    Python reads NaN, Infinity, NUL and lone surrogates without an error, and the database refuses them later.
    """
    if depth > MAX_DEPTH:
        return f"at most {MAX_DEPTH} levels of objects and lists are allowed"
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite: NaN, Infinity and 1e999 are not JSON numbers"
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        return None
    return next((found for part in parts if (found := json_problem(part, depth=depth + 1)) is not None), None)


def _text_problem(text: str) -> str | None:
    if "\x00" in text:
        return "texts must not hold the character NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "texts must not hold half a character (a lone surrogate)"
    return None


def _shown(value: Any) -> str:
    if isinstance(value, str) and type(value) is not str:
        text = str(value)  # a number that the caller keeps as it is written
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
