"""What ticks did, and what a minute of them adds up to. Pure."""

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
    """What a minute's ticks did, added up."""

    ticks: int = 0
    trades: int = 0
    source_gaps: int = 0
    rejected: int = 0
    redis_errors: int = 0
    lag_ms: int | None = None
    """From a trade to its publish: the longest, as the bot's clock has it."""
    waited: bool = False
    """Another poller held the lease."""

    def add(self, tick: TickResult) -> None:
        self.ticks += 1
        self.redis_errors += tick.redis_failed
        for _, candidate in tick.published:
            if candidate.kind is EntryKind.TRADE:
                self.trades += 1
                if not candidate.data.get("backfilled"):
                    lag_ms = tick.at_ms - round(candidate.data["timestamp"] * 1000)
                    self.lag_ms = max(lag_ms, 0 if self.lag_ms is None else self.lag_ms)
            elif candidate.kind is EntryKind.SOURCE_GAP:
                refused = candidate.data["reason"] == "invalid_trade"
                self.rejected += refused
                self.source_gaps += not refused

    def counts(self) -> dict[str, int]:
        """By the names of the metrics."""
        counts = {
            "Ticks": self.ticks,
            "TradesPublished": self.trades,
            "SourceGaps": self.source_gaps,
            "RejectedTrades": self.rejected,
            "RedisErrors": self.redis_errors,
        }
        return counts if self.lag_ms is None else {**counts, "PollLagMs": self.lag_ms}
