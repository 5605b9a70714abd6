"""`coliseum verify` finds a change of every field of every export, but for those that say nothing about a board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.verified_world import Rows, run

from coliseum_local.verify import DIFFERENT, UNREADABLE, VERIFIED

FILES = ("agents", "attempts", "cells", "claims", "decisions", "forecasts", "markets", "reports", "results", "rounds",
         "seals")  # fmt: skip
NOT_CHECKED: dict[str, tuple[str, ...]] = {
    # What a contestant is called, and how it was asked: no number comes from it.
    "agents": ("name", "model", "tracks", "status", "season", "created_at", "method", "other_model_forecasts"),
    # The arena's own records, which nothing seals.
    "attempts": ("attempt", "started_at", "model_requested", "model_served", "host", "output_mode", "context_hash",
                 "prompt", "raw_reply", "cost_source", "error_class", "recorded_at", "season", "track", "repairs"),
    "decisions": ("attempt", "opened", "finished_at", "closes_at"),
    "forecasts": ("opened", "closes_at"),
    # Copies of what is sealed in `context`, or stands in `rounds` and `results`.
    "markets": ("title", "exchange", "closes_at", "opened", "result", "value", "book"),
    "reports": ("created_at",),
    "results": ("status", "version", "recorded_at"),
    "rounds": ("status",),
    # A claim that is said to rest on another leaderboard is checked with that one.
    "claims": ("digest", "looked_at"),
}  # fmt: skip
"""Fields whose change is not found, and why."""
FOUND = {DIFFERENT, UNREADABLE}


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 + 1 if value != -1 else 0
    if isinstance(value, dict):
        return {**value, "more": 1}
    if isinstance(value, list):
        return value[:-1]
    if value is None:
        return "0.5"
    if value[:2] == "20" and "T" in value:
        return f"2025-01-02{value[10:]}"
    try:
        return str(float(value) / 2 + 0.11)
    except ValueError:
        return f"{'0' if value[0] != '0' else '1'}{value[1:]}" if len(value) == 64 else f"{value}x"


def rows_of(folder: Path, name: str) -> Rows:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def verified(folder: Path, name: str, rows: Rows) -> int:
    """The exit code with other rows in one of the files, which is left as it was."""
    path = folder / f"{name}.jsonl"
    before = path.read_text()
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    code = run(folder / "reports.jsonl")
    path.write_text(before)
    return code


def is_found(folder: Path, name: str, field: str) -> bool:
    """Whether a change of the field is found in one of the rows. (Rows of an open round are on no board.)"""
    rows = rows_of(folder, name)
    for place in reversed(range(len(rows))):
        changed = [dict(row) for row in rows]
        changed[place][field] = other(changed[place][field])
        if verified(folder, name, changed) in FOUND:
            return True
    return False


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_every_field_is_found(exports_folder: Path, name: str) -> None:
    fields = dict.fromkeys(field for row in rows_of(exports_folder, name) for field in row)
    unseen = [field for field in fields if field not in NOT_CHECKED.get(name, ())]
    assert [field for field in unseen if not is_found(exports_folder, name, field)] == []


@pytest.mark.parametrize("name", list(NOT_CHECKED))
def test_the_fields_that_are_not_checked_exist(exports_folder: Path, name: str) -> None:
    assert set(NOT_CHECKED[name]) <= rows_of(exports_folder, name)[0].keys()


EDITS: dict[str, Callable[[Rows], Rows]] = {
    "a row twice": lambda rows: [*rows, rows[0]],
    "a row less": lambda rows: [*rows[: len(rows) // 2], *rows[len(rows) // 2 + 1 :]],
}


@pytest.mark.parametrize("edit", list(EDITS))
@pytest.mark.parametrize("name", FILES)
def test_rows_that_are_missing_or_twice_are_found(exports_folder: Path, name: str, edit: str) -> None:
    assert verified(exports_folder, name, EDITS[edit](rows_of(exports_folder, name))) in FOUND


@pytest.mark.parametrize("name", FILES)
def test_the_order_of_rows_does_not_matter(exports_folder: Path, name: str) -> None:
    assert verified(exports_folder, name, rows_of(exports_folder, name)[::-1]) == VERIFIED
