"""Assigns events that depend on each other to clusters. Pure, and without numpy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpan:
    """When an event is open for forecasts: from its first window to the end that was scheduled then (unix seconds)."""

    event: str
    series: str
    start: float
    end: float


def clusters(spans: Iterable[EventSpan]) -> dict[str, str]:
    """The cluster of each event. Events of one series whose spans overlap, also in chains, form one cluster.

    A cluster has the name of its first event.
    """
    by_series: defaultdict[str, list[EventSpan]] = defaultdict(list)
    for span in spans:
        by_series[span.series].append(span)
    result: dict[str, str] = {}
    for members in by_series.values():
        name, until = "", -math.inf
        for span in sorted(members, key=lambda span: (span.start, span.event)):
            if span.start >= until:
                name, until = span.event, span.end
            until = max(until, span.end)
            result[span.event] = name
    return result
