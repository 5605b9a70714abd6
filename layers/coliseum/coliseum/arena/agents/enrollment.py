"""Field the season's contestants, and let models play as soon as a key exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coliseum.arena.agents.roster import Roster, roster
from coliseum.arena.records.records import ArenaRecords

ACTIVE, NEEDS_KEY = "active", "needs_key"


def field_season(records: ArenaRecords, season: str, *, has_key: bool, players: Roster | None = None) -> None:
    """Make the season's contestants exist, with models waiting while there is no key.

    Who plays this season already keeps its slug and terms; what an operator paused or retired stays so.
    """
    fielded = players or roster()
    models = [_row(row, ACTIVE if has_key else NEEDS_KEY) for row in fielded.models]
    records.field([*models, *(_row(row, ACTIVE) for row in fielded.others)], season)


def _row(row: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {**row, "status": status}
