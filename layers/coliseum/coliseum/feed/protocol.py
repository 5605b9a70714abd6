"""The feed's Redis commands, and the parsing of their replies and of doorbell notifications. Pure.

Keys, all under the prefix: `feed` is the stream; `feed:meta` holds its counter, epoch, checkpoint and the bot's status;
`feed:seen` and `feed:known` hold the identities of published entries; `poller` holds the poller's heartbeat, which is
also its lease; `feed:bell` is the doorbell channel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.errors import InvalidInput, LogError
from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import FIELD, START, Entry, EntryId, parse_entry

Command = tuple[str | int, ...]
_META = ("epoch", "base_ms", "seq", "ms", "bot", "owner")


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """The names of the feed's keys and channel under a prefix."""

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
class PollerHeartbeat:
    """The poller's report about itself: how fresh its data is, and its lease. All times are unix ms.

    It is stored under the key `poller` and sent through the doorbell. Do not confuse it with the `heartbeat` event of
    the SSE stream: each stream session writes that one itself, in part from the content of this one.
    """

    owner: str
    """A random id of the poller's process."""
    at: int
    """When the heartbeat was built."""
    fresh_for: int
    """Milliseconds after `at` until a reader must call the poller stale."""
    bot_ok_at: int | None
    """The last time the bot answered."""
    bot: dict[str, Any] | None
    """The data of the `bot_status` entry published last."""
    until: int = 0
    """When the poller's minute ends. Other pollers do not poll before."""

    def text(self) -> str:
        """The JSON text that `parse` reads."""
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

    def precedes(self, other: PollerHeartbeat) -> bool:
        """Whether this poller goes on when two work at the same time: the one whose minute ends first does."""
        return (self.until, self.owner) < (other.until, other.owner)

    @classmethod
    def parse(cls, text: str | None) -> PollerHeartbeat | None:
        """None for a missing or malformed text: a reader must survive both."""
        try:
            body = json.loads(text or "")
            return cls(
                owner=str(body["owner"]),
                at=int(body["at"]),
                fresh_for=int(body["fresh_for"]),
                bot_ok_at=None if body["bot_ok_at"] is None else int(body["bot_ok_at"]),
                bot=None if body["bot"] is None else dict(body["bot"]),
                until=int(body.get("until", 0)),  # earlier releases did not write it
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Fence:
    """Publish only where the stored fence is one of `accepted`, and store `token` in its place.

    It stops a publisher that worked from a checkpoint which another publisher has replaced since. Each call has a
    token of its own, which is never used for other contents. A call whose reply was lost may have been executed, so
    its token is accepted as well as the last confirmed one.
    """

    accepted: tuple[str, ...]
    token: str


@dataclass(frozen=True, slots=True)
class FeedState:
    """The log and the poller's heartbeat, read in one transaction."""

    reading: Reading
    heartbeat: PollerHeartbeat | None
    """None where it has expired or cannot be read."""
    bot: dict[str, Any] | None
    """The data of the `bot_status` entry published last, from `feed:meta`."""
    owner: str | None = None
    """The label of the identity that the log belongs to; None where a release without owners wrote it."""


def read_commands(keys: FeedKeys, after: EntryId, count: int) -> tuple[Command, ...]:
    """One transaction: meta, the poller's heartbeat, and up to `count` entries behind `after`.

    The entry `after` itself is read too: that it is still there proves that the history is the reader's own.
    """
    start = "-" if after == START else str(after)
    return (
        ("HMGET", keys.meta, *_META),
        ("GET", keys.poller),
        ("XRANGE", keys.stream, start, "+", "COUNT", count + 1),
    )


def latest_commands(keys: FeedKeys, count: int) -> tuple[Command, ...]:
    """One transaction like `read_commands`, but with the newest `count` entries, newest first."""
    return (
        ("HMGET", keys.meta, *_META),
        ("GET", keys.poller),
        ("XREVRANGE", keys.stream, "+", "-", "COUNT", count),
    )


def parse_state(replies: Sequence[Any], *, newest_first: bool = False) -> FeedState:
    """The state from the transaction's replies. Raises LogError where they are not in the feed's form."""
    try:
        (epoch, base_ms, seq, ms, bot, owner), heartbeat, rows = replies
        entries = tuple(parse_entry(row[0], _field(row[1])) for row in rows or ())
        reading = Reading(
            epoch=epoch,
            base_ms=int(base_ms or 0),
            head=EntryId(int(ms or 0), int(seq or 0)),
            entries=entries[::-1] if newest_first else entries,
        )
        return FeedState(reading, PollerHeartbeat.parse(heartbeat), json.loads(bot) if bot else None, owner)
    except (ValueError, TypeError, IndexError) as error:
        raise LogError(f"the feed's keys do not hold what the feed writes: {error}") from error


def _field(flat: Sequence[str]) -> str:
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name == FIELD:
            return value
    raise LogError(f"feed entry without field {FIELD!r}")


@dataclass(frozen=True, slots=True)
class Notification:
    """One message of the doorbell: published entries, or a poller's heartbeat. It is a hint, the log is the truth."""

    epoch: str | None
    """None in the heartbeat of a poller that does not know the log's epoch yet."""
    previous: EntryId | None
    """The id before the first published entry. A reader whose newest entry has another id missed a notification."""
    last: EntryId | None
    """The log's newest entry."""
    entries: tuple[Entry, ...] | None
    """The published entries; None for a heartbeat, and where they are too large to be sent with the notification."""
    heartbeat: PollerHeartbeat | None


def encode_heartbeat(heartbeat: PollerHeartbeat, known: tuple[str, EntryId] | None = None) -> str:
    """A heartbeat as a doorbell message. `known` is the log's epoch and newest entry.

    With `known` a reader notices during quiet times that it missed the notification of an entry.
    """
    body: dict[str, str] = {"r": heartbeat.text()}
    if known is not None:
        body |= {"e": known[0], "l": str(known[1])}
    return json.dumps(body, separators=(",", ":"))


def parse_notification(text: str) -> Notification | None:
    """The notification in a doorbell message; None for a malformed one, after which the reader reads the log."""
    try:
        body = json.loads(text)
        if "r" in body:
            last = EntryId.parse(body["l"]) if "l" in body else None
            epoch = str(body["e"]) if "e" in body else None
            return Notification(epoch, None, last, None, PollerHeartbeat.parse(body["r"]))
        first, count = EntryId.parse(f"{body['m']}-{body['s']}"), int(body["n"])
        previous, values = EntryId.parse(body["p"]), body.get("d")
        if count < 1 or (values is not None and len(values) != count):
            return None
        if first.seq != previous.seq + 1 or first.ms < previous.ms:
            return None
        entries = tuple(
            parse_entry(f"{first.ms}-{first.seq + index}", json.dumps(value))
            for index, value in enumerate(values or ())
        )
        last = EntryId(first.ms, first.seq + count - 1)
        return Notification(str(body["e"]), previous, last, entries or None, None)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, LogError, InvalidInput):
        return None
