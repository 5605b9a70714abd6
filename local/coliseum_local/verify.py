"""`coliseum verify ADDRESS|FILE`: makes a published leaderboard again, and says what differs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from coliseum.arena import forecasts
from coliseum.arena.api.claims.answers import ClaimData
from coliseum.arena.api.claims.claims import claim_data
from coliseum.arena.api.leaderboards import rows as leaderboard_rows
from coliseum.arena.api.leaderboards.rows import with_claims
from coliseum.errors import InvalidInput
from coliseum_local.verification.board import BoardRows, Verification, board_rows, verify_board
from coliseum_local.verification.differences import NOTHING, BoardDifference, differences
from coliseum_local.verification.downloads import MOST_PAGES, Downloads
from coliseum_local.verification.rows import CheckedReport, UnreadableSource
from coliseum_local.verification.sources import AddressSource, FolderSource, report_in

VERIFIED, DIFFERENT, UNREADABLE, NOT_RECOMPUTED = 0, 1, 2, 3
"""Exit codes. The last: nothing differs, but the engine that made the numbers is not known here."""
SHOWN = 200
"""Differences that are printed; `--json` has all of them."""
_BOARD = "/arena/leaderboard"


def verify(
    target: str,
    *,
    exports: Path | None,
    save: Path | None,
    digest: str | None,
    proofs: int,
    as_json: bool,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Verify a leaderboard by its address, or a saved report with a folder of exports. Returns the exit code.

    `save` keeps everything that is read from an address in a folder, `proofs` is how many Merkle proofs are requested.
    """
    try:
        if target.startswith(("http://", "https://")):
            verification = _of_address(target, save=save, proofs=proofs, transport=transport)
        else:
            report = report_in(Path(target), digest)
            verification = verify_board(board_rows(report, FolderSource(exports or Path(target).parent)))
    except UnreadableSource as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    print(_json(verification) if as_json else "\n".join(_lines(verification)))
    if verification.differences:
        return DIFFERENT
    return VERIFIED if verification.recomputed else NOT_RECOMPUTED


def _of_address(address: str, *, save: Path | None, proofs: int, transport: httpx.BaseTransport | None) -> Verification:
    parts = urlsplit(address)
    if not parts.path.endswith(_BOARD):
        raise UnreadableSource(f"{address}: not the address of a leaderboard, such as http://…{_BOARD}?track=aware")
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
    with closing(Downloads(address, transport=transport)) as downloads:
        query = {name: values[-1] for name, values in parse_qs(parts.query).items() if name not in {"limit", "cursor"}}
        served = _served_board(downloads, query)
        stamp = served["report"]
        source = AddressSource(downloads, save=save)
        found = source.rows(CheckedReport, digest=str(stamp.get("digest")))
        if len(found) != 1:
            raise UnreadableSource(f"{address}: no report with the digest {stamp.get('digest')} is exported")
        rows = board_rows(found[0], source)
        verification = verify_board(rows)
        more = [*_served_differences(served, rows, query), *_proof_differences(downloads, rows, proofs)]
    return Verification(rows, [*more, *verification.differences], verification.recomputed, verification.notes)


def _served_board(downloads: Downloads, query: Mapping[str, str]) -> dict[str, Any]:
    """The leaderboard as the API shows it, all pages in one. Raises UnreadableSource if there is none."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        more = {} if cursor is None else {"cursor": cursor}
        url = f"{downloads.prefix}{_BOARD}?{urlencode({**query, 'limit': '1000', **more})}"
        answer = downloads.json(url)
        page, stamp = answer.get("items"), answer.get("report")
        if stamp is None:
            raise UnreadableSource(f"{url}: there is no leaderboard: {answer.get('reason')}")
        if not isinstance(page, list) or not isinstance(stamp, dict):
            raise UnreadableSource(f"{url}: not a leaderboard")
        items += page
        following = answer.get("next_cursor")
        if following is None:
            return {"items": items, "report": stamp}
        cursor = str(following)
    raise UnreadableSource(f"{downloads.prefix}{_BOARD}: its pages do not end")


def _served_differences(
    served: Mapping[str, Any], rows: BoardRows, query: Mapping[str, str]
) -> Iterator[BoardDifference]:
    """Where the shown leaderboard is not the published report. Fields that only one side knows are not compared."""
    report = rows.report
    stored = {**dict(report), "report": report.report}
    stamp = {name: getattr(report, name) for name in ("digest", "season", "track", "input_hash", "engine_version")}
    for name, value in stamp.items():
        yield from differences(served["report"].get(name, NOTHING), value, f"leaderboard.report.{name}")
    try:
        shown = leaderboard_rows.standings(
            stored,
            metric=query.get("metric", leaderboard_rows.DEFAULT_METRIC),
            slice_name=query.get("slice", leaderboard_rows.ALL),
        )
    except (InvalidInput, LookupError, TypeError, ValueError) as error:
        yield BoardDifference("leaderboard.items", f"{len(served['items'])} rows", f"{type(error).__name__}: {error}")
        return
    try:
        own = [row.model_dump(mode="json") for row in with_claims(stored, shown, _claims_by_agent(rows))]
    except (InvalidInput, ValueError):  # a text that is no claim: reported where claims are checked
        own = [row.model_dump(mode="json", exclude={"claims"}) for row in shown]
    yield from differences(_common(served["items"], own), _common(own, served["items"]), "leaderboard.items")


def _claims_by_agent(rows: BoardRows) -> dict[str, list[ClaimData]]:
    """The exported claims of the leaderboard's season and track, oldest first."""
    result: dict[str, list[ClaimData]] = {}
    for row in sorted(rows.claims, key=lambda row: row.number):
        if (row.season, row.track) == (rows.report.season, rows.report.track):
            plain = row.model_dump(mode="json")
            result.setdefault(row.agent_id, []).append(claim_data({**plain, "registered": 0}))
    return result


def _common(rows: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """The rows with the fields that rows of both sides have."""
    fields = {name for row in others if isinstance(row, Mapping) for name in row}
    return [
        {name: value for name, value in row.items() if name in fields} if isinstance(row, Mapping) else row
        for row in rows
    ]


def _proof_differences(downloads: Downloads, rows: BoardRows, number: int) -> Iterator[BoardDifference]:
    """Requested proofs that do not lead from the seal to the root of its day."""
    chosen = sorted(rows.forecasts.values(), key=lambda row: row.seal)[:number]
    days = {day.day: day for day in rows.days}
    for row in chosen:
        path = f"forecasts/{row.forecast_id}/proof"
        answer = downloads.json(f"{downloads.prefix}/arena/forecasts/{row.seal}/proof")
        try:
            root = answer["root"]
            steps = tuple((step["side"] == "left", step["sibling"]) for step in answer["steps"])
            proof = forecasts.Proof(row.seal, root["root"], steps)
            leads, leaves, status = forecasts.verify(proof), root["leaves"], root["status"]
        except (LookupError, TypeError, ValueError) as error:
            raise UnreadableSource(f"{path}: not a proof: {type(error).__name__}: {error}") from None
        if answer.get("seal") != row.seal:
            yield BoardDifference(f"{path}.seal", answer.get("seal"), row.seal)
        if not leads:
            yield BoardDifference(f"{path}.steps", "a path", f"it does not lead from {row.seal} to {proof.root}")
        day = days[row.created_at.astimezone(UTC).date()]
        seals = {leaf.seal for leaf in day.leaves}
        if status == "published" and day.root is not None and day.root.root != proof.root:
            yield BoardDifference(f"{path}.root", proof.root, day.root.root)
        if leaves == len(seals) and forecasts.merkle_root(sorted(seals)) != proof.root:
            yield BoardDifference(f"{path}.root", proof.root, forecasts.merkle_root(sorted(seals)))


def _lines(verification: Verification) -> Iterator[str]:
    found = verification.differences
    yield from map(str, found[:SHOWN])
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN:,} more differences; --json has all of them"
    rows = verification.rows
    report = rows.report
    for note in verification.notes:
        yield f"note: {note}"
    yield (
        f"{report.track} leaderboard of {report.season}, known at {report.known_at.isoformat()}, engine "
        f"{report.engine_version}, rules {report.rules_version}, digest {report.digest}"
    )
    yield (
        f"{len(rows.cells):,} cells, {len(rows.forecasts):,} seals on {len(rows.days):,} days, "
        f"{len(rows.markets):,} frozen markets, {len(rows.results):,} results"
    )
    if found:
        yield f"NOT VERIFIED: {len(found):,} differences"
    elif verification.recomputed:
        yield "VERIFIED: every number, the digest and every seal are the same"
    else:
        yield "NOT RECOMPUTED: nothing that could be checked differs"


def _json(verification: Verification) -> str:
    rows, report = verification.rows, verification.rows.report
    body = {
        "verified": verification.recomputed and not verification.differences,
        "recomputed": verification.recomputed,
        "digest": report.digest,
        "season": report.season,
        "track": report.track,
        "engine_version": report.engine_version,
        "rules_version": report.rules_version,
        "cells": len(rows.cells),
        "seals": len(rows.forecasts),
        "days": [str(day.day) for day in rows.days],
        "differences": [difference.json() for difference in verification.differences],
        "notes": list(verification.notes),
    }
    return json.dumps(body, default=str)
