"""What differs between something published and the same thing recomputed, path by path. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PLACES = 12
"""Decimal places of floats in canonical JSON: beyond them nothing is published."""
_LONGEST = 120


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Absent()
"""Stands for a value that one side does not have."""


@dataclass(frozen=True, slots=True)
class BoardDifference:
    """One thing that is published otherwise than it was recomputed."""

    path: str
    published: Any
    recomputed: Any

    def __str__(self) -> str:
        return f"{self.path}: published {shown(self.published)}, recomputed {shown(self.recomputed)}"

    def json(self) -> dict[str, Any]:
        """For JSON; an absent value is left out."""
        values = {"published": self.published, "recomputed": self.recomputed}
        return {"path": self.path, **{name: value for name, value in values.items() if value is not NOTHING}}


def differences(published: Any, recomputed: Any, path: str) -> Iterator[BoardDifference]:
    """Every leaf that differs. Lists of agents and pairs are compared by name, and their order beside that."""
    if isinstance(published, Mapping) and isinstance(recomputed, Mapping):
        for key in sorted({*published, *recomputed}):
            yield from differences(published.get(key, NOTHING), recomputed.get(key, NOTHING), f"{path}.{key}")
    elif _is_list(published) and _is_list(recomputed):
        yield from _of_lists(published, recomputed, path)
    elif published is NOTHING or recomputed is NOTHING or _rounded(published) != _rounded(recomputed):
        yield BoardDifference(path, published, recomputed)


def shown(value: Any) -> str:
    """A value for people: JSON, cut where it is long."""
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _of_lists(published: Sequence[Any], recomputed: Sequence[Any], path: str) -> Iterator[BoardDifference]:
    left, right = _named(published), _named(recomputed)
    if left is None or right is None:
        for index in range(max(len(published), len(recomputed))):
            one = published[index] if index < len(published) else NOTHING
            other = recomputed[index] if index < len(recomputed) else NOTHING
            yield from differences(one, other, f"{path}[{index}]")
        return
    for name in sorted({*left, *right}):
        yield from differences(left.get(name, NOTHING), right.get(name, NOTHING), f"{path}[{name}]")
    if left.keys() == right.keys() and list(left) != list(right):
        yield BoardDifference(f"{path} order", list(left), list(right))


def _named(rows: Sequence[Any]) -> dict[str, Any] | None:
    """The rows by the agents that they are about; None if they are about something else."""
    named: dict[str, Any] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            return None
        name = row.get("agent") or row.get("agent_id")
        if name is None and "first" in row and "second" in row:
            name = f"{row['first']}-{row['second']}"
        if not isinstance(name, str):
            return None
        named[name] = row
    return named if len(named) == len(rows) else None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _rounded(value: Any) -> Any:
    """The value with its type: true is not 1."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    return round(value, PLACES) + 0.0 if isinstance(value, float) else value
