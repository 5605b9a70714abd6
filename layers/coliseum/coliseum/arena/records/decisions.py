"""Reads and writes of decisions, the forecasts that answer them, their cost and their seals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.records.batches import BATCH_SIZE, StoreRecords
from coliseum.arena.records.rows import (
    DECISION_COLUMNS,
    FORECAST_COLUMNS,
    SCORED_FORECAST_COLUMNS,
    Decision,
    DecisionWork,
    ScoredForecast,
    Seal,
    StoredForecast,
    decision_from,
    decision_work_from,
    forecast_from,
    scored_forecast_from,
)
from coliseum.store.client import Condition
from coliseum.trading.money import decimal_text


class DecisionRecords(StoreRecords):
    """Decisions, forecasts and seals."""

    def decisions(self, round_id: str, *, status: str | None = None) -> tuple[Decision, ...]:
        """Decisions of a round, by id."""
        where: list[Condition] = [("round_id", "eq", round_id)]
        if status is not None:
            where.append(("status", "eq", status))
        rows = self._store.select("arena_decisions", DECISION_COLUMNS, where=where, order=("decision_id",))
        return tuple(decision_from(row) for row in rows)

    def hand_out(self, *, again_seconds: int, attempts: int) -> tuple[str, ...]:
        """Ids of the decisions to put on the queue now. They are marked as queued.

        An unanswered decision is due again after `again_seconds`. One whose worker died `attempts` times has failed.
        """
        due = self._store.rpc("arena_hand_out", {"p_again": again_seconds, "p_attempts": attempts})
        return tuple(due)

    def decision_work(self, round_ids: Iterable[str], track: Track, *, known_at: datetime) -> tuple[DecisionWork, ...]:
        """Decisions that were put to agents in these rounds, and their cost, as they were known at that time.

        Skipped decisions are left out. A decision that was not finished then is pending.
        """
        wanted = sorted(set(round_ids))
        arguments = {"p_track": track.value, "p_known": known_at.isoformat()}
        return tuple(
            decision_work_from(row)
            for start in range(0, len(wanted), BATCH_SIZE)
            for row in self._store.rpc(
                "arena_work_known", {"p_rounds": wanted[start : start + BATCH_SIZE], **arguments}
            )
        )

    def lease_decision(self, decision_id: str, *, seconds: int) -> Decision | None:
        """Take the decision for `seconds`. None where it is finished, taken by another worker, or its round is over."""
        row = self._store.rpc("arena_lease_decision", {"p_decision": decision_id, "p_seconds": seconds})
        return decision_from(row) if row else None

    def finish_decision(
        self,
        decision_id: str,
        *,
        status: str,
        lease: int | None = None,
        reason: str | None = None,
        attempt: Mapping[str, Any] | None = None,
        forecast: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record an attempt, its cost, its forecast and the decision's status in one transaction.

        `lease` is the number of the attempt that reports, by default the newest one. False for a repetition.
        """
        body = {
            "decision_id": decision_id,
            "lease": lease,
            "status": status,
            "reason": reason,
            "attempt": None if attempt is None else dict(attempt),
            "forecast": None if forecast is None else dict(forecast),
        }
        return bool(self._store.rpc("arena_finish_decision", {"p": body})["changed"])

    def postpone_decision(self, decision_id: str, *, lease: int, reason: str, seconds: float = 0.0) -> bool:
        """Give a decision back that this lease did not try. It waits for `reason`, and the lease is not counted.

        It will be on the queue for `seconds`, in which it is not handed out again. False where the lease is no longer
        the newest.
        """
        args = {"p_decision": decision_id, "p_lease": lease, "p_reason": reason, "p_seconds": seconds}
        return bool(self._store.rpc("arena_postpone_decision", args))

    def forecasts(
        self,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str] = ("created_at.desc", "forecast_id"),
        limit: int | None = None,
    ) -> tuple[StoredForecast, ...]:
        """Newest first by default."""
        rows = self._store.select("arena_forecasts", FORECAST_COLUMNS, where=where, order=order, limit=limit)
        return tuple(forecast_from(row) for row in rows)

    def finished_seals(self, round_id: str, agent_id: str) -> tuple[Seal, ...] | None:
        """All seals of an agent in a round once its last decision there is finished; None until then."""
        rows = self._store.rpc("arena_said", {"p_round": round_id, "p_agent": agent_id})
        return None if rows is None else tuple(Seal(**{**row, "track": Track(row["track"])}) for row in rows)

    def seals(self, round_id: str) -> dict[str, tuple[Seal, ...]]:
        """All seals of a round, by agent."""
        columns = "forecast_id,ticker,track,seal,agent_id"
        rows = self._store.select(
            "arena_forecasts", columns, where=[("round_id", "eq", round_id)], order=("agent_id", "forecast_id")
        )
        by_agent: dict[str, list[Seal]] = {}
        for row in rows:
            seal = Seal(
                forecast_id=row["forecast_id"], ticker=row["ticker"], track=Track(row["track"]), seal=row["seal"]
            )
            by_agent.setdefault(row["agent_id"], []).append(seal)
        return {agent_id: tuple(seals) for agent_id, seals in by_agent.items()}

    def answering_entrants(self, round_id: str, *, since: datetime) -> frozenset[str]:
        """The outside agents that have sealed a forecast of the round after `since`."""
        where: list[Condition] = [
            ("round_id", "eq", round_id),
            ("track", "eq", Track.OPEN.value),
            ("created_at", "gt", since.isoformat()),
        ]
        return frozenset(row["agent_id"] for row in self._store.select("arena_forecasts", "agent_id", where=where))

    def scored_forecasts(self, round_ids: Iterable[str], track: Track) -> tuple[ScoredForecast, ...]:
        """All forecasts of these rounds and this track, without their reasons."""
        rows = self._select_by_ids(
            "arena_forecasts",
            SCORED_FORECAST_COLUMNS,
            column="round_id",
            ids=round_ids,
            where=[("track", "eq", track.value)],
            order=("forecast_id",),
        )
        return tuple(scored_forecast_from(row) for row in rows)

    def reserve(self, decision_id: str, amount: Decimal, *, cap: Decimal) -> bool:
        """Set `amount` dollars of the round's day aside for a decision; False where the day's `cap` forbids it.

        The reservation ends when the attempt is recorded, or when the lease of a dead worker runs out.
        """
        amounts = {"p_amount": decimal_text(amount, places=6), "p_cap": decimal_text(cap, places=6)}
        return bool(self._store.rpc("arena_reserve", {"p_decision": decision_id, **amounts}))

    def budget_warning(self, share: Decimal) -> Mapping[str, str] | None:
        """A day (`day`, `spent_usd`, `cap_usd`) of whose budget this share is spent. Each day is returned once."""
        warning: Mapping[str, str] | None = self._store.rpc("arena_budget_warning", {"p_share": decimal_text(share)})
        return warning or None

    def unrooted_days(self) -> tuple[date, ...]:
        """UTC days that are over and have forecasts, but no Merkle root."""
        rows = self._store.select("arena_unrooted_days", "day", order=("day",))
        return tuple(date.fromisoformat(row["day"]) for row in rows)

    def day_seals(self, day: date) -> tuple[str, ...]:
        """The seals of all forecasts of a UTC day."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = start + timedelta(days=1)
        rows = self._store.select(
            "arena_forecasts",
            "seal",
            where=[("created_at", "gte", start.isoformat()), ("created_at", "lt", end.isoformat())],
            order=("seal",),
        )
        return tuple(row["seal"] for row in rows)

    def save_seal_root(self, day: date, root: str, leaves: int) -> None:
        """Store the root of a day's seals. The first root of a day stays."""
        row = {"day": day.isoformat(), "root": root, "leaves": leaves}
        self._store.insert("arena_seal_roots", [row], ignore_duplicates_on="day")
