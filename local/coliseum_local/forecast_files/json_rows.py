"""Reads JSON lines, or a JSON array of objects. Pure."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coliseum.json_objects import RepeatedKey, unique_keys
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextTable, TextTableBuilder, column_name

SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_SPACE = " \t\r\n"


def json_rows(name: str, text: str, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    """Read a text: one array of objects, or one object on each line. Rows that cannot be read become problems."""
    rows = _JsonRows(name, expected, problems)
    begin = _after_space(text, 0)
    if text[begin : begin + 1] == "[":
        _read_array(text, begin + 1, rows)
    else:
        _read_lines(text, rows)
    return rows.builder.table(name)


class _Number(str):
    """A number as it is written, so that no digit is lost."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Repeated:
    """An object with a repeated key, in the place of the object."""

    message: str


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    try:
        return unique_keys(pairs)
    except RepeatedKey as error:
        return _Repeated(str(error))


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def _read_lines(text: str, rows: _JsonRows) -> None:
    for line, content in enumerate(io.StringIO(text, newline=""), start=1):
        content = content.strip(_SPACE)  # noqa: PLW2901  # the line without its end
        if not content:
            continue
        try:
            row = _DECODER.decode(content)
        except json.JSONDecodeError as error:
            rows.problem(line, f"not JSON: {error.msg} at column {error.colno}. A line must be one object")
        except (ValueError, RecursionError) as error:
            rows.problem(line, f"not JSON: {error}")
        else:
            rows.add(line, row, hint=". A line must be one object")


def _read_array(text: str, place: int, rows: _JsonRows) -> None:
    line, counted, more = 1, 0, False
    try:
        while True:
            place = _after_space(text, place)
            line, counted = line + text.count("\n", counted, place), place
            if text[place : place + 1] == "]" and not more:
                break
            row, place = _DECODER.raw_decode(text, place)
            rows.add(line, row, hint=". An array must hold objects")
            place = _after_space(text, place)
            if text[place : place + 1] not in {",", "]"}:
                raise _unexpected("Expecting ',' or ']'", text, place)
            more = text[place] == ","
            place += more
        place = _after_space(text, place + 1)
        if place < len(text):
            raise _unexpected("Extra data after the array", text, place)
    except json.JSONDecodeError as error:
        rows.problem(error.lineno, f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        rows.problem(line, f"not JSON: {error}")


def _unexpected(message: str, text: str, place: int) -> json.JSONDecodeError:
    return json.JSONDecodeError(message, text, place)


def _after_space(text: str, place: int) -> int:
    while text[place : place + 1] and text[place] in _SPACE:
        place += 1
    return place


@dataclass(slots=True)
class _JsonRows:
    """Collects the objects of a file. Their keys may differ from row to row."""

    name: str
    expected: ExpectedColumns
    problems: FileProblems
    builder: TextTableBuilder = field(init=False)
    plans: dict[tuple[str, ...], list[int] | None] = field(default_factory=dict)
    """For the keys of an object: the place of each one's column, -1 for an unknown one. None: a column is missing."""
    reported: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.builder = TextTableBuilder(self.expected.known)

    def problem(self, line: int, text: str) -> None:
        self.problems.add(self.name, line, text)

    def add(self, line: int, row: Any, *, hint: str) -> None:
        if isinstance(row, _Repeated):
            self.problem(line, row.message)
            return
        if not isinstance(row, dict):
            self.problem(line, f"not a JSON object{hint}")
            return
        keys = tuple(row)
        plan = self.plans.get(keys)
        if plan is None:
            plan = self._plan(keys, line)
        if plan is not None:
            values = ((place, self._text(line, place, value)) for place, value in zip(plan, row.values(), strict=True)
                      if place >= 0)  # fmt: skip
            self.builder.add_some(line, values)

    def _plan(self, keys: tuple[str, ...], line: int) -> list[int] | None:
        names = [column_name(key) for key in keys]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            self.problem(line, f"column {', '.join(twice)} occurs twice")
            return None
        fresh = [name for name in names if name not in self.reported]  # an unknown column is reported once
        self.reported.update(name for name in fresh if name not in self.expected.known)
        if not self.expected.check(fresh, self.name, line, self.problems):
            return None
        place = {name: index for index, name in enumerate(self.expected.known)}
        plan = self.plans[keys] = [place.get(name, -1) for name in names]
        return plan

    def _text(self, line: int, place: int, value: Any) -> str:
        """The text that a CSV file would have for a JSON value."""
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        name = self.expected.known[place]
        if isinstance(value, _Repeated):
            self.problem(line, f"{name}: {value.message}")
        else:
            kind = "an object" if isinstance(value, dict) else "an array"
            self.problem(line, f"{name}: got {kind}, expected a text, a number, true, false or null")
        return ""
