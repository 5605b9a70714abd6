"""Which messages are sent now, and when a failed one is tried again. Pure.

Each alert and service has its own row, so a service that is down delays no other. Retries, the flood limit and quiet
hours are decided here from the rows alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from coliseum.alert_settings import QuietHours
from coliseum.alerts.rules import AlertSeverity

RETRY_SECONDS = (30.0, 120.0, 600.0, 1800.0)
"""Between the first attempts; then hourly."""
HOURLY_SECONDS = 3600.0
GIVE_UP_SECONDS = 24 * 3600.0
"""After so long without success a message counts as undelivered."""
FLOOD_MESSAGES = 10
FLOOD_SECONDS = 600.0
"""At most so many messages to one service within this time; the last of them names how many more there are."""
BEGINNING = "raised"
"""The phase that comes before repetitions and the end of the same alert."""
LOG = "log"
"""The service that is always there: the event `alert` on the streams. It knows no quiet hours and no flood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One row of the outbox: one message about one alert for one service. Times in unix seconds."""

    alert_id: str
    phase: str
    service: str
    severity: AlertSeverity
    text: str
    at: float
    """When what it tells happened."""
    attempts: int
    created_at: float
    due_at: float
    order: int = 0
    """The order in which the rows were written."""
    beginning_sent: bool = True
    """False for a repetition or an end while the beginning of the same alert still waits for this service."""

    @property
    def has_waited(self) -> bool:
        """Whether it was held back before: by quiet hours, or by a service that was down."""
        return self.due_at > self.created_at

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.alert_id, self.phase, self.service)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent in one piece: one delivery, or several as a summary."""

    service: str
    deliveries: tuple[Delivery, ...]

    @property
    def is_summary(self) -> bool:
        return len(self.deliveries) > 1


def wait_seconds(attempts: int) -> float:
    """Seconds from attempt number `attempts` (from 1) to the next one."""
    return RETRY_SECONDS[attempts - 1] if attempts <= len(RETRY_SECONDS) else HOURLY_SECONDS


def is_over(delivery: Delivery, *, now: float) -> bool:
    """Whether the row is given up: it was tried, and its day is over."""
    return delivery.attempts > 0 and now - delivery.created_at >= GIVE_UP_SECONDS


def first_due(severity: AlertSeverity, service: str, quiet: QuietHours | None, *, now: float) -> float:
    """When a new row may be sent. In quiet hours what is not critical waits for their end."""
    if quiet is None or severity is AlertSeverity.CRITICAL or service == LOG:
        return now
    end = quiet.end_after(datetime.fromtimestamp(now, UTC))
    return now if end is None else end.timestamp()


def plan(
    rows: Iterable[Delivery],
    *,
    now: float,
    sent_lately: Mapping[str, int],
    quiet: QuietHours | None = None,
) -> tuple[Message, ...]:
    """The messages of this moment, critical ones first, then in the order of the rows.

    `sent_lately` counts each service's messages within `FLOOD_SECONDS`. Rows that had to wait, for the end of quiet
    hours or for a service that was down, come as one summary.
    """
    by_service: defaultdict[str, list[Delivery]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.severity is not AlertSeverity.CRITICAL, row.order, row.key)):
        due = row.due_at <= now and first_due(row.severity, row.service, quiet, now=now) <= now
        begun = row.beginning_sent or any(
            other.alert_id == row.alert_id and other.phase == BEGINNING for other in by_service[row.service]
        )
        if due and begun and not is_over(row, now=now):
            by_service[row.service].append(row)
    messages: list[Message] = []
    for service in sorted(by_service):
        messages += _messages(service, by_service[service], FLOOD_MESSAGES - sent_lately.get(service, 0))
    return tuple(messages)


def _messages(service: str, due: Sequence[Delivery], room: int) -> list[Message]:
    if service == LOG:
        return [Message(service, (row,)) for row in due]
    waited = tuple(row for row in due if row.has_waited)
    fresh = [Message(service, (row,)) for row in due if len(waited) < 2 or not row.has_waited]
    messages = [Message(service, waited), *fresh] if len(waited) > 1 else fresh
    if len(messages) <= room:
        return messages
    if room <= 0:
        return []
    rest = tuple(row for message in messages[room - 1 :] for row in message.deliveries)
    return [*messages[: room - 1], Message(service, rest)]
