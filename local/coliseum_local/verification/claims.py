"""Checks registered claims: their seals, their chain, and what a leaderboard said about them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from coliseum.arena.claims import Claim, chain_after, claim_from
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.claim_verdicts import look_at_claim
from coliseum.arena.season_cells.cells import asked_until
from coliseum.errors import InvalidInput
from coliseum.json_objects import strict_json
from coliseum_local.verification.differences import NOTHING, BoardDifference, differences
from coliseum_local.verification.rows import (
    CheckedClaim,
    CheckedDecision,
    CheckedMarket,
    CheckedReport,
    CheckedRound,
)

FIRST_LINK = "0" * 64
"""`previous` of the first claim."""
LONGEST_RUN = timedelta(minutes=15)
"""A look is stored so much later than it was made at most: no function runs longer."""


def claim_differences(claims: Sequence[CheckedClaim]) -> Iterator[BoardDifference]:
    """Claims that are not what their seal covers, and breaks of the chain. `claims` are all of the arena."""
    previous, number = FIRST_LINK, 0
    for row in sorted(claims, key=lambda row: row.number):
        path, number = f"claims/{row.claim_id}", number + 1
        yield from _text_differences(row, path)
        found = {
            "number": number,
            "previous": previous,
            "chain": chain_after(row.previous, row.seal, row.registered_at),
        }
        for name, value in found.items():
            if getattr(row, name) != value:
                yield BoardDifference(f"{path}.{name}", getattr(row, name), value)
        if row.final and row.digest is None:
            yield BoardDifference(f"{path}.digest", None, "the leaderboard that decided it")
        previous, number = row.chain, row.number


def _text_differences(row: CheckedClaim, path: str) -> Iterator[BoardDifference]:
    own = hashlib.sha256(row.claim.encode()).hexdigest()
    if own != row.seal:
        yield BoardDifference(f"{path}.seal", row.seal, own)
    if row.seal[:16] != row.claim_id:
        yield BoardDifference(f"{path}.claim_id", row.claim_id, row.seal[:16])
    claim = claim_of(row)
    if claim is None:
        yield BoardDifference(f"{path}.claim", row.claim, "a claim in canonical JSON")
        return
    for name, value in (("agent_id", claim.agent), ("season", claim.season), ("track", claim.track)):
        if getattr(row, name) != value:
            yield BoardDifference(f"{path}.{name}", getattr(row, name), value)


def claim_of(row: CheckedClaim) -> Claim | None:
    """The claim of a row; None if its text is no claim, or not its canonical form."""
    try:
        claim = claim_from(strict_json(row.claim))
    except (InvalidInput, ValueError, RecursionError):
        return None
    return claim if claim.canonical == row.claim else None


def decided_by(claims: Iterable[CheckedClaim], report: CheckedReport) -> list[CheckedClaim]:
    """The claims whose newest look rests on this leaderboard."""
    return [row for row in claims if row.digest == report.digest]


def look_differences(
    looked: Iterable[CheckedClaim],
    cells: Sequence[Cell],
    report: CheckedReport,
    *,
    rounds: Sequence[CheckedRound],
    first_asked: Mapping[str, datetime],
) -> Iterator[BoardDifference]:
    """Claims about which the leaderboard says something else than was stored.

    `cells` are those of the leaderboard, `rounds` all of its season, `first_asked` the time of `first_asked_times`.
    """
    table = table_from_cells(cells)
    left_out = frozenset(report.report["report"]["rules"]["left_out"])
    for row in looked:
        claim, path = claim_of(row), f"claims/{row.claim_id}"
        if claim is None or row.looked_at is None:
            continue  # reported with its text
        since = max(row.registered_at, claim.since or row.registered_at)
        counted = [
            event in first_asked and first_asked[event] > row.registered_at and first_asked[event] >= since
            for event in table.events
        ]
        told = {"verdict": row.verdict, "final": row.final, "reason": row.reason, "numbers": row.numbers}
        possible = []
        for until in _until(claim, asked_until(rounds, row.looked_at), row.looked_at):
            look = look_at_claim(
                claim,
                table,
                counted_events=np.array(counted, dtype=np.bool_),
                left_out=left_out,
                until=until.timestamp(),
            )
            made = {"verdict": look.verdict.value, "final": look.final, "reason": look.reason, "numbers": look.numbers}
            possible.append([one for name in told for one in differences(told[name], made[name], f"{path}.{name}")])
        yield from min(possible, key=len)


def _until(claim: Claim, asked: datetime, looked_at: datetime) -> list[datetime]:
    """Until when everything was known to a look. If the date of the claim came while the leaderboard was being made,
    the look may have been before it."""
    if claim.look_at is not None and looked_at - LONGEST_RUN < claim.look_at <= looked_at:
        return [asked, min(asked, claim.look_at - timedelta(microseconds=1))]
    return [asked]


def first_asked_times(
    rounds: Iterable[CheckedRound], markets: Iterable[CheckedMarket], decisions: Iterable[CheckedDecision]
) -> dict[str, datetime]:
    """When each event was first asked: by the round's clock or by that of the database, whichever was earlier."""
    began = {row.round_id: min(row.slot, row.opened_at) for row in rounds}
    for decision in decisions:
        if decision.created_at is not None and decision.round_id in began:
            began[decision.round_id] = min(began[decision.round_id], decision.created_at)
    first: dict[str, datetime] = {}
    for market in markets:
        if market.round_id in began:
            asked = began[market.round_id]
            first[market.event_ticker] = min(first.get(market.event_ticker, asked), asked)
    return first


def unregistered(claims: Iterable[CheckedClaim]) -> Iterator[BoardDifference]:
    """Verdicts that claims have without a leaderboard."""
    for row in claims:
        if row.digest is None and (row.verdict != "unresolved" or row.numbers is not None):
            yield BoardDifference(f"claims/{row.claim_id}.verdict", row.verdict, NOTHING)
