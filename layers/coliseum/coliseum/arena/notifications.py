"""What the feed is told of a round: one entry per agent with all its seals, and one with all its paper trades.

The log is kept for trades of the live bot, which a client that was away reads later: a round must not push them out.
An entry's key counts what is in it, so that a repetition is dropped and a longer list is told again, whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from coliseum.arena.paper.records import PaperDecision, PaperRecords
from coliseum.arena.records.decisions import DecisionRecords
from coliseum.arena.records.rows import Decision, Seal
from coliseum.feed.entries import Candidate, EntryKind, event_candidate
from coliseum.trading.money import decimal_text


def seals_entry(round_id: str, agent_id: str, seals: Sequence[Seal]) -> Candidate:
    """The `forecast` entry: seals without content."""
    rows: list[dict[str, object]] = [
        {"forecast_id": one.forecast_id, "ticker": one.ticker, "track": one.track.value, "seal": one.seal}
        for one in seals
    ]
    return _entry(EntryKind.FORECAST, round_id, agent_id, "forecasts", rows)


def round_seal_entries(records: DecisionRecords, round_id: str) -> tuple[Candidate, ...]:
    """The `forecast` entries of a round whose time is over."""
    return tuple(seals_entry(round_id, agent_id, seals) for agent_id, seals in records.seals(round_id).items())


def round_trade_entries(records: DecisionRecords, paper: PaperRecords, round_id: str) -> tuple[Candidate, ...]:
    """The `paper_trade` entries of a round whose time is over."""
    asked = {decision.decision_id: decision for decision in records.decisions(round_id, status="done")}
    rows: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for note in paper.decisions(asked):
        if note.side is not None:
            rows[asked[note.decision_id].agent_id].append(_trade(note, asked[note.decision_id]))
    return tuple(
        _entry(EntryKind.PAPER_TRADE, round_id, agent_id, "trades", rows[agent_id]) for agent_id in sorted(rows)
    )


def _trade(note: PaperDecision, decision: Decision) -> dict[str, object]:
    assert note.side is not None
    return {
        "decision_id": note.decision_id,
        "account_id": note.account_id,
        "policy": note.account_id.rpartition("/")[2],
        "ticker": decision.ticker,
        "side": note.side.value,
        "contracts": _text(note.contracts),
        "average_price": _text(note.average_price),
        "fee": _text(note.fee),
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


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
