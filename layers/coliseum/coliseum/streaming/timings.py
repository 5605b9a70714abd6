"""How long a stream process waits for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OPENING_SECONDS = 2.0
"""How long a new client waits for an answer of Redis, unless the process is starting (`first_answer_seconds`)."""
AHEAD_SECONDS = 3.0
"""How long a cursor ahead of the log counts as valid: the replica that answered may lag behind."""
AHEAD_RETRY_SECONDS = 0.4
"""Between two reads meanwhile."""
OUTAGE_SECONDS = 60.0
REDIS_STALE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderTimings:
    """The times of a process's log reader, all in seconds."""

    poll_seconds: float = 3.0
    """Between two reads with `FEED_MODE=poll`."""
    first_answer_seconds: float = 15.0
    """How long a process that is starting waits for Redis before it calls Redis down."""
    starting_retry_seconds: float = 1.0
    """The longest wait between two attempts meanwhile: a client waits for the first one that succeeds."""
    quiet_seconds: float = 30.0
    """A doorbell that is silent for so long makes the reader look at the log: 1.5 heartbeats of the poller."""
    longest_quiet_seconds: float = 300.0
    """`quiet_seconds` doubles up to here while the silence lasts: a dead poller must not cost much."""
    confirm_seconds: float = 5.0
    """How long Redis may take to confirm a subscription."""
    first_retry_seconds: float = 0.25
    longest_retry_seconds: float = 5.0
    ahead_seconds: float = AHEAD_SECONDS
    redis_patience_seconds: float = REDIS_STALE_SECONDS
    """A silence of Redis that is no longer than this is not announced."""
    outage_seconds: float = OUTAGE_SECONDS
    """How long live sessions stay open while Redis is down."""
    judge_seconds: float = 1.0
    """Between two checks of which sources are stale."""
    linger_seconds: float = 60.0
    """How long the reader goes on without a client: the next one finds everything in place."""
