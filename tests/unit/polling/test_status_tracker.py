"""When the bot's status is published, and when it is asked for its mode."""

from __future__ import annotations

from typing import Any

from coliseum.bot.parse import BotStatus, status_from
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint
from coliseum.polling.publications import Publication
from coliseum.polling.status_tracker import StatusTracker

NOW = 1_700_000_000_000
PAPER = status_from(b'{"mode": "paper"}')
LIVE = status_from(b'{"mode": "live"}')


class TrackedBot:
    """A bot that answers each time, with its tracker and what is remembered of it."""

    def __init__(self, reported: BotStatus | None = PAPER) -> None:
        self.reported = reported
        self.tracker = StatusTracker()
        self.memory: Checkpoint = EMPTY_CHECKPOINT
        self.requests = 0

    def _ask(self) -> BotStatus | None:
        self.requests += 1
        return self.reported

    def _published(self, publication: Publication) -> list[Any]:
        self.memory = publication.checkpoint
        return [(entry.data["status"], entry.data["mode"]) for entry in publication.entries]

    def answers(self, *, now_ms: int = NOW) -> list[Any]:
        return self._published(
            self.tracker.poll_succeeded(self.memory, now_ms=now_ms, trade_count=1, ask_bot=self._ask)
        )

    def fails(self) -> list[Any]:
        return self._published(self.tracker.poll_failed(self.memory, now_ms=NOW, problem="timed out"))


def test_a_bot_that_answers_for_the_first_time_is_announced_once() -> None:
    bot = TrackedBot()

    assert bot.answers() == [("online", "paper")]
    assert bot.answers() == []
    assert bot.requests == 1


def test_a_bot_is_offline_after_two_failed_polls_and_announced_when_it_is_back() -> None:
    bot = TrackedBot()
    bot.answers()

    assert (bot.fails(), bot.tracker.offline) == ([], False)
    assert (bot.fails(), bot.tracker.offline) == ([("offline", "paper")], True)
    assert (bot.answers(), bot.tracker.offline) == ([("online", "paper")], False)


def test_an_answer_between_two_failures_keeps_the_bot_online() -> None:
    bot = TrackedBot()
    bot.answers()
    bot.fails()
    bot.answers()

    assert bot.fails() == []


def test_a_confirmed_mode_changes_the_stored_status_without_an_entry() -> None:
    bot = TrackedBot()
    bot.answers()
    bot.tracker.confirm_mode_soon()

    assert bot.answers(now_ms=NOW + 60_000) == []
    assert bot.memory.status is not None
    assert bot.memory.status["mode_as_of"] == "2023-11-14T22:14:20.000Z"
    assert bot.requests == 2


def test_a_changed_mode_is_published_at_once() -> None:
    bot = TrackedBot()
    bot.answers()
    bot.reported = LIVE
    bot.tracker.confirm_mode_soon()

    assert bot.answers() == [("online", "live")]


def test_a_bot_that_does_not_report_its_mode_keeps_the_last_one() -> None:
    bot = TrackedBot()
    bot.answers()
    bot.reported = None
    bot.tracker.confirm_mode_soon()

    assert bot.answers() == []
    assert bot.memory.status is not None
    assert bot.memory.status["mode"] == "paper"
