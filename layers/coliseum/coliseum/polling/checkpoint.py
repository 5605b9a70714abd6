"""What the poller remembers of the bot between two ticks, and its text beside the log. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from coliseum.errors import LogError

VERSION = 1
REMEMBERED_TRADES = 300
"""Trades remembered: three times the bot's list, so that a list served late is still recognised."""


@dataclass(frozen=True, slots=True)
class KnownTrade:
    """One trade as it was last reported."""

    digest: str
    """Empty where only the exchange reported it so far: its wording is not the bot's."""
    at: float
    """Execution time, unix seconds; 0 for a report that was refused."""
    past: bool = False
    """Told by an earlier run of the bot, whose ids may have begun again since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceGap:
    """Trades that the bot can no longer tell: after its list overflowed, or after it began anew."""

    reason: str
    """`overflow` or `restart`."""
    key: str
    """The same for every sight of the same happening."""
    from_ms: int
    to_ms: int
    told_ms: int = 0
    """Execution time of the newest trade the bot told before; older ones it would have told, too."""
    lost: int | None
    """Exactly how many trades are missing; None where the bot's own count does not tell."""
    at_least: int = 0
    """What is certain where `lost` is None."""
    backfilled: int = 0
    """Trades the exchange has stood in for so far; they are not in `lost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The poller's knowledge after a tick. Stored by the publish that makes it true."""

    run: str
    """The bot's run: its start time as it tells it, or our own `~<ms>` where it does not."""
    count: int | None
    """Trades of this run up to the list's newest; None until that is certain."""
    listed: int
    """Length of the bot's last list."""
    known: Mapping[str, KnownTrade] = field(hash=False)
    """By trade id, oldest first."""
    ok_ms: int | None
    """The last time the bot answered."""
    status: dict[str, Any] | None = field(default=None, hash=False)
    """The `bot_status` data last published."""
    hole: SourceGap | None = None
    """A hole announced, but not yet looked up on the exchange with success."""


EMPTY_CHECKPOINT = Checkpoint(run="", count=None, listed=0, known={}, ok_ms=None)
"""Before the first contact."""


def newest_reported_ms(known: Mapping[str, KnownTrade]) -> int:
    """Execution time of the newest trade that the bot itself told, in unix ms; 0 where it told none."""
    return int(max((one.at for one in known.values() if one.digest), default=0.0) * 1000)


def keep_newest(known: Mapping[str, KnownTrade], *, at_least: int = 0) -> dict[str, KnownTrade]:
    """What is remembered of `known`: as much as memory holds, and never fewer than the bot's own list."""
    excess = len(known) - max(REMEMBERED_TRADES, at_least)
    return dict(list(known.items())[max(0, excess) :])


def encode(checkpoint: Checkpoint) -> str:
    """One compact line: about 60 bytes per remembered trade."""
    hole = checkpoint.hole
    return json.dumps(
        {
            "version": VERSION,
            "run": checkpoint.run,
            "count": checkpoint.count,
            "listed": checkpoint.listed,
            "known": [[trade_id, one.digest, one.at, *[1] * one.past] for trade_id, one in checkpoint.known.items()],
            "ok_ms": checkpoint.ok_ms,
            "status": checkpoint.status,
            "hole": None if hole is None else asdict(hole),
        },
        separators=(",", ":"),
    )


def decode(text: str) -> Checkpoint:
    """Raises LogError for anything this version did not write."""
    try:
        body = json.loads(text)
        if body["version"] != VERSION:
            raise LogError(f"checkpoint of version {body['version']!r}, expected {VERSION}")
        hole = body["hole"]
        return Checkpoint(
            run=str(body["run"]),
            count=None if body["count"] is None else int(body["count"]),
            listed=int(body["listed"]),
            known={
                str(trade_id): KnownTrade(str(digest), float(at), past=bool(past))
                for trade_id, digest, at, *past in body["known"]
            },
            ok_ms=None if body["ok_ms"] is None else int(body["ok_ms"]),
            status=None if body["status"] is None else dict(body["status"]),
            hole=None if hole is None else SourceGap(**hole),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LogError(f"checkpoint is not ours: {type(error).__name__}: {error}") from error
