"""Checks of a board's rows against each other: seals, days, forecasts, prices, results and cells. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from coliseum.arena import forecasts
from coliseum.arena.calendar import season_of
from coliseum.arena.frozen_context import context_hash, shown_hash
from coliseum.arena.replicates import combined
from coliseum.arena.scoring.cell import Cell
from coliseum.errors import InvalidInput
from coliseum_local.verification.differences import NOTHING, BoardDifference
from coliseum_local.verification.rows import (
    CheckedCell,
    CheckedDecision,
    CheckedForecast,
    CheckedMarket,
    CheckedReport,
    CheckedResult,
    CheckedRound,
    CheckedSeal,
    CheckedSealRoot,
    cell_values,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDay:
    """The seals of a UTC day, and the root that was published for it (None: not yet)."""

    day: date
    leaves: Sequence[CheckedSeal]
    root: CheckedSealRoot | None


def seal_differences(sealed: Iterable[CheckedForecast]) -> Iterator[BoardDifference]:
    """Forecasts that are not what their seal covers."""
    for row in sealed:
        path = f"forecasts/{row.forecast_id}"
        if row.payload is None:
            yield BoardDifference(f"{path}.payload", None, "what the seal covers: the round is closed")
            continue
        try:
            own = forecasts.seal(row.payload)
        except ValueError as error:
            yield BoardDifference(f"{path}.payload", row.payload, f"canonical JSON: {error}")
            continue
        if own != row.seal:
            yield BoardDifference(f"{path}.seal", row.seal, own)
        for name in ("round_id", "ticker", "agent_id", "track"):
            if row.payload.get(name) != getattr(row, name):
                yield BoardDifference(f"{path}.{name}", getattr(row, name), row.payload.get(name))
        for name in ("probability", "low", "high"):
            if not _same_number(row.payload.get(name), getattr(row, name)):
                yield BoardDifference(f"{path}.{name}", getattr(row, name), row.payload.get(name))
        if row.served_model != row.payload.get("served_model"):
            yield BoardDifference(f"{path}.served_model", row.served_model, row.payload.get("served_model"))
        stated = row.payload.get("replicates")
        if stated is not None and not _is_mean(stated, row.probability):
            yield BoardDifference(f"{path}.replicates", stated, f"answers whose mean is {row.probability}")
        if row.abstain is not (row.probability is None):
            yield BoardDifference(f"{path}.abstain", row.abstain, row.probability is None)
        if row.forecast_id != f"{row.round_id}/{row.ticker}/{row.agent_id}/{row.track}":
            yield BoardDifference(f"{path}.forecast_id", row.forecast_id, "its round, market, agent and track")


def day_differences(
    days: Sequence[SealedDay],
    revealed: Mapping[str, CheckedForecast],
    report: CheckedReport,
    rounds: Mapping[str, CheckedRound],
) -> Iterator[BoardDifference]:
    """Days whose seals do not give the published root; seals that no forecast has, and forecasts without a seal.

    `revealed` are the season's forecasts of closed rounds, by id.
    """
    for day in days:
        yield from _root_differences(day)
        for leaf in day.leaves:
            known = revealed.get(leaf.forecast_id)
            if known is not None and known.seal != leaf.seal:
                yield BoardDifference(
                    f"forecasts/{leaf.forecast_id}.seal", known.seal, f"{leaf.seal} in the day's tree"
                )
            if known is not None and known.created_at != leaf.created_at:
                yield BoardDifference(f"forecasts/{leaf.forecast_id}.created_at", known.created_at, leaf.created_at)
            if known is None and _belongs(leaf, report, rounds):
                yield BoardDifference(f"forecasts/{leaf.forecast_id}", NOTHING, f"sealed as {leaf.seal}")
    leaves = {(day.day, leaf.seal) for day in days for leaf in day.leaves}
    for row in revealed.values():
        if (_day(row.created_at), row.seal) not in leaves:
            yield BoardDifference(f"seals/{_day(row.created_at)}/{row.forecast_id}", NOTHING, row.seal)


def forecast_differences(
    revealed: Iterable[CheckedForecast], rounds: Mapping[str, CheckedRound], decisions: Mapping[str, CheckedDecision]
) -> Iterator[BoardDifference]:
    """Forecasts after their round's close, or without a question. `decisions` are those of the board's track."""
    tracks = {decision.track for decision in decisions.values()}
    for row in revealed:
        closes_at = rounds[row.round_id].closes_at
        if row.created_at >= closes_at and rounds[row.round_id].exchange != "replay":
            yield BoardDifference(f"forecasts/{row.forecast_id}.created_at", row.created_at, f"before {closes_at}")
        if row.track in tracks and row.forecast_id not in decisions:
            yield BoardDifference(f"decisions/{row.forecast_id}", NOTHING, "a forecast answers it")
    answered = {row.forecast_id for row in revealed}
    for name, decision in decisions.items():
        if decision.status == "done" and name not in answered and decision.round_id in rounds:
            yield BoardDifference(f"forecasts/{name}", NOTHING, "its decision is done")
        if decision.status != "done" and name in answered:
            yield BoardDifference(f"decisions/{name}.status", decision.status, "done: a forecast answers it")


def decision_differences(decisions: Iterable[CheckedDecision]) -> Iterator[BoardDifference]:
    """Questions that are not those of their id."""
    for row in decisions:
        own = f"{row.round_id}/{row.ticker}/{row.agent_id}/{row.track}"
        if row.decision_id != own:
            yield BoardDifference(f"decisions/{row.decision_id}.decision_id", row.decision_id, own)


def round_differences(
    rounds: Iterable[CheckedRound], markets: Iterable[CheckedMarket], report: CheckedReport
) -> Iterator[BoardDifference]:
    """Rounds that are of another time or exchange than their id and the report say, or have another number of markets.

    `markets` are those of rounds that were closed at the report's `known_at`.
    """
    asked = Counter(row.round_id for row in markets)
    for row in rounds:
        path, slot = f"rounds/{row.round_id}", _slot(row.round_id)
        if slot is not None and row.slot != slot:
            yield BoardDifference(f"{path}.slot", row.slot, slot)
        if row.opened_at >= row.closes_at:
            yield BoardDifference(f"{path}.opened_at", row.opened_at, f"before {row.closes_at}")
        exchange = report.report.get("exchange")
        if row.closes_at > report.known_at:
            continue
        if exchange is not None and row.exchange != exchange:
            yield BoardDifference(f"{path}.exchange", row.exchange, exchange)
        if row.markets != asked[row.round_id]:
            yield BoardDifference(f"{path}.markets", row.markets, asked[row.round_id])


def result_differences(results: Iterable[CheckedResult]) -> Iterator[BoardDifference]:
    """Results whose value is not that of their word."""
    for row in results:
        path, expected = f"results/{row.ticker}/{row.version}", {"yes": Decimal(1), "no": Decimal(0)}.get(row.result)
        if expected is None and row.result not in {"scalar", "void"}:
            yield BoardDifference(f"{path}.result", row.result, "yes, no, scalar or void")
        if (expected is not None and row.value != expected) or not 0 <= row.value <= 1:
            yield BoardDifference(f"{path}.value", row.value, "a value from 0 to 1" if expected is None else expected)


def market_differences(markets: Iterable[CheckedMarket]) -> Iterator[BoardDifference]:
    """Markets whose price is not the one in the context that was shown, or whose context was changed."""
    for row in markets:
        path = f"markets/{row.round_id}/{row.ticker}"
        if row.context is None:
            yield BoardDifference(f"{path}.context", None, "what was shown: the round is closed")
            continue
        if context_hash(row.context) != row.context_hash:
            yield BoardDifference(f"{path}.context_hash", row.context_hash, context_hash(row.context))
        quote = row.context.get("quote")
        for name in ("probability", "yes_bid", "yes_ask"):
            if isinstance(quote, Mapping) and name in quote and not _same_number(quote[name], getattr(row, name)):
                yield BoardDifference(f"{path}.{name}", getattr(row, name), quote[name])


def shown_differences(
    revealed: Iterable[CheckedForecast], markets: Iterable[CheckedMarket]
) -> Iterator[BoardDifference]:
    """Forecasts that were sealed as answers to something else than what their track was shown.

    Older payloads have the hash of the whole context instead of the hash of the part that their track shows.
    """
    contexts = {(row.round_id, row.ticker): row.context for row in markets if row.context is not None}
    for row in revealed:
        context = contexts.get((row.round_id, row.ticker))
        if context is None or row.payload is None:
            continue  # both are differences of their own
        shown = forecasts.Track(row.track)
        own = row.payload.get("context_hash")
        if own not in {shown_hash(context, shown), context_hash(context)}:
            yield BoardDifference(f"forecasts/{row.forecast_id}.payload.context_hash", own, shown_hash(context, shown))


def cell_differences(published: Sequence[CheckedCell], recomputed: Iterable[Cell]) -> Iterator[BoardDifference]:
    """Cells that the rows do not give, and what the rows give and no cell has."""
    ours = {(cell.agent, cell.window, cell.market): cell for cell in recomputed}
    seen: set[tuple[str, str, str]] = set()
    for row in published:
        path = "cells/" + "/".join(row.place)
        cell = ours.get(row.place)
        if row.place in seen:
            yield BoardDifference(path, "twice", "once")
        seen.add(row.place)
        if cell is None:
            yield BoardDifference(path, "a cell", NOTHING)
            continue
        for name, value in cell_values(row).items():
            expected = getattr(cell, name, NOTHING)
            if name == "due_at" and value == "inf":
                value = float("inf")  # noqa: PLW2901
            if expected is not NOTHING and value != expected:
                yield BoardDifference(f"{path}.{name}", value, expected)
    for place in sorted(ours.keys() - seen):
        yield BoardDifference("cells/" + "/".join(place), NOTHING, "a cell")


def _root_differences(day: SealedDay) -> Iterator[BoardDifference]:
    seals = [leaf.seal for leaf in day.leaves]
    path = f"seals/{day.day}"
    for leaf in day.leaves:
        if _day(leaf.created_at) != day.day:
            yield BoardDifference(f"{path}/{leaf.forecast_id}.created_at", leaf.created_at, f"on {day.day}")
    if day.root is None:
        return
    root = forecasts.merkle_root(seals) if seals else "no seals"
    if root != day.root.root:
        yield BoardDifference(f"{path}.root", day.root.root, root)
    if len(set(seals)) != day.root.leaves:
        yield BoardDifference(f"{path}.leaves", day.root.leaves, len(set(seals)))


def _belongs(leaf: CheckedSeal, report: CheckedReport, rounds: Mapping[str, CheckedRound]) -> bool:
    """Whether the leaf's forecast counts for the board: its round was closed, or is one of the season that we lack."""
    round_id = leaf.forecast_id.partition("/")[0]
    if round_id in rounds:
        return rounds[round_id].closes_at <= report.known_at
    slot = _slot(round_id)
    return slot is not None and season_of(slot) == report.season and leaf.created_at <= report.known_at


def _slot(round_id: str) -> datetime | None:
    """The time in the id of a round; None if it is of another form."""
    try:
        return datetime.strptime(round_id, "r-%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _is_mean(texts: Any, value: Decimal | None) -> bool:
    """Whether `value` is the mean of the replicates."""
    try:
        answers = [forecasts.Forecast(probability=Decimal(text)) for text in texts]
        return bool(answers) and combined(answers).probability == value
    except (ArithmeticError, TypeError, ValueError, InvalidInput):
        return False


def _same_number(text: Any, value: Decimal | None) -> bool:
    if text is None or value is None:
        return text is None and value is None
    try:
        return Decimal(str(text)) == value
    except ArithmeticError:
        return False
