"""`coliseum convert forecastbench`: puts ForecastBench's published files into the columns of `coliseum score`.

It reads the files of the repository forecastbench-datasets as they are: a set of forecasts
(`datasets/forecast_sets/…json`), its resolutions (`datasets/resolution_sets/…json`) and, for the market's prices, its
questions (`datasets/question_sets/…json`). The first two may also be CSV with the same fields as columns.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coliseum.json_objects import strict_json
from coliseum_local.forecast_files.contents import content_of
from coliseum_local.text_files import UnreadableFile

MARKETS = frozenset({"infer", "manifold", "metaculus", "polymarket"})
"""Sources whose questions are markets. All others are questions about the next values of a dataset."""
COLUMNS = ("agent", "role", "event", "market", "cluster", "p", "q", "y", "group", "category")

Row = Mapping[str, Any]
Key = tuple[str, str, str]
"""(Source, ids with directions, date; the date is empty for a market)."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a question resolved to by a date. `y` is None if it is not scored."""

    y: float | None
    resolved: bool


def print_converted(
    forecasts: Sequence[Path], resolutions: Path, *, questions: Path | None, output: Path | None
) -> int:
    """Write the CSV to the file, or to stdout. Returns the exit code: 1 after printing what is wrong to stderr."""
    try:
        text = converted(forecasts, resolutions, questions)
        if output is None:
            print(text, end="")
        else:
            output.write_text(text, encoding="utf-8")
    except UnreadableFile as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{output}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def converted(forecasts: Sequence[Path], resolutions: Path, questions: Path | None = None) -> str:
    """The CSV text of all forecasts, with their resolutions and, for markets, the price at the freeze time.

    A question and date is an event of its own, as ForecastBench weights them, and all dates of a question are one
    cluster. A market that is not resolved is scored against its value, and a dataset question that is not resolved is
    not scored. Raises UnreadableFile.
    """
    known = _resolutions(resolutions)
    prices = {} if questions is None else _prices(questions)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    asked: set[Key] = set()
    for path in forecasts:
        for agent, role, row in _forecasts(path):
            writer.writerow(_line(agent, role, row, known, prices))
            asked.add(_key(row))
    for path, found in ((resolutions, known.keys()), *([(questions, prices.keys())] if questions else ())):
        if asked.isdisjoint(found):
            raise UnreadableFile(f"{path.name}: none of its questions is in {', '.join(one.name for one in forecasts)}")
    return text.getvalue()


def _line(
    agent: str, role: str, row: Row, known: Mapping[Key, Resolution], prices: Mapping[Key, float]
) -> dict[str, object]:
    key = _key(row)
    source, name, date = key
    resolution = known.get(key, Resolution(None, resolved=False))
    question = f"{source}/{name}"
    market = f"{question}@{date}" if date else question
    return {
        "agent": agent,
        "role": role,
        "event": market,
        "market": market,
        "cluster": question,
        "p": _text(row.get("forecast")),
        "q": prices.get(key, ""),
        "y": "" if resolution.y is None else resolution.y,
        "group": "market" if source in MARKETS else "dataset",
        "category": "resolved" if resolution.resolved else "unresolved",
    }


def _forecasts(path: Path) -> Iterator[tuple[str, str, Row]]:
    """Each forecast of a file with its agent and role. People have a `user_id`, models are named by the file."""
    content = _content(path, "forecasts")
    model = str(content.about.get("model") or path.stem)
    for row in content.rows:
        person = next((row[name] for name in ("user_id", "forecaster") if row.get(name) not in {None, ""}), None)
        yield (model, "", row) if person is None else (str(person), "human", row)


def _resolutions(path: Path) -> dict[Key, Resolution]:
    result: dict[Key, Resolution] = {}
    for row in _content(path, "resolutions").rows:
        key, value = _key(row), _text(row.get("resolved_to"))
        resolved = str(row.get("resolved")).strip().lower() in {"1", "1.0", "true"}
        scored = value and (resolved or key[0] in MARKETS)
        found = Resolution(_number(path, row, value) if scored else None, resolved)
        if result.setdefault(key, found) != found:
            raise UnreadableFile(f"{path.name}: two different resolutions of {' '.join(filter(None, key))}")
    return result


def _prices(path: Path) -> dict[Key, float]:
    """The market's probability when the questions were frozen. Datasets have a value there that is no probability."""
    result: dict[Key, float] = {}
    for row in _content(path, "questions").rows:
        value = _text(row.get("freeze_datetime_value"))
        if row.get("source") in MARKETS and isinstance(row.get("id"), str) and value not in {"", "N/A"}:
            result[_key(row)] = _number(path, row, value)
    if not result:
        raise UnreadableFile(
            f"{path.name}: no market has a price: expected freeze_datetime_value, a number from 0 to 1, in the rows of "
            + ", ".join(sorted(MARKETS))
        )
    return result


def _number(path: Path, row: Row, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UnreadableFile(f"{path.name}: question {row.get('id') or row.get('question')}: got {value!r}, "
                             "expected a value between 0 and 1")  # fmt: skip
    return number


def _key(row: Row) -> Key:
    """The question of a row. A combination has a list of ids and, if it is not only 'and', a direction for each."""
    ids = row.get("id", row.get("question"))
    names = [str(one) for one in ids] if isinstance(ids, list) else [str(ids)]
    directions = row.get("direction") or [1] * len(names)
    signs = directions if isinstance(directions, list) else [1] * len(names)
    name = "+".join(name if sign == 1 else f"not {name}" for name, sign in zip(names, signs, strict=False))
    source = str(row.get("source"))
    return source, name, "" if source in MARKETS else _text(row.get("resolution_date"))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


@dataclass(frozen=True, slots=True)
class _Content:
    about: Row
    rows: Sequence[Row]


def _content(path: Path, name: str) -> _Content:
    """The rows of a file: the list `name` of a JSON object, or the lines of a CSV file."""
    file = content_of(path)
    if file.suffix != ".json":
        rows = list(csv.DictReader(io.StringIO(file.text(), newline="")))
        return _Content({}, _checked(path, rows))
    try:
        content = strict_json(file.text())
    except ValueError as error:
        raise UnreadableFile(f"{path.name}: not JSON: {error}") from None
    listed = content.get(name) if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise UnreadableFile(f"{path.name}: expected an object with a list `{name}`, as ForecastBench publishes it")
    return _Content(content, _checked(path, listed))


def _checked(path: Path, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows. Raises UnreadableFile if one does not name its question and source."""
    for number, row in enumerate(rows, start=1):
        if not row.get("source") or not (row.get("id") or row.get("question")):
            raise UnreadableFile(f"{path.name}: row {number} has no question (`id` or `question`) or no `source`")
    if not rows:
        raise UnreadableFile(f"{path.name}: no rows")
    return rows
