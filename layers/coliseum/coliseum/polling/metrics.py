"""What one tick did, and the totals of a minute of ticks. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.feed.entries import Candidate, EntryId, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TickResult:
    """What one tick did."""

    published: tuple[tuple[EntryId, Candidate], ...] = ()
    bot_answered: bool = False
    redis_failed: bool = False
    at_ms: int = 0


@dataclass(slots=True, kw_only=True)
class MinuteMetrics:
    """The totals of a minute's ticks. The poller function logs and returns these fields under their names here."""

    ticks: int = 0
    trades: int = 0
    source_gaps: int = 0
    rejected: int = 0
    redis_errors: int = 0
    lag_ms: int | None = None
    """The longest time from a trade's execution, by the bot's clock, to its publish; None without a live trade."""
    waited: bool = False
    """Another poller held the lease."""
    exchange_problem: str | None = None
    """Why the exchange gave no fills when it was asked last; None where it did, or was not asked."""

    def add(self, tick: TickResult) -> None:
        """Count one more tick."""
        self.ticks += 1
        self.redis_errors += tick.redis_failed
        for _, candidate in tick.published:
            if candidate.kind is EntryKind.TRADE:
                self.trades += 1
                # A backfilled trade is late because of an outage: that says nothing about the poller's own speed.
                if not candidate.data.get("backfilled"):
                    lag_ms = tick.at_ms - round(candidate.data["timestamp"] * 1000)
                    self.lag_ms = max(lag_ms, 0 if self.lag_ms is None else self.lag_ms)
            elif candidate.kind is EntryKind.SOURCE_GAP:
                is_rejected_row = candidate.data["reason"] == "invalid_trade"
                self.rejected += is_rejected_row
                self.source_gaps += not is_rejected_row

    def counts(self) -> dict[str, int]:
        """The totals by the names of the CloudWatch metrics."""
        counts = {
            "Ticks": self.ticks,
            "TradesPublished": self.trades,
            "SourceGaps": self.source_gaps,
            "RejectedTrades": self.rejected,
            "RedisErrors": self.redis_errors,
        }
        return counts if self.lag_ms is None else {**counts, "PollLagMs": self.lag_ms}
