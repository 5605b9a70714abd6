"""How far the account's books are, and which page of which list comes next. Pure.

The books are brought up to date in passes. A pass reads the fills from the newest to the oldest that is wanted, live
tier first, because a fill that moves to the archive meanwhile is then read twice instead of never. When the lists are
whole, the fills are booked in the order of their execution, then the settlements. A pass may be stopped behind every
page: it goes on by time, since the exchange does not say how long its cursors live.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from coliseum.errors import SourceMalformed

LAG_SECONDS = 30
"""The exchange's lists may be this far behind its matching engine."""
AMENDED_SECONDS = 7 * 86_400
"""How long after a settlement we look for a corrected version of it."""


class Stage(StrEnum):
    """What a pass does, in this order."""

    LIVE = "live"
    """Read fills of the live tier."""
    HISTORICAL = "historical"
    """Read fills of the archive."""
    BOOKING = "booking"
    """Book the fills that were read."""
    SETTLEMENTS = "settlements"
    """Read and book settlements."""
    ENDS = "ends"
    """Find out how the markets ended whose settlement the exchange lists no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A pass in work: the stage, and the place in its list. Times are unix seconds."""

    stage: Stage = Stage.LIVE
    since: int | None = None
    """The oldest fill that is wanted; None is all."""
    until: int | None = None
    """The next page has rows before this moment, perhaps also of its second; None is the newest that there is."""
    cursor: str | None = None
    """The exchange's cursor, needed only where one second has more rows than a page."""
    newest: float | None = None
    """The newest fill that this pass has read."""
    settled_newest: float | None = None
    """The newest settlement that this pass has read."""

    def at_stage(self, stage: Stage) -> Walk:
        """The beginning of another stage."""
        return replace(self, stage=stage, until=None, cursor=None)

    def behind(self, *, oldest: float | None, cursor: str) -> Walk:
        """The place of the page behind one whose oldest row is of `oldest`. Raises SourceMalformed where pages repeat.

        The next page begins with that row's whole second, so rows may come twice but none is left out. The exchange
        lists what is "before" a moment and does not say whether that includes its second, so the next second is named.
        """
        until = None if oldest is None else int(oldest) + 1
        if until is not None and (self.until is None or until < self.until):
            return replace(self, until=until, cursor=None)
        if cursor == self.cursor:
            raise SourceMalformed("kalshi", f"the list of {self.stage} sent the same cursor twice", field="cursor")
        return replace(self, cursor=cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksProgress:
    """How far the books are. Stored as JSON, so a renamed field loses what stands there."""

    complete: bool = False
    """Whether one pass over the account's whole history was booked to its end."""
    walk: Walk | None = None
    """The pass in work; None between two passes."""
    booked_until: float | None = None
    """Unix seconds: all fills up to here are booked."""
    settled_until: float | None = None
    """Unix seconds: all settlements up to here are booked."""
    conflicts: tuple[str, ...] = ()
    """Fills that came with two contents, as sentences."""
    unknown_ends: Mapping[str, str] = field(default_factory=dict)
    """Markets that we hold in the ledger and the exchange lists no more, each with what is not known."""
    archive_doubts: Mapping[str, str] = field(default_factory=dict)
    """Archived positions without fills whose profit is not known."""
    ends_checked_at: float = 0.0

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why totals over the books would be wrong, although the books are loaded."""
        return (*self.conflicts, *self.unknown_ends.values(), *self.archive_doubts.values())


def next_walk(progress: BooksProgress, *, since: int | None) -> Walk:
    """The pass in work, or the beginning of the next one. `since` limits a first pass."""
    if progress.walk is not None:
        return progress.walk
    booked_until = progress.booked_until
    return Walk(since=since if booked_until is None else max(since or 0, int(booked_until) - LAG_SECONDS))


def settlements_since(progress: BooksProgress) -> int | None:
    """From which unix second on settlements are read; None is all."""
    return None if progress.settled_until is None else int(progress.settled_until) - AMENDED_SECONDS


def with_conflicts(progress: BooksProgress, conflicts: tuple[str, ...]) -> BooksProgress:
    return replace(progress, conflicts=tuple(dict.fromkeys((*progress.conflicts, *conflicts))))


def finished(progress: BooksProgress, walk: Walk) -> BooksProgress:
    """The progress when a pass has come to its end."""
    return replace(
        progress,
        walk=None,
        complete=True,
        booked_until=latest([progress.booked_until, walk.newest]),
        settled_until=latest([progress.settled_until, walk.settled_newest]),
    )


def latest(moments: Iterable[float | None]) -> float | None:
    """The newest of the known moments."""
    return max((moment for moment in moments if moment is not None), default=None)
