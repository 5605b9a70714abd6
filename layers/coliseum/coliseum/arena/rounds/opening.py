"""Open a round: look at the exchange, choose, freeze, write it all in one transaction, hand out the decisions.

The schedule calls more often than rounds open: the slot decides. So a call that was stopped anywhere is made good by
the next one, and a call with nothing to do costs one question to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from coliseum.arena.calendar import RoundSlot, slot_at, time_text
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.rows import Agent, Round, decision_id
from coliseum.arena.rounds.markets import frozen_markets
from coliseum.config import Settings
from coliseum.feed.entries import Candidate, EntryKind
from coliseum.feed.feed import candidate
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger

ATTEMPTS = 3
"""How often a decision is given to a worker before it has failed."""
AGAIN = timedelta(minutes=10)
"""When a decision that nobody took is put on the queue once more; sooner in short rounds."""
ANNOUNCED = timedelta(minutes=5)
"""How long an opening is told again: the feed drops repetitions."""
Clock = Callable[[], datetime]
Enqueue = Callable[[Sequence[Mapping[str, object]]], None]
Field = Callable[[str], None]
"""season -> its agents and accounts exist."""
Fund = Callable[[Sequence[Agent], Round], None]
"""(agents that cost money, round) -> their round is paid for, or their decisions are skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """What rounds look like here."""

    every: timedelta
    open_for: timedelta
    markets: int
    per_event: int
    exchange: str
    """sandbox, kalshi or replay."""

    @classmethod
    def from_settings(cls, settings: Settings) -> RoundPlan:
        return cls(
            every=timedelta(seconds=settings.round_interval_seconds),
            open_for=timedelta(seconds=settings.round_open_seconds),
            markets=settings.round_markets,
            per_event=settings.round_markets_per_event,
            exchange=settings.exchange,
        )

    @property
    def again_seconds(self) -> int:
        """After how long an unanswered decision is handed out anew."""
        return int(min(AGAIN, self.open_for / 3).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningReport:
    round_id: str | None
    """None where no market could be asked about."""
    new: bool
    handed_out: int
    entries: tuple[Candidate, ...]
    """`round_opened` entries to publish."""


def open_round(
    plan: RoundPlan,
    *,
    clock: Clock,
    kalshi: Kalshi,
    records: ArenaRecords,
    enqueue: Enqueue,
    field: Field,
    fund: Fund,
) -> OpeningReport:
    """Open the round of the present slot where it is not open yet, pay for it, and hand out what is undone."""
    slot = slot_at(clock(), every=plan.every)
    held = records.find_round(slot.round_id)
    new = False
    if held is None:
        new = _open(plan, slot, clock=clock, kalshi=kalshi, records=records, field=field)
        held = records.find_round(slot.round_id)
    if held is None:
        return OpeningReport(round_id=None, new=False, handed_out=0, entries=())
    if held.funded_at is None:
        _pay(held, records, fund)
    handed_out = hand_out(plan, records, enqueue)
    told = clock() - held.opened_at < ANNOUNCED
    return OpeningReport(
        round_id=held.round_id, new=new, handed_out=handed_out, entries=(_announced(held),) if told else ()
    )


def hand_out(plan: RoundPlan, records: ArenaRecords, enqueue: Enqueue) -> int:
    """Put on the queue what is due; how many decisions that were."""
    due = records.hand_out(again_seconds=plan.again_seconds, attempts=ATTEMPTS)
    if due:
        enqueue([{"decision_id": decision} for decision in due])
    return len(due)


def _open(
    plan: RoundPlan, slot: RoundSlot, *, clock: Clock, kalshi: Kalshi, records: ArenaRecords, field: Field
) -> bool:
    """True where this call opened it. Without a market there is no round: the next call looks again."""
    field(slot.season)
    frozen = frozen_markets(
        kalshi,
        slot,
        clock=clock,
        wanted=plan.markets,
        per_event=plan.per_event,
        open_for=plan.open_for,
        exchange=plan.exchange,
    )
    if not frozen:
        logger().warning("no market to ask about", extra={"round_id": slot.round_id})
        return False
    agents = [agent for agent in records.agents() if agent.season == slot.season and agent.status == "active"]
    opened_at = clock()
    return records.open_round(
        slot,
        opened_at=opened_at,
        closes_at=opened_at + plan.open_for,
        exchange=plan.exchange,
        markets=frozen,
        decisions=decisions(agents, [row["ticker"] for row in frozen], slot),
    )


def decisions(agents: Iterable[Agent], tickers: Sequence[str], slot: RoundSlot) -> list[dict[str, Any]]:
    """One row per agent, market and track. Pure."""
    return [
        {
            "decision_id": decision_id(slot.round_id, ticker, agent.agent_id, track),
            "round_id": slot.round_id,
            "ticker": ticker,
            "agent_id": agent.agent_id,
            "track": track.value,
        }
        for agent in agents
        for ticker in tickers
        for track in agent.tracks
    ]


def _pay(held: Round, records: ArenaRecords, fund: Fund) -> None:
    """A contestant that costs money plays a whole round or none."""
    asked = {decision.agent_id for decision in records.decisions(held.round_id, status="pending")}
    fund([agent for agent in records.agents() if agent.kind == "llm" and agent.agent_id in asked], held)


def _announced(held: Round) -> Candidate:
    data: dict[str, object] = {
        "round_id": held.round_id,
        "closes_at": time_text(held.closes_at),
        "exchange": held.exchange,
        "markets": held.markets,
    }
    return candidate(EntryKind.ROUND_OPENED, held.round_id, data)
