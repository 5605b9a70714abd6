"""Reads and writes of outside agents. Each is one call of a SQL function, which makes the rules hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coliseum.arena.records.batches import StoreRecords
from coliseum.errors import SourceRefused

LATE = "55000"


class EntryRecords(StoreRecords):
    """Entrants, their questions and their forecasts. Tokens arrive here as hashes only.

    A caller's mistake comes back as a row with `error`; see the migration for the words.
    """

    def register(self, entrant: Mapping[str, Any], *, address: str, most: int) -> dict[str, Any]:
        """Store an entrant unless `most` have come from `address` (a hash) within an hour."""
        args = {"p": dict(entrant), "p_from": address, "p_most": most}
        return dict(self._store.rpc("arena_register_entrant_from", args))

    def authorize(self, token_hash: str, *, cost: int) -> dict[str, Any]:
        """Count `cost` requests against the limit of the token."""
        return dict(self._store.rpc("arena_authorize_entrant", {"p_token_hash": token_hash, "p_cost": cost}))

    def questions(self, entrant_id: str, *, after: str, limit: int) -> list[dict[str, Any]]:
        """Open questions without a forecast of this entrant, in the order of their ids."""
        args = {"p_entrant": entrant_id, "p_after": after, "p_limit": limit}
        return list(self._store.rpc("arena_entrant_questions", args))

    def question(self, entrant_id: str, question_id: str) -> dict[str, Any] | None:
        """One question of any round; None for an unknown one."""
        row = self._store.rpc("arena_entrant_question", {"p_entrant": entrant_id, "p_question": question_id})
        return dict(row) if row else None

    def submit(self, token_hash: str, question_id: str, payload: Mapping[str, Any], seal: str) -> dict[str, Any]:
        """Store a forecast, unless the round is over by the database's clock or there is one already."""
        args = {"p_token_hash": token_hash, "p_question": question_id, "p_payload": dict(payload), "p_seal": seal}
        try:
            return dict(self._store.rpc("arena_submit_forecast", args))
        except SourceRefused as error:
            if error.code != LATE:  # the round closed while the row was written
                raise
            return {"error": "late"}

    def rotate(self, token_hash: str, new_hash: str) -> bool:
        """A new token beside the old one, until the new one is first used. False where the old one is unknown."""
        return bool(self._store.rpc("arena_rotate_token", {"p_token_hash": token_hash, "p_new_hash": new_hash}))

    def set_endpoint(self, token_hash: str, endpoint: str | None, secret: str | None) -> dict[str, Any]:
        """Set the address that is called, with its secret; None removes it."""
        args = {"p_token_hash": token_hash, "p_endpoint": endpoint, "p_secret": secret}
        return dict(self._store.rpc("arena_set_endpoint", args))

    def rotate_endpoint_secret(self, token_hash: str, secret: str) -> dict[str, Any]:
        return dict(self._store.rpc("arena_rotate_endpoint_secret", {"p_token_hash": token_hash, "p_secret": secret}))

    def resume_endpoint(self, token_hash: str) -> dict[str, Any]:
        return dict(self._store.rpc("arena_resume_endpoint", {"p_token_hash": token_hash}))

    def reissue(self, entrant_id: str, new_hash: str) -> bool:
        """A new token instead of all others. False for an unknown entrant."""
        return bool(self._store.rpc("arena_reissue_token", {"p_entrant": entrant_id, "p_new_hash": new_hash}))

    def record(self, entrant_id: str) -> dict[str, Any]:
        """Coverage and scores of an entrant."""
        return dict(self._store.rpc("arena_entrant_record", {"p_entrant": entrant_id}))

    def entrants(self) -> list[dict[str, Any]]:
        """All entrants, newest first, with what only the operator may see."""
        return list(self._store.rpc("arena_list_entrants", {}))

    def decide(
        self, entrant_id: str, *, status: str | None, requests_per_minute: int | None, forecasts_per_day: int | None
    ) -> dict[str, Any] | None:
        """Change an entrant's status and limits; None stands for "as it is". None for an unknown entrant."""
        args = {
            "p_entrant": entrant_id,
            "p_status": status,
            "p_requests": requests_per_minute,
            "p_forecasts": forecasts_per_day,
        }
        row = self._store.rpc("arena_set_entrant", args)
        return dict(row) if row else None

    def claim(self, entrant_id: str, claim_hash: str) -> dict[str, Any] | None:
        """The registration behind a claim link; None for a wrong, dead or unknown one."""
        row = self._store.rpc("arena_read_claim", {"p_entrant": entrant_id, "p_claim_hash": claim_hash})
        return dict(row) if row else None
