"""Reads and writes of registered claims and of what leaderboards say about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coliseum.arena.claims import Claim, claim_of_text
from coliseum.arena.forecasts import Track
from coliseum.arena.records.batches import StoreRecords
from coliseum.errors import InvalidInput, SourceRefused

_TOO_LATE = "23514"


@dataclass(frozen=True, slots=True)
class RegisteredClaim:
    """A claim and the database's time of its registration."""

    claim_id: str
    claim: Claim
    registered_at: datetime


class ClaimRecords(StoreRecords):
    """Claims and their verdicts. Nothing here can change or delete one: the database would refuse it."""

    def register_claim(self, claim: Claim) -> tuple[str, bool]:
        """Store a claim. Returns its id, and False where the same claim was there already.

        Raises InvalidInput where the season or the date of the only look is over by the database's clock.
        """
        try:
            answer = self._store.rpc("arena_register_claim", {"p_claim": claim.canonical})
        except SourceRefused as error:
            if error.code != _TOO_LATE:
                raise
            raise InvalidInput("claim", claim.claim_id, f"a claim about the future ({error})") from None
        return str(answer["claim_id"]), bool(answer["new"])

    def open_claims(self, season: str, track: Track) -> tuple[RegisteredClaim, ...]:
        """Claims without a verdict, in the order of registration."""
        rows = self._store.select(
            "public_arena_claims",
            "claim_id,claim,registered_at",
            where=[("season", "eq", season), ("track", "eq", track.value), ("final", "is", False)],
            order=("number",),
        )
        return tuple(
            RegisteredClaim(row["claim_id"], claim_of_text(row["claim"]), datetime.fromisoformat(row["registered_at"]))
            for row in rows
        )

    def claim_events(self, registered: RegisteredClaim) -> frozenset[str]:
        """The events that were first asked after the registration, by the database's clock."""
        since = registered.claim.since
        names = self._store.rpc(
            "arena_claim_events",
            {"p_claim": registered.claim_id, "p_since": None if since is None else since.isoformat()},
        )
        return frozenset(names)

    def claims_due(self, season: str, track: Track) -> bool:
        """Whether an open claim waits for a look although no new leaderboard is due."""
        return bool(self._store.rpc("arena_claims_due", {"p_season": season, "p_track": track.value}))

    def save_claim_looks(self, looks: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """Store what a leaderboard says about claims. Returns the claims that got their verdict by this call."""
        rows = [dict(look) for look in looks]
        return tuple(self._store.rpc("arena_save_looks", {"p_looks": rows})) if rows else ()
