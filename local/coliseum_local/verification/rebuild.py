"""Makes a published leaderboard again from exported rows, with whichever version of the engine is on the path.

It is also a script: `python -I rebuild.py ENGINE.zip IN.json OUT.json` runs it with an older version, so it imports
nothing but what every version has, and takes and gives plain JSON.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def rebuild(rows: Mapping[str, Sequence[Row]], report: Row) -> dict[str, Any]:
    """The body and digest of the report, and `input_hash` of the exported cells.

    `rows` are by table, with the names of the database's columns (`rows.database_rows`). `report` has `season`,
    `track`, `as_of`, `known_at` and `draws`. Raises the engine's errors for rows that it refuses.
    """
    reports, forecasts = _module("reporting.reports"), _module("forecasts")
    key = _report_key()(
        season=report["season"],
        track=forecasts.Track(report["track"]),
        as_of=datetime.fromisoformat(report["as_of"]),
        known_at=datetime.fromisoformat(report["known_at"]),
    )
    made = reports.make_report(ExportedRecords(rows, key.known_at), key, draws=report["draws"])
    return {"body": made.body, "digest": made.digest, "cells_hash": _cells_hash(rows["cells"])}


class ExportedRecords:
    """The reads of the arena's tables that a report needs, from exported rows as known at a time."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], known_at: datetime) -> None:
        self._rows = rows
        self._known_at = known_at
        self._parse = _module("records.rows")

    def rounds(self, **_: object) -> list[Any]:
        return [self._parse.round_from(_fields(self._parse.Round, row)) for row in self._rows["rounds"]]

    def asked_markets(self, round_ids: Iterable[str]) -> list[Any]:
        wanted = set(round_ids)
        market, read = self._parse.AskedMarket, self._parse.asked_market_from
        return [read(_fields(market, row)) for row in self._rows["markets"] if row["round_id"] in wanted]

    def results(self, tickers: Iterable[str]) -> dict[str, list[Any]]:
        wanted = set(tickers)
        versions: defaultdict[str, list[Any]] = defaultdict(list)
        for row in sorted(self._rows["results"], key=lambda row: (row["ticker"], row["version"])):
            if row["ticker"] in wanted:
                versions[row["ticker"]].append(self._parse.result_from(_fields(self._parse.Result, row)))
        return dict(versions)

    def scored_forecasts(self, round_ids: Iterable[str], track: str) -> list[Any]:
        forecast, read = self._parse.ScoredForecast, self._parse.scored_forecast_from
        return [read(_fields(forecast, row)) for row in self._forecasts(round_ids, track)]

    def decision_work(self, round_ids: Iterable[str], track: str, **_: object) -> list[Any]:
        """Decisions with the totals of their attempts; what was recorded later is left out."""
        wanted = set(round_ids)
        answers = {row["forecast_id"]: row["p"] for row in self._forecasts(wanted, track)}
        attempts: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows["attempts"]:
            if datetime.fromisoformat(row["recorded_at"]) <= self._known_at:
                attempts[row["decision_id"]].append(row)
        return [
            self._parse.decision_work_from(
                {
                    **{name: row[name] for name in ("agent_id", "round_id", "ticker")},
                    **self._state(row),
                    "p": answers.get(row["decision_id"]),
                    **_totals(attempts[row["decision_id"]]),
                }
            )
            for row in self._rows["decisions"]
            if row["round_id"] in wanted and row["track"] == track and row["status"] != "skipped"
        ]

    def agents(self) -> list[Any]:
        known = [row for row in self._rows["agents"] if datetime.fromisoformat(row["created_at"]) <= self._known_at]
        return [self._parse.agent_from(_fields(self._parse.Agent, row)) for row in known]

    def _forecasts(self, round_ids: Iterable[str], track: str) -> list[Row]:
        wanted = set(round_ids)
        return [
            row
            for row in self._rows["forecasts"]
            if row["round_id"] in wanted
            and row["track"] == track
            and datetime.fromisoformat(row["created_at"]) <= self._known_at
        ]

    def _state(self, row: Row) -> dict[str, Any]:
        finished = row["finished_at"] is not None and datetime.fromisoformat(row["finished_at"]) <= self._known_at
        return {
            "status": row["status"] if finished else "pending",
            "reason": row["reason"] if finished else None,
            "attempts": row["attempt"],
        }


def _totals(attempts: Sequence[Row]) -> dict[str, Any]:
    """As the database adds up the attempts of a decision: a cost that is not known makes the sum unknown."""
    ordered = sorted(attempts, key=lambda row: row["attempt"])
    tokens = [
        row["input_tokens"] + row["output_tokens"]
        for row in ordered
        if row["input_tokens"] is not None and row["output_tokens"] is not None
    ]
    costs = [row["cost_usd"] for row in ordered]
    return {
        "latency_ms": ordered[-1]["latency_ms"] if ordered else None,
        "tokens": sum(tokens) if tokens else None,
        "cost_usd": None if not costs or None in costs else str(sum(map(Decimal, costs))),
    }


def _cells_hash(cells: Sequence[Row]) -> str:
    """`input_hash` of cells in the form of the engine's `Cell`; an infinite time is the text `inf`."""
    tables, report = _module("scoring.cells"), _module("scoring.report")
    known = tables.Cell.__dataclass_fields__
    made = [tables.Cell(**{name: _cell_value(name, cell[name]) for name in cell if name in known}) for cell in cells]
    return str(report.input_hash(tables.table_from_cells(made)))


def _cell_value(name: str, value: Any) -> Any:
    return float(value) if name == "due_at" and value is not None else value


def _report_key() -> Any:
    try:
        return _module("season_cells.rows").ReportKey
    except ModuleNotFoundError:  # until 1.3.0 it stood beside the reports
        return _module("reporting.reports").ReportKey


def _module(name: str) -> Any:
    return import_module(f"coliseum.arena.{name}")


def _fields(shape: Any, row: Row) -> dict[str, Any]:
    """The fields of the row that this version's type has."""
    return {name: row[name] for name in shape.__dataclass_fields__ if name in row}


if __name__ == "__main__":
    engine, source, target = sys.argv[1:]
    sys.path.insert(0, engine)
    content = json.loads(Path(source).read_text(encoding="utf-8"))
    Path(target).write_text(json.dumps(rebuild(content["rows"], content["report"])), encoding="utf-8")
