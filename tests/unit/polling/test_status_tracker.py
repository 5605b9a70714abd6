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
        self.tracker.count_failure(NOW)
        return self._published(self.tracker.poll_failed(self.memory, problem="timed out"))


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


def clock(bot: TrackedBot, ahead: float | None, *, new_run: bool = False) -> list[Any]:
    publication = bot.tracker.clock_seen(bot.memory, now_ms=NOW, ahead_seconds=ahead, new_run=new_run)
    bot.memory = publication.checkpoint
    return [entry.data["clock_ahead_seconds"] for entry in publication.entries]


def test_a_clock_that_is_ahead_is_announced_once_in_each_run() -> None:
    """SSE-036"""
    bot = TrackedBot()
    bot.answers()

    assert clock(bot, None) == []
    assert clock(bot, 20.0) == [20.0]
    assert clock(bot, 50.0) == []
    assert clock(bot, None) == []
    assert bot.memory.status is not None
    assert bot.memory.status["clock_ahead_seconds"] == 50.0
    assert clock(bot, 30.0, new_run=True) == [30.0]
    assert clock(bot, None, new_run=True) == [None]
    assert clock(bot, None, new_run=True) == []


def fills(
    bot: TrackedBot, unconfirmed: int | None, *, newest_fill_ms: int | None = None, now_ms: int = NOW
) -> list[Any]:
    publication = bot.tracker.fills_checked(
        bot.memory, now_ms=now_ms, unconfirmed=unconfirmed, newest_fill_ms=newest_fill_ms
    )
    bot.memory = publication.checkpoint
    return [(entry.data["unconfirmed"], entry.data["mode_warning"]) for entry in publication.entries]


def test_another_number_of_unconfirmed_trades_is_published() -> None:
    """SSE-037"""
    bot = TrackedBot(LIVE)
    bot.answers()

    assert fills(bot, 2) == [(2, None)]
    assert fills(bot, 2) == []
    assert fills(bot, 0, now_ms=NOW + 60_000) == [(0, None)]


def test_a_live_bot_on_the_sandbox_is_warned_of_as_soon_as_it_says_so() -> None:
    """SSE-037"""
    bot = TrackedBot(LIVE)
    bot.tracker = StatusTracker("sandbox")
    bot.answers()
    assert bot.memory.status is not None
    assert "sandbox" in bot.memory.status["mode_warning"]

    bot.reported = PAPER
    bot.tracker.confirm_mode_soon()
    assert bot.answers() == [("online", "paper")]
    assert bot.memory.status["mode_warning"] is None


def test_fills_of_a_bot_on_paper_are_warned_of_for_an_hour() -> None:
    bot = TrackedBot(PAPER)
    bot.tracker = StatusTracker("production")
    bot.answers()
    ((_, warning),) = fills(bot, None, newest_fill_ms=NOW)

    assert "real money" in warning
    assert fills(bot, None, now_ms=NOW + 3_600_000) == []
    assert fills(bot, None, now_ms=NOW + 3_600_001) == [(None, None)]


def test_two_marks_that_change_together_are_one_entry_with_a_key_of_its_own() -> None:
    bot = TrackedBot(PAPER)
    bot.tracker = StatusTracker("production")
    bot.answers()
    first = bot.tracker.fills_checked(bot.memory, now_ms=NOW, unconfirmed=1, newest_fill_ms=NOW)
    second = bot.tracker.fills_checked(first.checkpoint, now_ms=NOW + 60_000, unconfirmed=2, newest_fill_ms=None)

    (one,), (other,) = first.entries, second.entries
    assert (one.data["unconfirmed"], one.data["mode_warning"] is None) == (1, False)
    assert one.key != other.key
    assert first.checkpoint.status == one.data
