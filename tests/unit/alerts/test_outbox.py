from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.alert_settings import parse_quiet_hours
from coliseum.alerts.outbox import (
    FLOOD_MESSAGES,
    GIVE_UP_SECONDS,
    LOG,
    Delivery,
    first_due,
    is_over,
    plan,
    wait_seconds,
)
from coliseum.alerts.rules import AlertSeverity

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 12, 1, 23, tzinfo=UTC).timestamp()
QUIET = parse_quiet_hours("22:00-07:00 UTC")


def row(
    number: int,
    *,
    service: str = "json-1",
    severity: AlertSeverity = AlertSeverity.WARNING,
    phase: str = "raised",
    alert: str | None = None,
    attempts: int = 0,
    created_at: float = NOON,
    due_at: float | None = None,
    beginning_sent: bool = True,
) -> Delivery:
    return Delivery(
        alert_id=alert or f"closing:KX{number}:1",
        phase=phase,
        service=service,
        severity=severity,
        text="It closes.",
        at=created_at,
        attempts=attempts,
        created_at=created_at,
        due_at=created_at if due_at is None else due_at,
        order=number,
        beginning_sent=beginning_sent,
    )


def test_retries_come_after_30_seconds_then_2_10_30_minutes_then_hourly() -> None:
    assert [wait_seconds(attempt) for attempt in range(1, 8)] == [30, 120, 600, 1800, 3600, 3600, 3600]


def test_a_row_is_given_up_after_a_day_but_not_before_it_was_tried() -> None:
    later = NOON + GIVE_UP_SECONDS
    assert is_over(row(1, attempts=30), now=later)
    assert not is_over(row(1, attempts=30), now=later - 1)
    assert not is_over(row(1), now=later)


def test_quiet_hours_hold_back_what_is_not_critical() -> None:
    morning = datetime(2026, 12, 2, 7, tzinfo=UTC).timestamp()
    assert first_due(AlertSeverity.WARNING, "json-1", QUIET, now=NIGHT) == morning
    assert first_due(AlertSeverity.CRITICAL, "json-1", QUIET, now=NIGHT) == NIGHT
    assert first_due(AlertSeverity.WARNING, LOG, QUIET, now=NIGHT) == NIGHT
    assert first_due(AlertSeverity.WARNING, "json-1", QUIET, now=NOON) == NOON


def test_a_retry_waits_for_the_end_of_quiet_hours_too() -> None:
    assert plan([row(1, attempts=2)], now=NIGHT, sent_lately={}, quiet=QUIET) == ()


def test_what_waited_comes_as_one_summary() -> None:
    held = [row(n, created_at=NIGHT, due_at=NIGHT + 8 * 3600) for n in range(3)]
    (message,) = plan(held, now=NIGHT + 8 * 3600, sent_lately={}, quiet=QUIET)
    assert [each.order for each in message.deliveries] == [0, 1, 2]


def test_a_flood_ends_with_a_summary_of_the_rest() -> None:
    messages = plan([row(n) for n in range(26)], now=NOON, sent_lately={})
    assert [len(message.deliveries) for message in messages] == [1] * 9 + [17]


def test_a_service_that_had_its_ten_messages_waits() -> None:
    assert plan([row(1)], now=NOON, sent_lately={"json-1": FLOOD_MESSAGES}) == ()
    (message,) = plan([row(1), row(2)], now=NOON, sent_lately={"json-1": FLOOD_MESSAGES - 1})
    assert len(message.deliveries) == 2


def test_the_log_knows_no_flood() -> None:
    assert len(plan([row(n, service=LOG) for n in range(40)], now=NOON, sent_lately={LOG: 500})) == 40


def test_critical_alerts_come_first() -> None:
    rows = [row(1), row(2, severity=AlertSeverity.CRITICAL)]
    assert [message.deliveries[0].order for message in plan(rows, now=NOON, sent_lately={})] == [2, 1]


@pytest.mark.parametrize(("beginning_is_due", "told"), [(True, ["raised", "cleared"]), (False, [])])
def test_an_end_is_not_told_before_its_beginning(beginning_is_due: bool, told: list[str]) -> None:
    begin = row(1, alert="bot_idle:all:1", attempts=1, due_at=NOON if beginning_is_due else NOON + 30)
    end = row(2, alert="bot_idle:all:1", phase="cleared", beginning_sent=False)
    messages = plan([end, begin], now=NOON, sent_lately={})
    assert [each.phase for message in messages for each in message.deliveries] == told


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 10_000),
        service=st.sampled_from(["a-1", "b-2", LOG]),
        severity=st.sampled_from(AlertSeverity),
        attempts=st.integers(0, 5),
        due_at=st.sampled_from([NOON - 60, NOON, NOON + 60]),
        created_at=st.sampled_from([NOON - 90_000, NOON - 60, NOON]),
    ),
    max_size=60,
    unique_by=lambda each: each.key,
)


@given(ROWS, st.dictionaries(st.sampled_from(["a-1", "b-2"]), st.integers(0, 12)))
def test_a_plan_has_each_due_row_once_or_the_service_is_at_its_limit(
    rows: list[Delivery], sent: dict[str, int]
) -> None:
    messages = plan(rows, now=NOON, sent_lately=sent)
    planned = [each.key for message in messages for each in message.deliveries]
    assert len(planned) == len(set(planned))
    assert all(each.service == message.service for message in messages for each in message.deliveries)
    due = {each.key for each in rows if each.due_at <= NOON and not is_over(each, now=NOON)}
    full = {name for name, count in sent.items() if count >= FLOOD_MESSAGES}
    assert set(planned) == {key for key in due if key[2] not in full}
    for service in ("a-1", "b-2"):
        count = sum(message.service == service for message in messages)
        assert count <= max(0, FLOOD_MESSAGES - sent.get(service, 0))
