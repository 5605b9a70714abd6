"""A round's entries on the feed: one per agent with all its seals, and one with all its paper trades.

The log holds a limited number of entries, and clients that return read the live bot's trades from it. So a round must
not push them out with one entry per forecast. An entry's key contains the length of its list: a repetition is dropped,
and a longer list is published again in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from coliseum.arena.paper.records import PaperDecision, PaperRecords
from coliseum.arena.records.decisions import DecisionRecords
from coliseum.arena.records.rows import Decision, Seal
from coliseum.feed.entries import Candidate, EntryKind, event_candidate
from coliseum.trading.money import optional_text


def seals_entry(round_id: str, agent_id: str, seals: Sequence[Seal]) -> Candidate:
    """The `forecast` entry of an agent: its seals, without content."""
    rows: list[dict[str, object]] = [
        {"forecast_id": seal.forecast_id, "ticker": seal.ticker, "track": seal.track.value, "seal": seal.seal}
        for seal in seals
    ]
    return _entry(EntryKind.FORECAST, round_id, agent_id, "forecasts", rows)


def round_seal_entries(records: DecisionRecords, round_id: str) -> tuple[Candidate, ...]:
    """The `forecast` entries of all agents of a round that is over."""
    return tuple(seals_entry(round_id, agent_id, seals) for agent_id, seals in records.seals(round_id).items())


def new_seal_entries(records: DecisionRecords, round_id: str, *, since: datetime) -> tuple[Candidate, ...]:
    """The `forecast` entries of outside agents that have sealed one in an open round after `since`.

    They answer one question at a time, so an entry per answer would push other entries out of the log.
    """
    if not (agents := records.answering_entrants(round_id, since=since)):
        return ()
    return tuple(
        seals_entry(round_id, agent_id, seals)
        for agent_id, seals in records.seals(round_id).items()
        if agent_id in agents
    )


def round_trade_entries(records: DecisionRecords, paper: PaperRecords, round_id: str) -> tuple[Candidate, ...]:
    """The `paper_trade` entries of a round that is over. Publish them only then: trades show the forecasts."""
    decisions = {decision.decision_id: decision for decision in records.decisions(round_id, status="done")}
    rows: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for trade in paper.decisions(decisions):
        if trade.side is not None:
            rows[decisions[trade.decision_id].agent_id].append(_trade(trade, decisions[trade.decision_id]))
    return tuple(
        _entry(EntryKind.PAPER_TRADE, round_id, agent_id, "trades", rows[agent_id]) for agent_id in sorted(rows)
    )


def _trade(trade: PaperDecision, decision: Decision) -> dict[str, object]:
    assert trade.side is not None
    return {
        "decision_id": trade.decision_id,
        "account_id": trade.account_id,
        "policy": trade.account_id.rpartition("/")[2],
        "ticker": decision.ticker,
        "side": trade.side.value,
        "contracts": optional_text(trade.contracts),
        "average_price": optional_text(trade.average_price),
        "fee": optional_text(trade.fee),
    }


def _entry(kind: EntryKind, round_id: str, agent_id: str, name: str, rows: Sequence[dict[str, object]]) -> Candidate:
    data: dict[str, object] = {
        "round_id": round_id,
        "agent_id": agent_id,
        "tickers": sorted({str(row["ticker"]) for row in rows}),
        name: list(rows),
        "count": len(rows),
    }
    return event_candidate(kind, f"{round_id}/{agent_id}/{len(rows)}", data)
