"""Reads and writes of market results, and of the stored leaderboard reports that are computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.records.batches import StoreRecords
from coliseum.arena.records.rows import RESULT_COLUMNS, Result, result_from
from coliseum.trading.money import decimal_text


class ResultRecords(StoreRecords):
    """Results and reports."""

    def unsettled_tickers(self) -> tuple[str, ...]:
        """Markets of rounds that have no result, or one that is recent enough to be amended."""
        rows = self._store.select("arena_waiting_tickers", "ticker", order=("ticker",))
        return tuple(row["ticker"] for row in rows)

    def record_result(
        self, ticker: str, *, status: str, result: str, value: Decimal, decided_at: datetime | None
    ) -> int:
        """Store a result, `value` in dollars per YES contract. Returns its version; a repetition adds none."""
        return int(
            self._store.rpc(
                "arena_record_result",
                {
                    "p_ticker": ticker,
                    "p_status": status,
                    "p_result": result,
                    "p_value": decimal_text(value, places=4),
                    "p_decided": None if decided_at is None else decided_at.isoformat(),
                },
            )
        )

    def results(self, tickers: Iterable[str] | None = None) -> dict[str, tuple[Result, ...]]:
        """All versions per ticker, oldest first."""
        if tickers is None:
            rows = self._store.select("arena_results", RESULT_COLUMNS, order=("ticker", "version"))
        else:
            names = sorted(set(tickers))
            rows = self._store.select("arena_results", RESULT_COLUMNS, where=[("ticker", "in", names)]) if names else []
        versions: dict[str, list[Result]] = {}
        for row in sorted(rows, key=lambda row: (row["ticker"], row["version"])):
            versions.setdefault(row["ticker"], []).append(result_from(row))
        return {ticker: tuple(results) for ticker, results in versions.items()}

    def recent_results(self, *, since: datetime) -> tuple[Result, ...]:
        """Results recorded at that time or later."""
        rows = self._store.select(
            "arena_results",
            RESULT_COLUMNS,
            where=[("recorded_at", "gte", since.isoformat())],
            order=("ticker", "version"),
        )
        return tuple(result_from(row) for row in rows)

    def save_report(self, values: Mapping[str, Any]) -> bool:
        """Store a leaderboard report. True where its digest is new."""
        return self._store.insert("arena_reports", [values], ignore_duplicates_on="digest") > 0

    def report_due(self, season: str, track: Track) -> bool:
        """Whether a round has closed or a result has come in since the season's newest report."""
        return bool(self._store.rpc("arena_report_due", {"p_season": season, "p_track": track.value}))
