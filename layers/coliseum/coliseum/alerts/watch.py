"""One run of the alerts: look, decide, store in one step, then send.

What is decided is stored with the cursor and the outbox in one fenced transaction. Whatever dies afterwards, the rows
of the outbox are still there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coliseum.alert_settings import AlertLimits, AlertService, DigestTime, QuietHours
from coliseum.alerts.events import board_events, closing_events, log_events
from coliseum.alerts.facts import ExchangeFacts, LogFacts, SeenUpTo, StoredFacts
from coliseum.alerts.findings import Seen, findings, losses_to_explain
from coliseum.alerts.log_reading import read_log
from coliseum.alerts.outbox import LOG, first_due
from coliseum.alerts.probe import ExchangeProbe
from coliseum.alerts.records import AlertRecords, Destination
from coliseum.alerts.rules import RuleName, rules_for
from coliseum.alerts.sending import OutboxSender, SendingReport
from coliseum.alerts.states import AlertChange, States, advance, noted
from coliseum.alerts.texts import digest_text
from coliseum.errors import LogError, SourceError, SourceRefused
from coliseum.feed.feed import Feed
from coliseum.observability import logger

DEEP_SECONDS = 290.0
"""The slower questions to Postgres are asked so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """What one run did."""

    raised: int = 0
    cleared: int = 0
    sent: int = 0
    failed: int = 0
    given_up: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    states: States
    memory: Mapping[str, Any]
    changes: tuple[AlertChange, ...]
    seen: SeenUpTo | None


class AlertWatch:
    """The alerts of one process. All that must outlast it is in Postgres."""

    def __init__(
        self,
        records: AlertRecords,
        feed: Feed | None,
        probe: ExchangeProbe,
        sender: OutboxSender,
        *,
        services: Sequence[AlertService],
        limits: AlertLimits,
        quiet: QuietHours | None,
        digest: DigestTime | None,
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives unix seconds."""
        self._records, self._feed, self._probe, self._sender = records, feed, probe, sender
        self._names = (LOG, *(service.name for service in services))
        self._limits, self._quiet, self._digest, self._clock = limits, quiet, digest, clock
        self._rules = rules_for(limits)
        self._deep_at = float("-inf")

    def run(self, *, time_left: Callable[[], float]) -> WatchReport:
        """One look and what follows from it. Raises SourceError where Postgres fails: nothing is known then."""
        now = self._clock()
        deep = now - self._deep_at >= DEEP_SECONDS
        look = self._records.read(now=now, deep=deep)
        self._deep_at = now if deep else self._deep_at
        decided = self._decide(look.facts, now)
        problem = None
        if self._differs(decided, look.facts):
            try:
                self._store(look.facts, decided, now)
            except SourceRefused as error:
                if error.status != 409:
                    raise
                problem = "another run was faster"
            look = self._records.read(now=self._clock(), deep=False)
        sent = self._sender.send(look, time_left=time_left) if look.waiting else SendingReport()
        stored = () if problem else decided.changes
        return WatchReport(
            raised=sum(change.change in {"raised", "noted"} for change in stored),
            cleared=sum(change.change == "cleared" for change in stored),
            sent=sent.sent,
            failed=sent.failed,
            given_up=sent.given_up,
            problem=problem,
        )

    def _decide(self, stored: StoredFacts, now: float) -> _Decided:
        log = self._read_log(stored)
        tickers = [position.ticker for position in stored.positions or ()]
        seen = Seen(now=now, stored=stored, log=log, exchange=self._probe.look(tickers))
        if losses_to_explain(seen, self._limits):
            exchange: ExchangeFacts = replace(seen.exchange, transfers=self._probe.transfers())
            seen = replace(seen, exchange=exchange)
        advanced = advance(
            stored.states, findings(seen, self._limits), self._rules, now=now, acknowledged=stored.acknowledged
        )
        entries = () if log is None else log.entries
        events = log_events(entries, self._rules, self._limits, now=now)
        events += closing_events(stored, seen.exchange, self._rules, self._limits, now=now)
        leaders, memory = board_events(entries, stored.memory, self._rules, now=now)
        told, memory = _untold(events, memory)
        digest, memory = self._daily_digest(memory, now)
        changes = (*advanced.changes, *told, *leaders, *digest)
        return _Decided(advanced.states, memory, changes, stored.seen if log is None else log.seen)

    def _read_log(self, stored: StoredFacts) -> LogFacts | None:
        """None where Redis does not answer: the rules about the log then wait."""
        if self._feed is None:
            return None
        try:
            return read_log(self._feed, stored.seen, trimmed=self._records.trimmed_entries)
        except (SourceError, LogError) as error:
            logger().warning("the log could not be read; the next run goes on", problem=str(error))
            return None

    def _daily_digest(self, memory: Mapping[str, Any], now: float) -> tuple[tuple[AlertChange, ...], Mapping[str, Any]]:
        """The digest of the newest day that is due. The first run only notes the day."""
        if self._digest is None:
            return (), memory
        day, last = self._digest.due_day_at(now), memory.get("digest")
        if day == last:
            return (), memory
        if last is None:
            return (), {**memory, "digest": day}
        text = digest_text(self._records.digest(now=now))
        return (noted(self._rules[RuleName.DIGEST], day, 1, text, now=now),), {**memory, "digest": day}

    @staticmethod
    def _differs(decided: _Decided, stored: StoredFacts) -> bool:
        before = (stored.states, stored.memory, stored.seen)
        return bool(decided.changes) or (decided.states, decided.memory, decided.seen) != before

    def _store(self, stored: StoredFacts, decided: _Decided, now: float) -> None:
        changes = [
            (
                change,
                [Destination(name, first_due(change.severity, name, self._quiet, now=now)) for name in self._names],
            )
            for change in decided.changes
        ]
        self._records.commit(
            stored, seen=decided.seen, states=decided.states, memory=decided.memory, changes=changes, now=now
        )


_REMEMBERED = 200


def _untold(
    events: Sequence[AlertChange], memory: Mapping[str, Any]
) -> tuple[tuple[AlertChange, ...], Mapping[str, Any]]:
    """The events that were not told before, and the memory with them.

    The database drops repetitions anyway; this saves a write in each look for a market that closes soon.
    """
    known: list[str] = list(memory.get("told") or ())
    fresh = [event for event in events if event.alert_id not in known]
    if not fresh:
        return (), memory
    told = [*known, *dict.fromkeys(event.alert_id for event in fresh)][-_REMEMBERED:]
    return tuple({event.alert_id: event for event in fresh}.values()), {**memory, "told": told}
