"""What a leaderboard says about the open claims of its season and track."""

from __future__ import annotations

from typing import Any

import numpy as np

from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.reporting.reports import SeasonReport
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.claim_verdicts import look_at_claim


def look_at_claims(records: ArenaRecords, board: SeasonReport) -> list[dict[str, Any]]:
    """One row for each open claim that was registered before the leaderboard, ready to be stored."""
    key = board.key
    open_claims = [one for one in records.open_claims(key.season, key.track) if one.registered_at <= key.known_at]
    if not open_claims:
        return []
    table = table_from_cells(board.cells)
    rows: list[dict[str, Any]] = []
    for registered in open_claims:
        events = records.claim_events(registered)
        found = look_at_claim(
            registered.claim,
            table,
            counted_events=np.array([event in events for event in table.events], dtype=np.bool_),
            left_out=board.left_out,
            until=board.questions_until.timestamp(),
        )
        rows.append({
            "claim_id": registered.claim_id,
            "digest": board.digest,
            "verdict": found.verdict.value,
            "final": found.final,
            "reason": found.reason,
            "numbers": dict(found.numbers),
        })  # fmt: skip
    return rows
