"""The numbers of `/sse/stats`."""

from __future__ import annotations

import random

import pytest

from coliseum.streaming.stats import DelayHistogram, StreamCounters


def test_percentiles_are_within_fifteen_percent() -> None:
    """SSE-092."""
    delays, rng = DelayHistogram(), random.Random(1)
    values = sorted(rng.uniform(1, 10_000) for _ in range(5000))
    for value in values:
        delays.add(value)
    for share in (0.5, 0.99):
        exact = values[int(share * len(values)) - 1]
        assert delays.percentile(share) == pytest.approx(exact, rel=0.16)


def test_nothing_measured_has_no_percentile() -> None:
    assert DelayHistogram().percentile(0.5) is None


def test_a_delay_beyond_the_scale_is_counted_at_its_end() -> None:
    delays = DelayHistogram()
    delays.add(10**9, 3)
    assert (delays.total, delays.percentile(0.99)) == (3, delays.percentile(1.0))


def test_commands_are_related_to_the_hours_that_clients_were_connected() -> None:
    """SSE-092."""
    counts = StreamCounters(0.0, redis_commands=10, connected_seconds=1800)
    data = counts.data(open_seconds=1800, open_now=1)
    assert data["redis"]["commands_per_client_hour"] == 10
    assert data["connections"]["now"] == 1
    assert StreamCounters(0.0).data(open_seconds=0, open_now=0)["redis"]["commands_per_client_hour"] is None
