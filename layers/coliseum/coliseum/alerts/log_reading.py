"""Reads what the log holds behind the cursor. Entries that it has dropped come from the history in Postgres."""

from __future__ import annotations

from collections.abc import Callable

from coliseum.alerts.facts import LogFacts, SeenUpTo
from coliseum.feed.contiguity import Ahead, Gap, Reset, follow
from coliseum.feed.entries import START, Entry
from coliseum.feed.feed import Feed

ENTRIES_PER_READ = 500
READS_MAX = 20
"""In one run. The rest waits for the next one."""


def read_log(feed: Feed, seen: SeenUpTo | None, *, trimmed: Callable[..., tuple[Entry, ...]]) -> LogFacts:
    """The entries behind `seen`, the place behind them, the poller's heartbeat and the bot's status.

    One transaction where there is nothing new. The first run of all (`seen` is None) begins at the newest entry. A log
    of another epoch is read from its beginning. Raises SourceError and LogError.
    """
    if seen is None:
        state = feed.latest(1)
        place = SeenUpTo(state.reading.epoch, state.reading.head) if state.reading.epoch else SeenUpTo()
        return LogFacts(entries=(), seen=place, heartbeat=state.heartbeat, bot=state.bot)
    entries: list[Entry] = []
    state = feed.read(seen.id, count=ENTRIES_PER_READ)
    for _ in range(READS_MAX):
        step = follow(seen.id, seen.epoch, state.reading)
        if isinstance(step, Ahead):  # an emptied log, or a replica that lags: the next entry decides
            break
        if isinstance(step, Reset):
            seen = SeenUpTo(state.reading.epoch, START)
        elif isinstance(step, Gap):
            place = SeenUpTo(state.reading.epoch, seen.id)
            entries += trimmed(place, until=step.to.seq)
            seen = SeenUpTo(state.reading.epoch, step.to)
        elif not step.entries:
            break
        else:
            entries += step.entries
            seen = SeenUpTo(state.reading.epoch, step.entries[-1].id)
            if seen.id == state.reading.head:
                break
        state = feed.read(seen.id, count=ENTRIES_PER_READ)
    return LogFacts(entries=tuple(entries), seen=seen, heartbeat=state.heartbeat, bot=state.bot)
