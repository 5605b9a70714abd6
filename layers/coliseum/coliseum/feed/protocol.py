"""The feed's Redis commands and what their replies and doorbells mean. Pure.

Keys, all under the prefix: `feed` the stream, `feed:meta` its counter, epoch, checkpoint and the bot's state,
`feed:seen` and `feed:known` identities, `poller` the poller's report and lease, `feed:bell` the doorbell channel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.errors import InvalidInput, LogError
from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import FIELD, START, Entry, EntryId, entry_from

Command = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """The feed's names under a prefix."""

    prefix: str

    @property
    def stream(self) -> str:
        return f"{self.prefix}feed"

    @property
    def meta(self) -> str:
        return f"{self.prefix}feed:meta"

    @property
    def seen(self) -> str:
        return f"{self.prefix}feed:seen"

    @property
    def known(self) -> str:
        return f"{self.prefix}feed:known"

    @property
    def poller(self) -> str:
        return f"{self.prefix}poller"

    @property
    def channel(self) -> str:
        return f"{self.prefix}feed:bell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the poller last said of itself: its lease, and how fresh its sources are. Times in unix ms."""

    owner: str
    at: int
    """The last completed tick."""
    fresh_for: int
    """Milliseconds after `at` until a reader must call the poller stale."""
    bot_ok_at: int | None
    """The last time the bot answered."""
    bot: dict[str, Any] | None
    """The `bot_status` data last published."""
    until: int = 0
    """When its minute ends; other pollers leave the work to it until then."""

    def text(self) -> str:
        return json.dumps(
            {
                "owner": self.owner,
                "at": self.at,
                "fresh_for": self.fresh_for,
                "bot_ok_at": self.bot_ok_at,
                "bot": self.bot,
                "until": self.until,
            },
            separators=(",", ":"),
        )

    def precedes(self, other: Report) -> bool:
        """Of two pollers at work at the same time, the one whose minute ends first goes on."""
        return (self.until, self.owner) < (other.until, other.owner)

    @classmethod
    def parse(cls, text: str | None) -> Report | None:
        """None for a missing or foreign text: a reader must survive both."""
        try:
            body = json.loads(text or "")
            return cls(
                owner=str(body["owner"]),
                at=int(body["at"]),
                fresh_for=int(body["fresh_for"]),
                bot_ok_at=None if body["bot_ok_at"] is None else int(body["bot_ok_at"]),
                bot=None if body["bot"] is None else dict(body["bot"]),
                until=int(body.get("until", 0)),  # earlier releases did not say
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class State:
    """One atomic look at the log and at the poller."""

    reading: Reading
    report: Report | None
    bot: dict[str, Any] | None
    """The `bot_status` data last published, from the log's own meta."""


def read_commands(keys: FeedKeys, after: EntryId, count: int) -> tuple[Command, ...]:
    """One transaction: meta, the poller's report, and entries from `after` itself on (its presence is proof)."""
    start = "-" if after == START else str(after)
    return (
        ("HMGET", keys.meta, "epoch", "base_ms", "seq", "ms", "bot"),
        ("GET", keys.poller),
        ("XRANGE", keys.stream, start, "+", "COUNT", count + 1),
    )


def latest_commands(keys: FeedKeys, count: int) -> tuple[Command, ...]:
    """One transaction: as `read_commands`, but the newest `count` entries."""
    return (
        ("HMGET", keys.meta, "epoch", "base_ms", "seq", "ms", "bot"),
        ("GET", keys.poller),
        ("XREVRANGE", keys.stream, "+", "-", "COUNT", count),
    )


def state_from(replies: Sequence[Any], *, newest_first: bool = False) -> State:
    """The transaction's replies as a State. Raises LogError where they are not in the feed's form."""
    try:
        (epoch, base_ms, seq, ms, bot), report, rows = replies
        entries = tuple(entry_from(row[0], _field(row[1])) for row in rows or ())
        reading = Reading(
            epoch=epoch,
            base_ms=int(base_ms or 0),
            head=EntryId(int(ms or 0), int(seq or 0)),
            entries=entries[::-1] if newest_first else entries,
        )
        return State(reading, Report.parse(report), json.loads(bot) if bot else None)
    except (ValueError, TypeError, IndexError) as error:
        raise LogError(f"the feed's keys hold something else: {error}") from error


def _field(flat: Sequence[str]) -> str:
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name == FIELD:
            return value
    raise LogError(f"feed entry without field {FIELD!r}")


@dataclass(frozen=True, slots=True)
class Bell:
    """A doorbell: news with its predecessor's id, or a poller's heartbeat. Never the truth, only a hint."""

    epoch: str | None
    previous: EntryId | None
    last: EntryId | None
    entries: tuple[Entry, ...] | None
    """The news itself where it was small enough to travel along."""
    report: Report | None


def heartbeat_text(report: Report, known: tuple[str, EntryId] | None = None) -> str:
    """The doorbell of a quiet time. It names the log's epoch and newest entry, so that a lost ring is noticed."""
    body: dict[str, str] = {"r": report.text()}
    if known is not None:
        body |= {"e": known[0], "l": str(known[1])}
    return json.dumps(body, separators=(",", ":"))


def bell_from(text: str) -> Bell | None:
    """None for anything that is not a doorbell of ours: whoever rings, the reader looks at the log itself."""
    try:
        body = json.loads(text)
        if "r" in body:
            last = EntryId.parse(body["l"]) if "l" in body else None
            return Bell(str(body["e"]) if "e" in body else None, None, last, None, Report.parse(body["r"]))
        first, count = EntryId.parse(f"{body['m']}-{body['s']}"), int(body["n"])
        previous, news = EntryId.parse(body["p"]), body.get("d")
        if count < 1 or (news is not None and len(news) != count):
            return None
        if first.seq != previous.seq + 1 or first.ms < previous.ms:
            return None
        entries = tuple(
            entry_from(f"{first.ms}-{first.seq + index}", json.dumps(value)) for index, value in enumerate(news or ())
        )
        last = EntryId(first.ms, first.seq + count - 1)
        return Bell(str(body["e"]), previous, last, entries or None, None)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, LogError, InvalidInput):
        return None
