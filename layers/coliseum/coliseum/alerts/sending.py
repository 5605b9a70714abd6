"""Sends what is due: claim, send, mark. Killed between any two steps, the next run goes on.

A row is claimed before it is sent: the attempt is counted and the next one planned. So a run that dies in between
leaves a row that is tried again, with the same id. Each service has its own thread, and none waits for another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from coliseum.alert_settings import AlertService, QuietHours
from coliseum.alerts.outbox import LOG, Delivery, Message, is_over, plan, wait_seconds
from coliseum.alerts.records import AlertRecords, DeliveryMark, StoredLook
from coliseum.alerts.rules import RuleName
from coliseum.alerts.texts import WrittenMessage, write
from coliseum.errors import ColiseumError
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed
from coliseum.feed.timestamps import rfc3339
from coliseum.observability import logger

SEND_SECONDS = 10.0
"""For one message."""
SERVICE_SECONDS = 40.0
"""For all messages of one service in one run. The rest waits for the next one."""


class Sends(Protocol):
    """What sends one message to one service, and says what went wrong."""

    def send(self, service: AlertService, message: WrittenMessage, *, seconds: float) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingReport:
    """What one run sent."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0


class OutboxSender:
    """The sender of one process."""

    def __init__(
        self,
        records: AlertRecords,
        feed: Feed | None,
        services: Sequence[AlertService],
        *,
        sender: Callable[[], Sends],
        clock: Callable[[], float],
        quiet: QuietHours | None = None,
    ) -> None:
        """`sender` is called for the first message to a service: Apprise is slow to import. `clock`: unix seconds."""
        self._records, self._feed, self._sender = records, feed, sender
        self._services = {service.name: service for service in services}
        self._clock, self._quiet = clock, quiet

    def send(self, look: StoredLook, *, time_left: Callable[[], float]) -> SendingReport:
        """Send what is due in `look`. Raises SourceError where Postgres fails: the next run goes on."""
        now = self._clock()
        over = [row for row in look.waiting if is_over(row, now=now) or not self._is_known(row.service)]
        if over:
            self._records.mark(DeliveryMark(key=row.key, status="undelivered", at=now) for row in over)
            logger().error("alerts could not be delivered", rows=len(over), services=sorted({r.service for r in over}))
        alive = [row for row in look.waiting if row not in over]
        messages = plan(alive, now=now, sent_lately=look.sent_lately, quiet=self._quiet)
        if not messages:
            return SendingReport(given_up=len(over))
        rows = [row for message in messages for row in message.deliveries]
        taken = self._records.claim((row, now + wait_seconds(row.attempts + 1)) for row in rows)
        by_service: defaultdict[str, list[Message]] = defaultdict(list)
        for message in messages:
            mine = tuple(row for row in message.deliveries if row.key in taken)
            if mine:
                by_service[message.service].append(Message(message.service, mine))
        sent, failed = self._send_all(by_service, time_left)
        return SendingReport(sent=sent, failed=failed, given_up=len(over))

    def _is_known(self, service: str) -> bool:
        return service == LOG or service in self._services

    def _send_all(self, by_service: Mapping[str, Sequence[Message]], time_left: Callable[[], float]) -> tuple[int, int]:
        """Messages sent and failed. What became of them is stored as soon as each service is done."""
        sent = failed = 0
        sender = self._sender() if by_service.keys() - {LOG} else None
        with ThreadPoolExecutor(max_workers=max(1, len(by_service))) as threads:
            end = self._clock() + min(SERVICE_SECONDS, max(0.0, time_left() - 5))
            work = [
                threads.submit(self._to_log, messages)
                if service == LOG
                else threads.submit(self._to_service, sender, self._services[service], messages, end)
                for service, messages in by_service.items()
            ]
            for done in as_completed(work):
                marks = done.result()
                self._records.mark(marks)
                sent += sum(mark.status == "sent" for mark in marks)
                failed += sum(mark.status != "sent" and not mark.untried for mark in marks)
        return sent, failed

    def _to_service(
        self, sender: Sends | None, service: AlertService, messages: Sequence[Message], end: float
    ) -> list[DeliveryMark]:
        """After a failure the service's other messages wait: a service that is down must not take all the time."""
        assert sender is not None
        marks: list[DeliveryMark] = []
        problem: str | None = None
        for number, message in enumerate(messages):
            if problem is not None or self._clock() >= end:
                again = self._clock() + wait_seconds(1)
                marks += [
                    DeliveryMark(key=row.key, status="waiting", at=again, due_at=again, untried=True)
                    for row in message.deliveries
                ]
                continue
            problem = sender.send(service, write(message), seconds=SEND_SECONDS)
            # Each message has a moment of its own: the flood limit counts moments.
            marks += _marks(message.deliveries, problem, self._clock() + number / 1e5)
            if problem is not None:
                logger().warning("an alert could not be sent", service=service.name, problem=problem)
        return marks

    def _to_log(self, messages: Sequence[Message]) -> list[DeliveryMark]:
        rows = [row for message in messages for row in message.deliveries]
        problem: str | None = "no Redis is configured"
        if self._feed is not None:
            candidates = [
                event_candidate(EntryKind.ALERT, f"{row.alert_id}:{row.phase}", alert_data(row)) for row in rows
            ]
            try:
                self._feed.publish(candidates, now_ms=int(self._clock() * 1000))
                problem = None
            except ColiseumError as error:
                problem = type(error).__name__
        return _marks(rows, problem, self._clock())


def alert_data(row: Delivery) -> dict[str, object]:
    """The data of the event `alert`."""
    rule, subject, _ = row.alert_id.split(":")
    return {
        "id": row.alert_id,
        "rule": RuleName(rule).value,
        "subject": subject,
        "severity": row.severity.value,
        "change": row.phase.partition("-")[0],
        "text": row.text,
        "at": rfc3339(int(row.at * 1000)),
    }


def _marks(rows: Iterable[Delivery], problem: str | None, at: float) -> list[DeliveryMark]:
    status = "sent" if problem is None else "waiting"
    return [DeliveryMark(key=row.key, status=status, at=at, problem=problem) for row in rows]
