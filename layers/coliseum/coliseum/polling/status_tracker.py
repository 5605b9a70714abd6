"""Follows whether the bot answers and in which mode it trades, and says what to publish about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from coliseum.bot.parse import BotStatus
from coliseum.polling.checkpoint import Checkpoint
from coliseum.polling.publications import Publication, status_publication
from coliseum.polling.status import (
    FailedPolls,
    clock_mark,
    confirm_mode,
    is_online,
    offline_status,
    online_status,
)
from coliseum.trading.modes import mode_warning

FILLS_REMEMBERED_MS = 3_600_000
"""How long after its newest fill an account counts as traded."""


class StatusTracker:
    """Failed polls in a row, and whether the bot's mode has to be asked for.

    Invariants: a `bot_status` entry is published only when the status, the mode or a mark changes. The mode is asked
    for when the bot comes online, once in each minute, and after each restart: paper trades must not be taken for real
    ones. A clock that is ahead is announced once in each run of the bot; what grows later changes only the stored
    status.
    """

    def __init__(self, exchange_name: str | None = None) -> None:
        """`exchange_name` says with which exchange the bot's mode is compared; None compares with none."""
        self._exchange_name = exchange_name
        self._failed = FailedPolls()
        self._must_confirm_mode = True
        self._filled_ms: int | None = None

    @property
    def failing(self) -> bool:
        """Whether the last poll failed."""
        return self._failed.count > 0

    @property
    def offline(self) -> bool:
        """Whether the bot counts as offline."""
        return self._failed.offline

    def confirm_mode_soon(self) -> None:
        """Ask for the mode at the next answer of the bot."""
        self._must_confirm_mode = True

    def count_failure(self, now_ms: int) -> None:
        """The bot did not answer, or said that it is not alive. Called once for each such poll."""
        self._failed = self._failed.plus_one(now_ms)

    def poll_failed(self, memory: Checkpoint, *, problem: str) -> Publication:
        """What a failed poll changes, after `count_failure`."""
        return status_publication(memory, offline_status(memory.status, self._failed, problem=problem))

    def poll_succeeded(
        self, memory: Checkpoint, *, now_ms: int, trade_count: int, ask_bot: Callable[[], BotStatus | None]
    ) -> Publication:
        """The bot answered. `ask_bot` requests how it describes itself, where that is needed."""
        self._failed = FailedPolls()
        before = memory.status
        publication = Publication((), memory)
        if before is None or not is_online(before):
            publication = _announce_online(memory, ask_bot(), now_ms=now_ms, trade_count=trade_count)
        elif self._must_confirm_mode and (reported := ask_bot()) is not None:
            confirmed = confirm_mode(before, reported, now_ms=now_ms, trades=trade_count)
            if confirmed is None:
                publication = _announce_online(memory, reported, now_ms=now_ms, trade_count=trade_count)
            else:  # the same mode as before: its time changes, but that is no news
                publication = Publication((), replace(memory, status=confirmed))
        self._must_confirm_mode = False
        return self._with_warning(publication, now_ms=now_ms)

    def clock_seen(self, memory: Checkpoint, *, now_ms: int, ahead_seconds: float | None, new_run: bool) -> Publication:
        """A list of the bot showed its clock `ahead_seconds` ahead of ours; None where it showed no difference."""
        before = None if memory.status is None else memory.status.get("clock_ahead_seconds")
        ahead = clock_mark(before, ahead_seconds, new_run=new_run)
        is_news = (ahead is None) != (before is None) or (new_run and ahead is not None)
        return _marked(memory, {"clock_ahead_seconds": ahead}, now_ms=now_ms, is_news=is_news)

    def fills_checked(
        self, memory: Checkpoint, *, now_ms: int, unconfirmed: int | None, newest_fill_ms: int | None
    ) -> Publication:
        """The account's fills were read: so many trades of the bot have none, and when its newest fill was."""
        if newest_fill_ms is not None:
            self._filled_ms = max(newest_fill_ms, self._filled_ms or 0)
        before = None if memory.status is None else memory.status.get("unconfirmed")
        publication = _marked(memory, {"unconfirmed": unconfirmed}, now_ms=now_ms, is_news=before != unconfirmed)
        return self._with_warning(publication, now_ms=now_ms)

    def _with_warning(self, publication: Publication, *, now_ms: int) -> Publication:
        """The publication with the warning that belongs to the status in it."""
        status = publication.checkpoint.status
        if status is None:
            return publication
        has_fills = self._filled_ms is not None and now_ms - self._filled_ms <= FILLS_REMEMBERED_MS
        warning = mode_warning(status.get("mode"), exchange=self._exchange_name, has_fills=has_fills)
        if warning == status.get("mode_warning"):
            return publication
        if publication.entries:
            warned = {**status, "mode_warning": warning}
            entries = tuple(replace(entry, data=warned) for entry in publication.entries)
            return Publication(entries, replace(publication.checkpoint, status=warned))
        return _marked(publication.checkpoint, {"mode_warning": warning}, now_ms=now_ms, is_news=True)


def _marked(memory: Checkpoint, marks: dict[str, Any], *, now_ms: int, is_news: bool) -> Publication:
    """The status with other marks, as an entry where that `is_news`. A bot without a status has no marks either."""
    if memory.status is None:
        return Publication((), memory)
    status = {**memory.status, **marks}
    if is_news and status != memory.status:  # two runs may be ahead by the same time
        return status_publication(memory, status, marked_ms=now_ms)
    return Publication((), replace(memory, status=status))


def _announce_online(memory: Checkpoint, reported: BotStatus | None, *, now_ms: int, trade_count: int) -> Publication:
    status = online_status(now_ms=now_ms, trades=trade_count, reported=reported, before=memory.status)
    return status_publication(memory, status)
