"""Whether the bot is online, and the `bot_status` data that says so. Pure.

One failed poll changes nothing; two in a row make the bot offline, since the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coliseum.bot.parse import BotStatus
from coliseum.feed.timestamps import rfc3339

OFFLINE_AFTER_FAILURES = 2
"""Failed polls in a row until the bot counts as offline."""


@dataclass(frozen=True, slots=True)
class FailedPolls:
    """Polls that failed since the bot last answered."""

    count: int = 0
    since_ms: int = 0
    """When the first of them failed."""

    def plus_one(self, now_ms: int) -> FailedPolls:
        """With one more, which failed at `now_ms`."""
        return FailedPolls(self.count + 1, self.since_ms if self.count else now_ms)

    @property
    def offline(self) -> bool:
        """Whether there are so many that the bot counts as offline."""
        return self.count >= OFFLINE_AFTER_FAILURES


def is_online(status: dict[str, Any] | None) -> bool:
    """Whether the status published last says that the bot is online."""
    return status is not None and status["status"] == "online"


def online_status(
    *, now_ms: int, trades: int | None, reported: BotStatus | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    """The status of a bot that answers. `trades` counts the trades of its run.

    Where the bot did not report its own status (`reported` is None), the mode of the status `before` stays.
    """
    details = [] if reported is None else [detail for detail in (reported.mode, reported.strategy) if detail]
    status = {"status": "online", "since": rfc3339(now_ms), "trades": trades, "detail": ", ".join(details) or None}
    mode = _last_mode(before) if reported is None else _current_mode(reported, now_ms)
    return {**status, **mode, **_marks(before)}


def confirm_mode(before: dict[str, Any], reported: BotStatus, *, now_ms: int, trades: int) -> dict[str, Any] | None:
    """The status `before` with the mode confirmed at `now_ms`; None where the mode changed.

    Readers must be informed of a changed mode, because paper trades must not be taken for real ones.
    """
    now = online_status(now_ms=now_ms, trades=trades, reported=reported, before=before)
    return {**now, "since": before["since"]} if before.get("mode") == reported.mode else None


def offline_status(before: dict[str, Any] | None, failed: FailedPolls, *, problem: str) -> dict[str, Any] | None:
    """The status to publish after a failed poll; None while the bot may still answer, or is known to be offline."""
    if not failed.offline or (before is not None and not is_online(before)):
        return None
    trades = None if before is None else before["trades"]
    status = {"status": "offline", "since": rfc3339(failed.since_ms), "trades": trades, "detail": problem}
    return {**status, **_last_mode(before), **_marks(before)}


def _current_mode(reported: BotStatus, now_ms: int) -> dict[str, Any]:
    """Paper or live, and when the bot reported it."""
    return {"mode": reported.mode, "mode_as_of": None if reported.mode is None else rfc3339(now_ms)}


MARKS = ("mode_warning", "clock_ahead_seconds", "unconfirmed")
"""Fields of a status that say what is wrong with the bot. They outlast a change between online and offline."""


def _marks(before: dict[str, Any] | None) -> dict[str, Any]:
    """The marks of an earlier status. Earlier releases stored none."""
    return {name: (before or {}).get(name) for name in MARKS}


def clock_mark(before: float | None, seen: float | None, *, new_run: bool) -> float | None:
    """The largest difference that was seen in this run of the bot, in seconds; None where its clock was never ahead."""
    values = [value for value in (None if new_run else before, seen) if value is not None]
    return max(values, default=None)


def _last_mode(before: dict[str, Any] | None) -> dict[str, Any]:
    """The mode in an earlier status. Earlier releases did not store one."""
    status = before or {}
    return {"mode": status.get("mode"), "mode_as_of": status.get("mode_as_of")}
