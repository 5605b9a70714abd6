"""Open a round: choose markets, freeze them, store the round in one transaction, hand out its decisions.

The schedule calls this more often than rounds begin, and the slot decides whether there is work. The next call
completes what a killed call left undone. A call with nothing to do costs two database requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from coliseum.arena.agents.attempts import MAX_ATTEMPTS
from coliseum.arena.calendar import RoundSlot, slot_at, time_text
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.decisions import DecisionRecords
from coliseum.arena.records.rows import Agent, Round, decision_id
from coliseum.arena.rounds.markets import GatherSources, frozen_markets
from coliseum.config import Settings
from coliseum.feed.entries import Candidate, EntryKind, event_candidate
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger

REQUEUE_AFTER = timedelta(minutes=10)
"""An unanswered decision is put on the queue again after this time; sooner in short rounds."""
ANNOUNCED_FOR = timedelta(minutes=5)
"""How long each call returns the `round_opened` entry, in case an earlier call was killed before it published. The feed
drops repetitions."""
Clock = Callable[[], datetime]
Enqueue = Callable[[Sequence[Mapping[str, object]]], None]
EnrollSeason = Callable[[str], None]
"""Called with the season; creates its agents and accounts where they are missing."""
FundRound = Callable[[Sequence[Agent], Round], None]
"""Called with the agents that cost money and the round; sets money aside, or skips their decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """How often rounds begin, how long they are open, and how many markets they have."""

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
        """After how many seconds an unanswered decision is handed out again."""
        return int(min(REQUEUE_AFTER, self.open_for / 3).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningReport:
    """What one call did."""

    round_id: str | None
    """None where no market was suitable."""
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
    enroll: EnrollSeason,
    fund: FundRound,
    gather: GatherSources | None = None,
) -> OpeningReport:
    """Open the round of the present slot unless it exists, set its money aside, and hand out its due decisions."""
    slot = slot_at(clock(), every=plan.every)
    round_ = records.find_round(slot.round_id)
    new = False
    if round_ is None:
        new = _open(plan, slot, clock=clock, kalshi=kalshi, records=records, enroll=enroll, gather=gather)
        round_ = records.find_round(slot.round_id)
    if round_ is None:
        return OpeningReport(round_id=None, new=False, handed_out=0, entries=())
    # Money is set aside in a step of its own, so a call that was killed after the insert is completed here.
    if round_.funded_at is None:
        _fund_models(round_, records, fund)
    handed_out = hand_out(records, enqueue, again_seconds=plan.again_seconds)
    recent = clock() - round_.opened_at < ANNOUNCED_FOR
    entries = (_opened_entry(round_),) if recent else ()
    return OpeningReport(round_id=round_.round_id, new=new, handed_out=handed_out, entries=entries)


def hand_out(records: DecisionRecords, enqueue: Enqueue, *, again_seconds: int) -> int:
    """Put the due decisions on the queue. Returns their number."""
    due = records.hand_out(again_seconds=again_seconds, attempts=MAX_ATTEMPTS)
    if due:
        enqueue([{"decision_id": decision} for decision in due])
    return len(due)


def _open(
    plan: RoundPlan,
    slot: RoundSlot,
    *,
    clock: Clock,
    kalshi: Kalshi,
    records: ArenaRecords,
    enroll: EnrollSeason,
    gather: GatherSources | None,
) -> bool:
    """True where this call opened the round. Without a market there is no round, and the next call looks again."""
    enroll(slot.season)
    frozen = frozen_markets(
        kalshi,
        slot,
        clock=clock,
        wanted=plan.markets,
        per_event=plan.per_event,
        open_for=plan.open_for,
        exchange=plan.exchange,
        gather=gather,
    )
    if not frozen:
        logger().warning("no suitable market, round not opened", round_id=slot.round_id)
        return False
    playing = records.playing_entrants()
    agents = [
        agent
        for agent in records.agents()
        if agent.status == "active"
        and (agent.season == slot.season or agent.agent_id in playing)
        # Outside agents that are silent for a week are not asked: thousands could register.
        and (agent.kind != "entrant" or agent.agent_id in playing)
    ]
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


def _fund_models(round_: Round, records: ArenaRecords, fund: FundRound) -> None:
    """Models play a whole round or none, so their money is set aside for the whole round."""
    asked = {decision.agent_id for decision in records.decisions(round_.round_id, status="pending")}
    fund([agent for agent in records.agents() if agent.kind == "llm" and agent.agent_id in asked], round_)


def _opened_entry(round_: Round) -> Candidate:
    data: dict[str, object] = {
        "round_id": round_.round_id,
        "closes_at": time_text(round_.closes_at),
        "exchange": round_.exchange,
        "markets": round_.markets,
    }
    return event_candidate(EntryKind.ROUND_OPENED, round_.round_id, data)
