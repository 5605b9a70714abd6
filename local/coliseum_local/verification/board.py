"""Verifies a published leaderboard: makes it again from public rows, and checks those against their seals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.report import ENGINE_VERSION, digest_of
from coliseum.arena.season_cells.rows import ReportKey, closed_rounds, season_rows
from coliseum.errors import ColiseumError
from coliseum_local.verification import checks, claims
from coliseum_local.verification.checks import SealedDay
from coliseum_local.verification.differences import NOTHING, BoardDifference, differences
from coliseum_local.verification.engines import is_known, made_again
from coliseum_local.verification.rebuild import ExportedRecords
from coliseum_local.verification.rows import (
    CheckedAgent,
    CheckedAttempt,
    CheckedCell,
    CheckedClaim,
    CheckedDecision,
    CheckedForecast,
    CheckedMarket,
    CheckedReport,
    CheckedResult,
    CheckedRound,
    CheckedSeal,
    CheckedSealRoot,
    UnreadableSource,
    database_rows,
)
from coliseum_local.verification.sources import ExportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRows:
    """Everything public that a leaderboard rests on. Only rounds that were closed at its `known_at`."""

    report: CheckedReport
    agents: Sequence[CheckedAgent]
    all_rounds: Sequence[CheckedRound]
    """Of the season, open ones too: they say until when all questions are known."""
    rounds: Mapping[str, CheckedRound]
    markets: Sequence[CheckedMarket]
    forecasts: Mapping[str, CheckedForecast]
    """Of both tracks, by id."""
    decisions: Mapping[str, CheckedDecision]
    attempts: Sequence[CheckedAttempt]
    results: Sequence[CheckedResult]
    cells: Sequence[CheckedCell]
    days: Sequence[SealedDay]
    claims: Sequence[CheckedClaim]
    """All of the arena, because they are one chain."""
    earlier_markets: Sequence[CheckedMarket]
    """Of earlier seasons, if the leaderboard decided claims: their events are not new."""
    earlier_rounds: Sequence[CheckedRound]
    has_claims: bool
    """Whether the source has the export of claims."""
    strays: Sequence[BoardDifference]
    """Rows of the season whose round is not there."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result. `differences` empty and `recomputed` true: every number stands."""

    rows: BoardRows
    differences: Sequence[BoardDifference]
    recomputed: bool
    """Whether the numbers could be made again."""
    notes: Sequence[str]


def board_rows(report: CheckedReport, source: ExportSource) -> BoardRows:
    """Read the rows. Raises UnreadableSource."""
    of_season = {"season": report.season}
    of_track = {**of_season, "track": report.track}
    every_round = source.rows(CheckedRound)
    all_rounds = [row for row in every_round if row.season == report.season]
    earlier_rounds = [row for row in every_round if row.season < report.season]
    has_claims = source.has(CheckedClaim)
    registered = source.rows(CheckedClaim) if has_claims else []
    earlier = {row.season for row in earlier_rounds} if claims.decided_by(registered, report) else set()
    agents, results, cells = (
        source.rows(CheckedAgent),
        source.rows(CheckedResult, **of_season),
        source.rows(CheckedCell, digest=report.digest),
    )
    known = {row.round_id: row for row in all_rounds}
    rounds = {name: row for name, row in known.items() if row.closes_at <= report.known_at}
    markets, said = source.rows(CheckedMarket, **of_season), source.rows(CheckedForecast, **of_season)
    asked = source.rows(CheckedDecision, **of_track)
    forecasts = {row.forecast_id: row for row in said if row.round_id in rounds and row.created_at <= report.known_at}
    decisions = {row.decision_id: row for row in asked if row.round_id in rounds}
    days = _days(forecasts.values(), source)
    return BoardRows(
        report=report,
        agents=agents,
        all_rounds=all_rounds,
        rounds=rounds,
        markets=[row for row in markets if row.round_id in rounds],
        forecasts=forecasts,
        decisions=decisions,
        attempts=[row for row in source.rows(CheckedAttempt, **of_track) if row.decision_id in decisions],
        results=results,
        cells=cells,
        days=days,
        claims=registered,
        earlier_markets=[row for season in sorted(earlier) for row in source.rows(CheckedMarket, season=season)],
        earlier_rounds=earlier_rounds,
        has_claims=has_claims,
        strays=[
            *_strays(report, known, "markets", {f"{row.round_id}/{row.ticker}": row for row in markets}),
            *_strays(report, known, "forecasts", {row.forecast_id: row for row in said}),
            *_strays(report, known, "decisions", {row.decision_id: row for row in asked}),
            *_repeated("forecasts", [row.forecast_id for row in said]),
            *_repeated("decisions", [row.decision_id for row in asked]),
            *_repeated("markets", [f"{row.round_id}/{row.ticker}" for row in markets]),
            *_repeated("rounds", [row.round_id for row in all_rounds]),
            *_repeated("agents", [row.agent_id for row in agents]),
            *_repeated("results", [f"{row.ticker}/{row.version}" for row in results]),
            *_repeated("seals", [leaf.forecast_id for day in days for leaf in day.leaves]),
            *_repeated("claims", [row.claim_id for row in registered]),
            *_strangers(agents, decisions.values()),
        ],
    )


def verify_board(rows: BoardRows) -> Verification:
    """Check everything that can be checked."""
    found = [*rows.strays, *_row_differences(rows)]
    report, notes = rows.report, _notes(rows)
    if digest_of(report.report) != report.digest:
        found.append(BoardDifference("report.digest", report.digest, digest_of(report.report)))
    found += _stamp_differences(report)
    recomputed = is_known(report.engine_version)
    if recomputed:
        found += _number_differences(rows)
    else:
        notes.append(
            f"engine {report.engine_version} is not known here, so the numbers were not made again; digest, seals, "
            "days, forecasts, prices and cells were checked"
        )
    return Verification(rows, found, recomputed, notes)


def _row_differences(rows: BoardRows) -> Iterator[BoardDifference]:
    report, revealed = rows.report, rows.forecasts
    yield from checks.seal_differences(revealed.values())
    yield from checks.day_differences(rows.days, revealed, report, {row.round_id: row for row in rows.all_rounds})
    yield from checks.forecast_differences(revealed.values(), rows.rounds, rows.decisions)
    yield from checks.market_differences(rows.markets)
    yield from checks.shown_differences(revealed.values(), rows.markets)
    yield from checks.round_differences(rows.all_rounds, rows.markets, report)
    yield from checks.decision_differences(rows.decisions.values())
    yield from checks.result_differences(rows.results)
    yield from claims.claim_differences(rows.claims)
    yield from claims.unregistered(rows.claims)
    try:
        recomputed = _cells(rows)
    except (ColiseumError, LookupError, TypeError, ValueError) as error:
        yield BoardDifference("cells", "cells", f"{type(error).__name__}: {error}")
        return
    yield from checks.cell_differences(rows.cells, recomputed)
    if report.engine_version == ENGINE_VERSION:
        yield from _look_differences(rows, recomputed)


def _look_differences(rows: BoardRows, cells: Sequence[Cell]) -> Iterator[BoardDifference]:
    """What the leaderboard says about claims, made again."""
    rounds, markets = [*rows.earlier_rounds, *rows.all_rounds], [*rows.earlier_markets, *rows.markets]
    try:
        yield from claims.look_differences(
            claims.decided_by(rows.claims, rows.report),
            cells,
            rows.report,
            rounds=rows.all_rounds,
            first_asked=claims.first_asked_times(rounds, markets, rows.decisions.values()),
        )
    except (ColiseumError, LookupError, TypeError, ValueError) as error:
        yield BoardDifference("claims", "claims", f"{type(error).__name__}: {error}")


def _stamp_differences(report: CheckedReport) -> Iterator[BoardDifference]:
    """What is published beside the body and stands in it too."""
    inside = report.report.get("report")
    inside = inside if isinstance(inside, Mapping) else {}
    for name in ("engine_version", "rules_version", "input_hash"):
        yield from differences(getattr(report, name), inside.get(name, NOTHING), f"report.{name}")
    for name in ("season", "track"):
        yield from differences(getattr(report, name), report.report.get(name, NOTHING), f"report.{name}")


def _number_differences(rows: BoardRows) -> Iterator[BoardDifference]:
    report = rows.report
    inside = report.report.get("report")
    draws = inside.get("draws") if isinstance(inside, Mapping) else None
    if not isinstance(draws, int) or isinstance(draws, bool) or not 0 <= draws <= 1_000_000:
        yield BoardDifference("board.report.draws", draws, "a whole number of draws")
        return
    key = {"season": report.season, "track": report.track, "draws": draws}
    times = {"as_of": report.as_of.isoformat(), "known_at": report.known_at.isoformat()}
    try:
        made = made_again(report.engine_version, database_rows(tables_of(rows)), {**key, **times})
    except UnreadableSource as error:
        yield BoardDifference("board", "a leaderboard", str(error))
        return
    yield from differences(report.report, json.loads(json.dumps(made["body"])), "board")
    if made["digest"] != report.digest:
        yield BoardDifference("digest", report.digest, made["digest"])
    if made["cells_hash"] != report.input_hash:
        yield BoardDifference("cells input_hash", report.input_hash, made["cells_hash"])


def tables_of(rows: BoardRows) -> dict[str, Sequence[Any]]:
    """The rows by table, as `database_rows` takes them."""
    return {
        "agents": rows.agents,
        "rounds": rows.all_rounds,
        "markets": rows.markets,
        "forecasts": list(rows.forecasts.values()),
        "decisions": list(rows.decisions.values()),
        "attempts": rows.attempts,
        "results": rows.results,
        "cells": rows.cells,
    }


def _cells(rows: BoardRows) -> list[Cell]:
    """The cells that the rows give."""
    report = rows.report
    track = Track(report.track)
    key = ReportKey(season=report.season, track=track, as_of=report.as_of, known_at=report.known_at)
    records = ExportedRecords(database_rows({**tables_of(rows), "cells": []}), report.known_at)
    opened = records.rounds()
    closed = closed_rounds(opened, key)
    markets = records.asked_markets(closed)
    season = season_rows(opened, markets, records.results({market.ticker for market in markets}), key)
    questions = [(work.agent_id, work.round_id, work.ticker) for work in records.decision_work(closed, track)]
    return season.cells(track, season.answers(records.scored_forecasts(closed, track)), questions)


def _days(forecasts: Iterable[CheckedForecast], source: ExportSource) -> list[SealedDay]:
    """The UTC days on which the forecasts were made, with all their seals."""
    roots = {row.day: row for row in source.rows(CheckedSealRoot)}
    days: list[date] = sorted({row.created_at.astimezone(UTC).date() for row in forecasts})
    return [
        SealedDay(day=day, leaves=source.rows(CheckedSeal, day=day.isoformat()), root=roots.get(day)) for day in days
    ]


def _strays(
    report: CheckedReport, rounds: Mapping[str, CheckedRound], table: str, rows: Mapping[str, Any]
) -> Iterator[BoardDifference]:
    missing = {row.round_id: name for name, row in rows.items() if row.round_id not in rounds}
    of_season = {row.round_id for row in rows.values() if row.season in {None, report.season}}
    for round_id in sorted(missing.keys() & of_season):
        yield BoardDifference(f"rounds/{round_id}", NOTHING, f"{table}/{missing[round_id]} is of it")


def _repeated(table: str, names: Sequence[str]) -> Iterator[BoardDifference]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield BoardDifference(f"{table}/{name}", "twice", "once")
        seen.add(name)


def _strangers(agents: Iterable[CheckedAgent], decisions: Iterable[CheckedDecision]) -> Iterator[BoardDifference]:
    """Agents that were asked and are not exported."""
    for name in sorted({row.agent_id for row in decisions} - {row.agent_id for row in agents}):
        yield BoardDifference(f"agents/{name}", NOTHING, "it was asked")


def _notes(rows: BoardRows) -> list[str]:
    notes = []
    unpublished = [str(day.day) for day in rows.days if day.root is None]
    if unpublished:
        days = ", ".join(unpublished)
        notes.append(f"no root is published yet for {days}: its seals were only compared with the forecasts")
    report = rows.report
    if not rows.has_claims:
        notes.append("claims.jsonl is missing, so no claim was checked")
    looked = claims.decided_by(rows.claims, report)
    if looked and report.engine_version != ENGINE_VERSION:
        notes.append(f"verdicts of claims by engine {report.engine_version} were not made again")
    elsewhere = [
        row
        for row in rows.claims
        if row not in looked and row.digest is not None and (row.season, row.track) == (report.season, report.track)
    ]
    if elsewhere:
        notes.append(
            f"{len(elsewhere)} claims have their newest verdict from other leaderboards: verify those for the verdicts"
        )
    return notes
