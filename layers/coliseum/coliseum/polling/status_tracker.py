"""Follows whether the bot answers and in which mode it trades, and says what to publish about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from coliseum.bot.parse import BotStatus
from coliseum.polling.checkpoint import Checkpoint
from coliseum.polling.publications import Publication, status_publication
from coliseum.polling.status import FailedPolls, confirm_mode, is_online, offline_status, online_status


class StatusTracker:
    """Failed polls in a row, and whether the bot's mode has to be asked for.

    Invariants: a `bot_status` entry is published only when the status or the mode changes. The mode is asked for when
    the bot comes online, once in each minute, and after each restart: paper trades must not be taken for real ones.
    """

    def __init__(self) -> None:
        self._failed = FailedPolls()
        self._must_confirm_mode = True

    @property
    def offline(self) -> bool:
        """Whether the bot counts as offline."""
        return self._failed.offline

    def confirm_mode_soon(self) -> None:
        """Ask for the mode at the next answer of the bot."""
        self._must_confirm_mode = True

    def poll_failed(self, memory: Checkpoint, *, now_ms: int, problem: str) -> Publication:
        """The bot did not answer, or said that it is not alive."""
        self._failed = self._failed.plus_one(now_ms)
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
        return publication


def _announce_online(memory: Checkpoint, reported: BotStatus | None, *, now_ms: int, trade_count: int) -> Publication:
    status = online_status(now_ms=now_ms, trades=trade_count, reported=reported, before=memory.status)
    return status_publication(memory, status)
