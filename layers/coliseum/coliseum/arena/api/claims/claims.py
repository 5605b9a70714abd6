"""Reads registered claims. Nothing is decided here: the settler does that when it makes leaderboards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coliseum.arena.api.claims.answers import ClaimAnswer, ClaimData, ClaimsAnswer
from coliseum.arena.api.public.queries import PageRequest, PublicQueries
from coliseum.arena.claims import claim_of_text
from coliseum.arena.records import public as records

NO_LOOK = "no leaderboard was made since the registration"


class ClaimQueries:
    """Registered claims with their verdicts."""

    def __init__(self, queries: PublicQueries) -> None:
        self._queries = queries

    def claims(self, filters: Mapping[str, str | None], paging: PageRequest) -> ClaimsAnswer:
        """`filters` by column: agent_id, season, track, verdict. Newest first."""
        page = self._queries.page("claims", records.CLAIMS, filters, paging)
        items = [claim_data(row) for row in page.rows]
        return ClaimsAnswer(
            items=items, count=len(items), next_cursor=page.next_cursor, **self._queries.source_fields()
        )

    def claim(self, claim_id: str) -> ClaimAnswer:
        """Raises NotFound for an unknown claim."""
        row = self._queries.one("claim", claim_id, records.CLAIMS, [("claim_id", "eq", claim_id)])
        return ClaimAnswer(**self._queries.source_fields(), **dict(claim_data(row)))

    def of_board(self, season: str, track: str) -> dict[str, list[ClaimData]]:
        """The claims about each agent of a season and track, oldest first."""
        rows = self._queries.rows.every(records.CLAIMS, [("season", "eq", season), ("track", "eq", track)])
        result: dict[str, list[ClaimData]] = {}
        for row in reversed(rows):
            result.setdefault(row["agent_id"], []).append(claim_data(row))
        return result


def claim_data(row: Mapping[str, Any]) -> ClaimData:
    """A row of the table as it is shown."""
    claim = claim_of_text(row["claim"])
    moment = datetime.fromisoformat(row["registered_at"]).astimezone(UTC)
    registered_at = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    shown = {**row, "reason": row["reason"] or NO_LOOK}
    return ClaimData(**shown, statement=claim.statement, document={**claim.document, "registered_at": registered_at})
