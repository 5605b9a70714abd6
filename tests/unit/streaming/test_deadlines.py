"""Heartbeat and end of one connection."""

from __future__ import annotations

from coliseum.streaming.deadlines import Deadlines


def test_an_end_only_becomes_earlier_and_keeps_its_reason() -> None:
    deadlines = Deadlines(heartbeat_at=30.0, heartbeat_seconds=30.0, ends_at=100.0)
    deadlines.end_by(50.0, "shutdown")
    deadlines.end_by(70.0, "auth_expired")
    assert (deadlines.ends_at, deadlines.end_reason) == (50.0, "shutdown")


def test_missed_heartbeats_are_not_made_up_for() -> None:
    deadlines = Deadlines(heartbeat_at=30.0, heartbeat_seconds=30.0, ends_at=1000.0)
    deadlines.pass_heartbeat(95.0)
    assert deadlines.heartbeat_at == 120.0


def test_a_heartbeat_that_is_not_due_stays() -> None:
    deadlines = Deadlines(heartbeat_at=30.0, heartbeat_seconds=30.0, ends_at=1000.0)
    deadlines.pass_heartbeat(29.0)
    assert deadlines.heartbeat_at == 30.0
