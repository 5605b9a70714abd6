"""Registered claims for `coliseum score FILE --claim CLAIM`: reads them from files and decides them by the table."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from coliseum.arena.calendar import season_span
from coliseum.arena.claims import MARKET, SEVERAL_CLAIMS, Claim, registered_claim
from coliseum.arena.scoring.arithmetic import Floats, Mask
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.claim_verdicts import look_at_claim
from coliseum.errors import InvalidInput
from coliseum.json_objects import RepeatedKey, strict_json
from coliseum_local.text_files import UnreadableFile

_ROUND_ID = "r-%Y%m%dT%H%M%SZ"


def claims_body(
    paths: Sequence[Path], table: CellTable, *, left_out: frozenset[str], now: datetime
) -> list[dict[str, Any]]:
    """What the table says about the claims of the files, ready for JSON.

    Raises UnreadableFile, which names the file, for one that holds no claim, or one that the table cannot decide.
    """
    return [_decided(path, table, left_out, now) for path in paths]


def claim_lines(claims: Sequence[dict[str, Any]]) -> list[str]:
    """The verdicts as text, a line each."""
    lines = [
        f"claim {claim['seal'][:16]} ({claim['statement']}): {claim['verdict']}"
        f"{'' if claim['final'] else ' so far'}: {claim['reason']}"
        for claim in claims
    ]
    return [*lines, SEVERAL_CLAIMS] if len(lines) > 1 else lines


def read_claim(path: Path) -> tuple[Claim, datetime]:
    """The claim of a JSON or TOML file, and its registration. Raises UnreadableFile."""
    try:
        text = path.read_text(encoding="utf-8")
        value = tomllib.loads(text) if path.suffix == ".toml" else strict_json(text)
        return registered_claim(value)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UnreadableFile(f"{path.name}: a claim is text in UTF-8") from None
    except RepeatedKey as error:
        raise UnreadableFile(f"{path.name}: {error}") from None
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise UnreadableFile(f"{path.name}: this is not {kind}: {error}") from None
    except InvalidInput as error:
        raise UnreadableFile(f"{path.name}: {error}") from None


def _decided(path: Path, table: CellTable, left_out: frozenset[str], now: datetime) -> dict[str, Any]:
    claim, registered_at = read_claim(path)
    try:
        rows = _rows_of(claim, table)
        counted = counted_events(claim, registered_at, table)
    except InvalidInput as error:
        raise UnreadableFile(f"{path.name}: {error}") from None
    found = look_at_claim(claim, table.select(rows), counted_events=counted, left_out=left_out, until=now.timestamp())
    return {
        "document": claim.document,
        "registered_at": registered_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "seal": claim.seal,
        "statement": claim.statement,
        "verdict": found.verdict.value,
        "final": found.final,
        "reason": found.reason,
        "numbers": dict(found.numbers),
    }


def counted_events(claim: Claim, registered_at: datetime, table: CellTable) -> Mask:
    """Marks the events of which every row is due after the registration.

    If the windows are times, or ids of the arena's rounds, the first window must come after it too. Raises InvalidInput
    for a table without due times.
    """
    if bool(np.isnan(table.due_at).all()):
        raise InvalidInput("due_at", None, "a column due_at: only rows due after the registration count")
    after, since = registered_at.timestamp(), (claim.since or registered_at).timestamp()
    with np.errstate(invalid="ignore"):
        counts = table.due_at > after  # false where a row has no due time
    windows = window_times(table)
    if windows is not None:
        asked = windows[table.window]
        counts &= (asked > after) & (asked >= since)
    elif claim.since is not None:
        raise InvalidInput("since", claim.since.isoformat(), "no since: the windows of this file are not times")
    result = np.ones(len(table.events), dtype=np.bool_)
    np.logical_and.at(result, table.event, counts)
    return result


def window_times(table: CellTable) -> Floats | None:
    """Unix seconds of each window label; None if one of them is not a time. A time without a zone is UTC."""
    times = [_window_time(label) for label in table.windows]
    return None if None in times else np.array(times, dtype=np.float64)


def _window_time(label: str) -> float | None:
    for read in (datetime.fromisoformat, lambda text: datetime.strptime(text, _ROUND_ID).replace(tzinfo=UTC)):
        try:
            moment = read(label)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _rows_of(claim: Claim, table: CellTable) -> Mask:
    """Marks the rows of the claim's season and track. Raises InvalidInput for what the table does not have."""
    for field, agent in (("agent", claim.agent), ("against", claim.against)):
        if agent not in table.agents and not (field == "against" and agent == MARKET):
            raise InvalidInput(field, agent, f"an agent of the file: {', '.join(table.agents[:20])}")
    kind = (claim.slice or "").partition(":")[0]
    names = {dimension.name for dimension in table.dimensions}
    if kind and kind not in names:
        raise InvalidInput("slice", claim.slice, f"no slice: the file has nothing to make a {kind} of")
    keep = np.ones(len(table), dtype=np.bool_)
    if claim.track is not None:
        tracks = next((dimension for dimension in table.dimensions if dimension.name == "track"), None)
        if tracks is None or claim.track not in tracks.labels:
            raise InvalidInput("track", claim.track, "no track: the file has no row with it in a column track")
        keep &= tracks.code == tracks.labels.index(claim.track)
    if claim.season is not None:
        windows = window_times(table)
        if windows is None:
            raise InvalidInput("season", claim.season, "no season: the windows of this file are not times")
        start, end = (moment.timestamp() for moment in season_span(claim.season))
        asked = windows[table.window]
        keep &= (asked >= start) & (asked < end)
    return keep
