"""What the poller remembers of the bot between two ticks, and how that is stored beside the log. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coliseum.errors import LogError

VERSION = 1
REMEMBERED_TRADES = 300
"""Three times the length of the bot's list, so that an outdated list is still recognised."""
OPEN_GAPS_MAX = 5
"""Gaps that wait for the exchange at the same time, such as of a bot that restarts again and again."""
GAP_NEIGHBOURS = 10
"""Trades on each side of a gap by whose fills the exchange's own times of that side are found."""


@dataclass(frozen=True, slots=True)
class KnownTrade:
    """One trade as it was reported last."""

    digest: str
    """Empty where only the exchange reported the trade so far: its details differ from the bot's."""
    executed_at: float
    """Unix seconds by the clock of the trade's source; 0 for a row of the bot's list that was rejected. It is only
    ever compared for equality, to tell two trades of one id apart."""
    from_earlier_run: bool = False
    """Reported by an earlier run of the bot. The current run may have used the same id again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceGap:
    """Trades that the bot no longer reports, because its list overflowed or because it restarted.

    `from_ms` and `to_ms` are times of our clock: when the bot answered last before, and when the gap was found.
    """

    reason: str
    """`overflow` or `restart`."""
    key: str
    """Equal for every observation of the same gap."""
    from_ms: int
    to_ms: int
    lost: int | None
    """Exactly how many trades are missing; None where neither the bot's count nor the exchange's fills prove it."""
    at_least: int = 0
    """How many trades are certainly missing where `lost` is None."""
    backfilled: int = 0
    """How many trades the exchange has supplied so far. `lost` does not include them."""
    before_ids: tuple[str, ...] = ()
    """The newest trades that the bot reported before the gap. No missing trade is older than they are."""
    after_ids: tuple[str, ...] = ()
    """The oldest trades of the list behind the gap. No missing trade is newer than they are."""

    @property
    def is_whole(self) -> bool:
        """Whether the time in which trades may be missing is known: it is not where our own clock went back."""
        return self.from_ms < self.to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the poller knows of the bot after a tick.

    It is stored by the same publish call that adds the trades it includes, so the log always has what it claims.
    """

    run: str
    """The bot's run: the start time that the bot reports, or our own `~<ms>` where it reports none."""
    trade_count: int | None
    """Trades of this run up to the newest in the list; None until that is certain."""
    list_length: int
    """Length of the bot's last list, and how many trades it has pushed since."""
    known: Mapping[str, KnownTrade] = field(hash=False)
    """By trade id, oldest first. A rejected row has a key that starts with `!`."""
    answered_ms: int | None
    """The last time the bot answered; None before the first time."""
    status: dict[str, Any] | None = field(default=None, hash=False)
    """The data of the `bot_status` entry published last."""
    gaps: tuple[SourceGap, ...] = ()
    """Gaps that were announced, but that the exchange has not yet given a final answer about, oldest first."""
    oldest_first: bool | None = None
    """Whether the bot's list begins with its oldest trade; None until a new trade beside known ones has shown it."""
    poll_id: str = ""
    """Names the poller's publication that stored it last. A push keeps it, so it shows that only pushes followed."""
    pushed_ms: int | None = None
    """When trades that the bot pushed were published last; None where it never pushed any."""


EMPTY_CHECKPOINT = Checkpoint(run="", trade_count=None, list_length=0, known={}, answered_ms=None)
"""Before the first contact with the bot."""

# Keys of the stored JSON that differ from the field's name. They stay, because a new release must read the checkpoint
# of an earlier one:
#
#   count     Checkpoint.trade_count
#   listed    Checkpoint.list_length
#   ok_ms     Checkpoint.answered_ms
#   hole      the newest of Checkpoint.gaps
#
# `known` is a list of [trade id, digest, executed_at], with a fourth item 1 where `from_earlier_run` is true.
# `hole` has exactly the keys that earlier releases read. What came later stands beside it, where they ignore it:
#
#   hole_ids      SourceGap.before_ids and SourceGap.after_ids, two lists
#   earlier_holes the other gaps, each as a list of what `hole` holds and what `hole_ids` holds
#   oldest_first  Checkpoint.oldest_first; missing where it is None
#   poll_id       Checkpoint.poll_id; missing where it is empty
#   pushed_ms     Checkpoint.pushed_ms; missing where it is None
_GAP_KEYS = ("reason", "key", "from_ms", "to_ms", "lost", "at_least", "backfilled")


def with_gap(checkpoint: Checkpoint, gap: SourceGap, *, final: bool) -> Checkpoint:
    """The checkpoint with this version of a gap: among the open ones, or without it where its answer is `final`."""
    gaps = [gap if one.key == gap.key else one for one in checkpoint.gaps]
    if gap not in gaps:
        gaps.append(gap)
    if final:
        gaps.remove(gap)
    return replace(checkpoint, gaps=tuple(gaps[-OPEN_GAPS_MAX:]))


def reported_ids(known: Mapping[str, KnownTrade]) -> tuple[str, ...]:
    """The ids of the trades that the bot itself reported, oldest first."""
    return tuple(trade_id for trade_id, trade in known.items() if trade.digest and not trade_id.startswith("!"))


def supplied_since_list(known: Mapping[str, KnownTrade]) -> int:
    """How many trades only the exchange reported after the bot's last list. Those stand last."""
    count = 0
    for trade in reversed(tuple(known.values())):
        if trade.digest:
            break
        count += 1
    return count


def keep_newest(known: Mapping[str, KnownTrade], *, at_least: int = 0) -> dict[str, KnownTrade]:
    """The newest `REMEMBERED_TRADES` of `known`, or `at_least` so many: never fewer than the bot's own list has."""
    excess = len(known) - max(REMEMBERED_TRADES, at_least)
    return dict(list(known.items())[max(0, excess) :])


def last_list_ids(checkpoint: Checkpoint) -> set[str]:
    """The ids of the trades in the bot's last list, as far as they are known. `compare` keeps them newest."""
    # A trade without a digest was reported by the exchange, after the list.
    reported = [trade_id for trade_id, trade in checkpoint.known.items() if trade.digest]
    newest = reported[max(0, len(reported) - checkpoint.list_length) :]
    return {trade_id for trade_id in newest if not trade_id.startswith("!")}


def forget_trades(checkpoint: Checkpoint, trade_ids: Collection[str]) -> Checkpoint:
    """The checkpoint as if the trades with these ids had not been reported yet. Everything else stays."""
    forgotten = [trade for trade_id, trade in checkpoint.known.items() if trade_id in trade_ids]
    known = {trade_id: trade for trade_id, trade in checkpoint.known.items() if trade_id not in trade_ids}
    count = checkpoint.trade_count
    if count is not None:
        # The bot counts only what it reported itself in this run. With the full count, the same list would look like a
        # list that pushed other trades out.
        count -= sum(bool(trade.digest) and not trade.from_earlier_run for trade in forgotten)
    return replace(checkpoint, known=known, trade_count=count)


def encode(checkpoint: Checkpoint) -> str:
    """The checkpoint as one compact line of JSON: about 60 bytes for each remembered trade."""
    encoded = [_encode_gap(gap) for gap in checkpoint.gaps]
    hole, hole_ids = encoded[-1] if encoded else (None, None)
    later: dict[str, Any] = {} if hole is None else {"hole_ids": hole_ids}
    if len(encoded) > 1:
        later["earlier_holes"] = encoded[:-1]
    if checkpoint.oldest_first is not None:
        later["oldest_first"] = checkpoint.oldest_first
    if checkpoint.poll_id:
        later["poll_id"] = checkpoint.poll_id
    if checkpoint.pushed_ms is not None:
        later["pushed_ms"] = checkpoint.pushed_ms
    return json.dumps(
        {
            "version": VERSION,
            "run": checkpoint.run,
            "count": checkpoint.trade_count,
            "listed": checkpoint.list_length,
            "known": [
                [trade_id, trade.digest, trade.executed_at, *[1] * trade.from_earlier_run]
                for trade_id, trade in checkpoint.known.items()
            ],
            "ok_ms": checkpoint.answered_ms,
            "status": checkpoint.status,
            "hole": hole,
            **later,
        },
        separators=(",", ":"),
    )


def decode(text: str) -> Checkpoint:
    """The checkpoint in a stored text. Raises LogError for any text that `encode` of this version did not write."""
    try:
        body = json.loads(text)
        if body["version"] != VERSION:
            raise LogError(f"checkpoint of version {body['version']!r}, expected {VERSION}")
        return Checkpoint(
            run=str(body["run"]),
            trade_count=None if body["count"] is None else int(body["count"]),
            list_length=int(body["listed"]),
            known={
                str(trade_id): KnownTrade(str(digest), float(executed_at), from_earlier_run=bool(mark))
                for trade_id, digest, executed_at, *mark in body["known"]
            },
            answered_ms=None if body["ok_ms"] is None else int(body["ok_ms"]),
            status=None if body["status"] is None else dict(body["status"]),
            gaps=_decode_gaps(body),
            oldest_first=body.get("oldest_first"),
            poll_id=str(body.get("poll_id", "")),
            pushed_ms=None if body.get("pushed_ms") is None else int(body["pushed_ms"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise LogError(f"checkpoint cannot be read: {type(error).__name__}: {error}") from error


def _encode_gap(gap: SourceGap) -> tuple[dict[str, Any], list[tuple[str, ...]]]:
    return {name: getattr(gap, name) for name in _GAP_KEYS}, [gap.before_ids, gap.after_ids]


def _decode_gaps(body: dict[str, Any]) -> tuple[SourceGap, ...]:
    if body["hole"] is None:
        return ()
    newest = _decode_gap(body["hole"], body.get("hole_ids") or ((), ()))
    return (*(_decode_gap(stored, ids) for stored, ids in body.get("earlier_holes", ())), newest)


def _decode_gap(stored: dict[str, Any], ids: Sequence[Sequence[str]]) -> SourceGap:
    before, after = ids
    fields = {name: stored[name] for name in _GAP_KEYS if name in stored}
    return SourceGap(**fields, before_ids=tuple(map(str, before)), after_ids=tuple(map(str, after)))
