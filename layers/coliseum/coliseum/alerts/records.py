"""Calls of the alerts' SQL functions, and their answers as values. The only file of this package that knows columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from coliseum.alerts.facts import (
    DeepFacts,
    EquityAt,
    FillCounts,
    ModelAnswers,
    OpenPosition,
    SeenUpTo,
    StoredFacts,
)
from coliseum.alerts.outbox import Delivery
from coliseum.alerts.rules import AlertSeverity, RuleName
from coliseum.alerts.states import AlertChange, AlertPhase, AlertState, States
from coliseum.errors import SourceMalformed
from coliseum.feed.entries import Entry, EntryId, EntryKind
from coliseum.identity import Identity
from coliseum.store.client import Store
from coliseum.store.replies import SOURCE, parse_row

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class StoredLook:
    """The facts in Postgres with the part of the outbox that is due."""

    facts: StoredFacts
    waiting: tuple[Delivery, ...]
    sent_lately: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Destination:
    """A service that gets a message, and from when on."""

    service: str
    due_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMark:
    """What became of one attempt."""

    key: Key
    status: str
    at: float
    problem: str | None = None
    due_at: float | None = None
    untried: bool = False


class AlertRecords:
    """The tables of one bot, exchange and account."""

    def __init__(self, store: Store, identity: Identity, *, exchange: str, fill_minutes: float) -> None:
        """`exchange` is the label of the arena's rounds; `fill_minutes` is when a fill counts as missing."""
        self._store, self._identity = store, identity
        self._exchange, self._fill_minutes = exchange, fill_minutes

    @property
    def owner(self) -> str:
        return self._identity.label

    def read(self, *, now: float, deep: bool) -> StoredLook:
        """Everything that a look needs, in one call. Raises SourceError."""
        answer = self._store.rpc(
            "alerts_read",
            {
                "p_owner": self.owner,
                **self._labels(),
                "p_deep": deep,
                "p_fill_minutes": self._fill_minutes,
                "p_now": _text(now),
            },
        )
        return parse_row("alerts_read", _look, answer)

    def commit(
        self,
        facts: StoredFacts,
        *,
        seen: SeenUpTo | None,
        states: States,
        memory: Mapping[str, Any],
        changes: Sequence[tuple[AlertChange, Sequence[Destination]]],
        now: float,
    ) -> None:
        """Store the look. Raises SourceRefused with status 409 where another run has stored one since."""
        cursor = None if seen is None else {"epoch": seen.epoch, "ms": seen.id.ms, "seq": seen.id.seq}
        self._store.rpc(
            "alerts_commit",
            {
                "p_owner": self.owner,
                "p_version": facts.version,
                "p_cursor": cursor,
                "p_states": [_state_row(key, state) for key, state in sorted(states.items())],
                "p_memory": dict(memory),
                "p_changes": [_change_row(change, destinations) for change, destinations in changes],
                "p_now": _text(now),
            },
        )

    def claim(self, rows: Iterable[tuple[Delivery, float]]) -> frozenset[Key]:
        """Take rows for one attempt, each with the time of the next one. Returns the keys that were taken."""
        body = [{**_key_row(row.key), "attempts": row.attempts, "due_at": _text(due_at)} for row, due_at in rows]
        answer = self._store.rpc("alerts_claim", {"p_owner": self.owner, "p_rows": body})
        return parse_row("alerts_claim", lambda keys: frozenset((str(a), str(b), str(c)) for a, b, c in keys), answer)

    def mark(self, marks: Iterable[DeliveryMark]) -> None:
        """Store what became of attempts."""
        body = [
            {
                **_key_row(mark.key),
                "status": mark.status,
                "at": _text(mark.at),
                "problem": mark.problem,
                "due_at": None if mark.due_at is None else _text(mark.due_at),
                "untried": mark.untried,
            }
            for mark in marks
        ]
        self._store.rpc("alerts_mark", {"p_owner": self.owner, "p_rows": body})

    def digest(self, *, now: float) -> Mapping[str, Any]:
        """The figures of the last 24 hours."""
        answer = self._store.rpc("alerts_digest", {**self._labels(), "p_now": _text(now)})
        if not isinstance(answer, dict):
            raise SourceMalformed(
                SOURCE, f"alerts_digest: expected an object, got {str(answer)[:80]!r}", field="digest"
            )
        return answer

    def trimmed_entries(self, seen: SeenUpTo, *, until: int) -> tuple[Entry, ...]:
        """Entries that the log has dropped before the rules saw them, from the history; `until` is a number."""
        rows = self._store.select(
            "feed_events",
            "ms,seq,kind,data",
            where=(
                ("epoch", "eq", seen.epoch),
                ("seq", "gt", seen.id.seq),
                ("seq", "lte", until),
                ("kind", "in", [EntryKind.SOURCE_GAP.value, EntryKind.EXCHANGE_CHANGED.value]),
            ),
            order=("seq",),
        )
        return tuple(parse_row("feed_events", _entry, row) for row in rows)

    def _labels(self) -> dict[str, Any]:
        labels = self._store.labels()
        return {
            "p_books": self._identity.account,
            "p_account": labels.account,
            "p_bot": labels.bot,
            "p_exchange": self._exchange,
        }


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _key_row(key: Key) -> dict[str, Any]:
    return {"alert_id": key[0], "phase": key[1], "service": key[2]}


def _state_row(key: tuple[RuleName, str], state: AlertState) -> dict[str, Any]:
    return {
        "rule": key[0].value,
        "subject": key[1],
        "phase": state.phase.value,
        "since": state.since,
        "episode": state.episode,
        "text": state.text,
        "told_at": state.told_at,
        "repeats": state.repeats,
    }


def _change_row(change: AlertChange, destinations: Sequence[Destination]) -> dict[str, Any]:
    return {
        "alert_id": change.alert_id,
        "rule": change.rule.value,
        "subject": change.subject,
        "episode": change.episode,
        "severity": change.severity.value,
        "change": change.change.value,
        "phase": change.phase,
        "text": change.text,
        "at": _text(change.at),
        "services": [{"service": each.service, "due_at": _text(each.due_at)} for each in destinations],
    }


def _look(row: Any) -> StoredLook:
    waiting = tuple(_delivery(each) for each in row["waiting"])
    facts = StoredFacts(
        version=int(row["version"]),
        seen=None if row["cursor"] is None else _seen(row["cursor"]),
        states=_states(row["states"]),
        memory=dict(row["memory"]),
        acknowledged=frozenset(map(str, row["acknowledged"])),
        last_trade_at=_number(row["last_trade_at"]),
        positions=_positions(row["books"]),
        equity=_equity(row["equity"]),
        day_first=_equity(row["day_first"]),
        deep=None if row["deep"] is None else _deep(row["deep"]),
    )
    return StoredLook(facts, waiting, {str(name): int(count) for name, count in row["sent_lately"].items()})


def _seen(row: Any) -> SeenUpTo:
    return SeenUpTo(row["epoch"], EntryId(int(row["ms"]), int(row["seq"])))


def _states(rows: Any) -> dict[tuple[RuleName, str], AlertState]:
    """States of rules that this release does not know are dropped."""
    known = {name.value for name in RuleName}
    return {
        (RuleName(row["rule"]), str(row["subject"])): AlertState(
            phase=AlertPhase(row["phase"]),
            since=float(row["since"]),
            episode=int(row["episode"]),
            text=str(row["text"]),
            told_at=_number(row["told_at"]),
            repeats=int(row["repeats"]),
        )
        for row in rows
        if row["rule"] in known
    }


def _delivery(row: Any) -> Delivery:
    return Delivery(
        alert_id=str(row["alert_id"]),
        phase=str(row["phase"]),
        service=str(row["service"]),
        severity=AlertSeverity(row["severity"]),
        text=str(row["text"]),
        at=float(row["at"]),
        attempts=int(row["attempts"]),
        created_at=float(row["created_at"]),
        due_at=float(row["due_at"]),
        order=int(row["order"]),
        beginning_sent=row["raised"] == "sent",
    )


def _positions(books: Any) -> tuple[OpenPosition, ...] | None:
    if books is None or books["loading"]:
        return None
    return tuple(
        OpenPosition(
            ticker=str(row["ticker"]),
            contracts=Decimal(row["contracts"]),
            basis=Decimal(row["basis"]),
            event_ticker=row["event_ticker"],
            last_fill_at=_number(row["last_fill_at"]),
        )
        for row in books["open"]
    )


def _equity(row: Any) -> EquityAt | None:
    return None if row is None else EquityAt(Decimal(row["equity"]), float(row["taken_at"]))


def _deep(row: Any) -> DeepFacts:
    budget = row["budget"]
    return DeepFacts(
        peak=_equity(row["peak"]),
        fills=FillCounts(**{name: int(row["fills"][name]) for name in ("matched", "unconfirmed", "unreported")}),
        budget_share=None if budget is None else Decimal(budget["spent"]) / Decimal(budget["cap"]),
        budget_day=None if budget is None else str(budget["day"]),
        models=tuple(
            ModelAnswers(
                agent_id=str(each["agent_id"]),
                round_id=str(each["round_id"]),
                done=int(each["done"]),
                failed=int(each["failed"]),
            )
            for each in row["models"]
        ),
    )


def _entry(row: Any) -> Entry:
    return Entry(EntryId(int(row["ms"]), int(row["seq"])), EntryKind(row["kind"]), dict(row["data"]))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
