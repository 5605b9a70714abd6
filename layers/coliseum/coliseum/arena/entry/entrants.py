"""Outside agents: registration, the operator's decision, questions, and the one forecast of each question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, NoReturn

from coliseum.arena import forecasts
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.entry.sealing import entrant_payload
from coliseum.arena.entry.tokens import (
    CODE,
    RANDOM_BYTES,
    TOKEN,
    code_from,
    hash_of,
    signing_secret_from,
    token_from,
)
from coliseum.arena.forecasts import Track, clamped
from coliseum.arena.frozen_context import visible_context
from coliseum.errors import Conflict, InvalidInput, NotFound, NotPermitted, OverLimit

EntryMode = Literal["off", "invite", "open"]
NONCE_BYTES = 16
LONGEST_RATIONALE = 4_000
"""Characters."""
REQUESTS_PER_MINUTE = 60
FORECASTS_PER_DAY = 500
"""Limits of an entrant that the operator has admitted."""
OPEN_REQUESTS_PER_MINUTE = 30
OPEN_FORECASTS_PER_DAY = 100
"""Limits of an entrant that nobody has admitted yet, with `ARENA_ENTRY=open`."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A new entrant. The token and the claim code are known to the caller alone from here on."""

    entrant_id: str
    token: str = field(repr=False)
    claim_code: str = field(repr=False)
    status: str
    signing_secret: str | None = field(repr=False)
    """What signs the requests to its endpoint; None without an endpoint."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """An entrant that has shown its token."""

    entrant_id: str
    token_hash: str
    requests_per_minute: int
    forecasts_per_day: int


@dataclass(frozen=True, slots=True)
class SealedForecast:
    """A stored forecast: its id, its seal, and the probability as it is recorded."""

    forecast_id: str
    seal: str
    probability: Decimal
    created_at: datetime


class Entrants:
    """What outside agents and the operator can do. The three ways in (REST, MCP, the Python client) all end here."""

    def __init__(
        self,
        records: Callable[[], EntryRecords],
        *,
        random: Callable[[int], bytes],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`random` gives so many random bytes; `records` is called when the store is first needed."""
        self._records = records
        self._random = random
        self._clock = clock

    # -- registration

    def register(
        self, *, name: str, contact: str, endpoint: str | None, mode: EntryMode, network: str, per_network: int
    ) -> Registration:
        """Register an agent. With `open` it is active at once, with `invite` it waits for the operator.

        `network` is a hash of the caller's network address, from which `per_network` may register within an hour.
        Raises Conflict for a name that is taken or looks like another one, OverLimit where too many register or wait.
        """
        token, code = token_from(self._random(RANDOM_BYTES)), code_from(self._random(RANDOM_BYTES))
        secret = None if endpoint is None else signing_secret_from(self._random(RANDOM_BYTES))
        active = mode == "open"
        answer = self._records().register(
            {
                "name": name,
                "contact": contact,
                "endpoint": endpoint,
                "signing_secret": secret,
                "token_hash": hash_of(token),
                "claim_hash": hash_of(code),
                "status": "active" if active else "pending",
                "requests_per_minute": OPEN_REQUESTS_PER_MINUTE if active else REQUESTS_PER_MINUTE,
                "forecasts_per_day": OPEN_FORECASTS_PER_DAY if active else FORECASTS_PER_DAY,
            },
            address=network,
            most=per_network,
        )
        if answer.get("error") == "name":
            raise Conflict(f"the name {name!r} is taken, reserved, or looks like one that is: choose another one")
        if answer.get("error") == "address":
            raise OverLimit("too many agents have registered from this network address", answer["retry_after"])
        if "error" in answer:
            raise OverLimit("too many agents have registered: try again later", answer["retry_after"])
        return Registration(answer["entrant_id"], token, code, "active" if active else "pending", secret)

    def claim(self, entrant_id: str, code: str) -> dict[str, Any]:
        """The registration behind a claim link. Changes nothing. Raises NotFound for a wrong, old or dead link."""
        found = self._records().claim(entrant_id, hash_of(code)) if CODE.fullmatch(code) else None
        if found is None:
            raise NotFound("registration with this link", entrant_id)
        return found

    def rotate(self, entrant: Entrant) -> str:
        """A new token. The old one works until the new one is first used, so that a lost answer locks nobody out."""
        token = token_from(self._random(RANDOM_BYTES))
        if not self._records().rotate(entrant.token_hash, hash_of(token)):
            raise Conflict("another request has replaced this token already")
        return token

    def reissue(self, entrant_id: str) -> str:
        """The operator's new token for an agent. All others end at once. Raises NotFound."""
        token = token_from(self._random(RANDOM_BYTES))
        if not self._records().reissue(entrant_id, hash_of(token)):
            raise NotFound("entrant", entrant_id)
        return token

    # -- its endpoint, which Coliseum calls

    def set_endpoint(self, entrant: Entrant, endpoint: str) -> str:
        """Call this address from now on, after it has proved that it is the entrant's. Gives the new secret.

        Raises OverLimit after ten changes in 24 hours.
        """
        secret = signing_secret_from(self._random(RANDOM_BYTES))
        _raise_for_error(self._records().set_endpoint(entrant.token_hash, endpoint, secret))
        return secret

    def remove_endpoint(self, entrant: Entrant) -> None:
        """Call the entrant no more. Raises OverLimit after ten changes in 24 hours."""
        _raise_for_error(self._records().set_endpoint(entrant.token_hash, None, None))

    def rotate_endpoint_secret(self, entrant: Entrant) -> str:
        """A new secret. Requests are signed with the old one, too, for 24 hours.

        Raises Conflict without an endpoint, OverLimit after ten changes in 24 hours.
        """
        secret = signing_secret_from(self._random(RANDOM_BYTES))
        _raise_for_error(self._records().rotate_endpoint_secret(entrant.token_hash, secret))
        return secret

    def resume_endpoint(self, entrant: Entrant) -> None:
        """Call a paused endpoint again, beginning with the proof. Raises as `rotate_endpoint_secret`."""
        _raise_for_error(self._records().resume_endpoint(entrant.token_hash))

    # -- what an entrant does with its token

    def authorize(self, token: str, *, cost: int = 1) -> Entrant:
        """The entrant of a token, counted against its limit.

        Raises NotPermitted for a wrong token and for an entrant that is not active, OverLimit beyond the limit.
        """
        token_hash = hash_of(token)
        row: Mapping[str, Any] = {"error": "unknown"}
        if TOKEN.fullmatch(token):
            row = self._records().authorize(token_hash, cost=cost)
        if "error" in row:
            _refuse(row)
        return Entrant(row["entrant_id"], token_hash, row["requests_per_minute"], row["forecasts_per_day"])

    def questions(self, entrant: Entrant, *, after: str, limit: int) -> list[dict[str, Any]]:
        """Open questions that the entrant has not answered, each with the context that its track shows."""
        rows = self._records().questions(entrant.entrant_id, after=after, limit=limit)
        return [{**row, "context": visible_context(row["context"], Track.OPEN)} for row in rows]

    def question(self, entrant: Entrant, question_id: str) -> dict[str, Any]:
        """One open question. Raises NotFound for an unknown one, Conflict for one whose round is over."""
        row = self._question(entrant, question_id)
        if not row["open"]:
            raise Conflict(f"the round of question {question_id} closed at {row['closes_at']}")
        return {**row, "context": visible_context(row["context"], Track.OPEN)}

    def submit(
        self, entrant: Entrant, question_id: str, *, probability: Decimal, rationale: str, dry_run: bool = False
    ) -> SealedForecast:
        """Seal the entrant's only forecast of a question. With `dry_run` everything is checked and nothing stored.

        A probability below 0.01 or above 0.99 is recorded as that limit, as for all contestants. Raises NotFound for an
        unknown question; Conflict for a second or late forecast, with the stored one; OverLimit beyond the day's
        limit; NotPermitted for an entrant that was banned meanwhile; InvalidInput for a rationale with a token in it.
        """
        if TOKEN.search(rationale):
            raise InvalidInput("rationale", "a text with a token", "a text without one: it is public after the close")
        row = self._question(entrant, question_id)
        if row["forecast_id"] is not None:
            _refuse({"error": "second", **row})
        if not row["open"]:
            _refuse({"error": "late", **row})
        recorded = clamped(probability)
        payload = entrant_payload(
            entrant.entrant_id,
            row,
            probability=recorded,
            rationale=rationale,
            made_at=self._clock(),
            nonce=self._random(NONCE_BYTES),
        )
        seal = forecasts.seal(payload)
        if dry_run:
            return SealedForecast("", seal, recorded, self._clock())
        answer = self._records().submit(entrant.token_hash, question_id, payload, seal)
        if "error" in answer:
            _refuse({"question_id": question_id, **answer})
        return SealedForecast(answer["forecast_id"], seal, recorded, datetime.fromisoformat(answer["created_at"]))

    def record(self, entrant: Entrant) -> dict[str, Any]:
        """The entrant's own coverage and scores over closed rounds."""
        return self._records().record(entrant.entrant_id)

    def _question(self, entrant: Entrant, question_id: str) -> dict[str, Any]:
        row = self._records().question(entrant.entrant_id, question_id)
        if row is None:
            raise NotFound("question", question_id)
        return row

    # -- what the operator does

    def all(self) -> list[dict[str, Any]]:
        """All entrants with their contacts, newest first."""
        return self._records().entrants()

    def decide(
        self,
        entrant_id: str,
        *,
        status: str | None = None,
        requests_per_minute: int | None = None,
        forecasts_per_day: int | None = None,
    ) -> dict[str, Any]:
        """Admit (`active`), limit or ban (`banned`) an entrant. None leaves a value. Raises NotFound."""
        row = self._records().decide(
            entrant_id,
            status=status,
            requests_per_minute=requests_per_minute,
            forecasts_per_day=forecasts_per_day,
        )
        if row is None:
            raise NotFound("entrant", entrant_id)
        return row


def _raise_for_error(row: Mapping[str, Any]) -> None:
    if "error" in row:
        _refuse(row)


def _refuse(row: Mapping[str, Any]) -> NoReturn:
    """Raise the error that a row with `error` stands for."""
    match row["error"]:
        case "unknown":
            raise NotPermitted(401, "This token is not known. Register with POST /api/python/arena/entrants.")
        case "pending":
            raise NotPermitted(
                403, "The operator has not admitted this agent yet. Send the claim link to the operator."
            )
        case "banned":
            raise NotPermitted(403, "The operator has banned this agent.")
        case "rate":
            raise OverLimit("too many requests in this minute", row["retry_after"])
        case "day":
            raise OverLimit(f"the limit of {row['limit']} forecasts in 24 hours is reached", 3600)
        case "changes":
            raise OverLimit("the endpoint was changed ten times in 24 hours", row["retry_after"])
        case "no_endpoint":
            raise Conflict("this agent has no endpoint: set one with PUT /api/python/arena/entrants/me/endpoint")
        case "second":
            stored = {"forecast_id": row["forecast_id"], "seal": row["seal"]}
            raise Conflict("this question has your forecast already: the first one is final", **stored)
        case "late":
            raise Conflict("the round is closed: no forecast can be added")
        case _:
            raise NotFound("question", row["question_id"])
