"""What the poller remembers of the bot between two ticks, and how that is stored beside the log. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from coliseum.errors import LogError

VERSION = 1
REMEMBERED_TRADES = 300
"""Three times the length of the bot's list, so that an outdated list is still recognised."""


@dataclass(frozen=True, slots=True)
class KnownTrade:
    """One trade as it was reported last."""

    digest: str
    """Empty where only the exchange reported the trade so far: its details differ from the bot's."""
    executed_at: float
    """Unix seconds; 0 for a row of the bot's list that was rejected."""
    from_earlier_run: bool = False
    """Reported by an earlier run of the bot. The current run may have used the same id again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceGap:
    """Trades that the bot no longer reports, because its list overflowed or because it restarted."""

    reason: str
    """`overflow` or `restart`."""
    key: str
    """Equal for every observation of the same gap."""
    from_ms: int
    to_ms: int
    newest_reported_ms: int = 0
    """Execution time of the newest trade that the bot reported before the gap. No missing trade is older."""
    lost: int | None
    """Exactly how many trades are missing; None where the bot's own count does not say."""
    at_least: int = 0
    """How many trades are certainly missing where `lost` is None."""
    backfilled: int = 0
    """How many trades the exchange has supplied so far. `lost` does not include them."""


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
    """Length of the bot's last list."""
    known: Mapping[str, KnownTrade] = field(hash=False)
    """By trade id, oldest first. A rejected row has a key that starts with `!`."""
    answered_ms: int | None
    """The last time the bot answered; None before the first time."""
    status: dict[str, Any] | None = field(default=None, hash=False)
    """The data of the `bot_status` entry published last."""
    gap: SourceGap | None = None
    """A gap that was announced, but that the exchange has not yet given a final answer about."""


EMPTY_CHECKPOINT = Checkpoint(run="", trade_count=None, list_length=0, known={}, answered_ms=None)
"""Before the first contact with the bot."""

# Keys of the stored JSON that differ from the field's name. They stay, because a new release must read the checkpoint
# of an earlier one:
#
#   count     Checkpoint.trade_count
#   listed    Checkpoint.list_length
#   ok_ms     Checkpoint.answered_ms
#   hole      Checkpoint.gap
#   told_ms   SourceGap.newest_reported_ms, inside `hole`
#
# `known` is a list of [trade id, digest, executed_at], with a fourth item 1 where `from_earlier_run` is true.
_STORED_GAP_KEYS = {"newest_reported_ms": "told_ms"}


def newest_reported_ms(known: Mapping[str, KnownTrade]) -> int:
    """Execution time of the newest trade that the bot itself reported, in unix ms; 0 where there is none."""
    return int(max((trade.executed_at for trade in known.values() if trade.digest), default=0.0) * 1000)


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
            "hole": None if checkpoint.gap is None else _encode_gap(checkpoint.gap),
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
            gap=None if body["hole"] is None else _decode_gap(body["hole"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise LogError(f"checkpoint cannot be read: {type(error).__name__}: {error}") from error


def _encode_gap(gap: SourceGap) -> dict[str, Any]:
    return {_STORED_GAP_KEYS.get(name, name): value for name, value in asdict(gap).items()}


def _decode_gap(stored: dict[str, Any]) -> SourceGap:
    names = {stored_name: name for name, stored_name in _STORED_GAP_KEYS.items()}
    return SourceGap(**{names.get(stored_name, stored_name): value for stored_name, value in stored.items()})
