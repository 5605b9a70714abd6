from __future__ import annotations

import pytest

from coliseum.bot.parse import status_from
from coliseum.polling.status import FailedPolls, confirm_mode, is_online, offline_status, online_status, rfc3339

NOW = 1_700_000_000_000
PAPER = status_from(b'{"mode": "paper", "strategy": "drift"}')
LIVE = status_from(b'{"mode": "live"}')
ONLINE = online_status(now_ms=NOW, trades=7, reported=PAPER, before=None)
ONE = FailedPolls().plus_one(1_700_000_003_000)
TWO = ONE.plus_one(1_700_000_006_000)


def test_one_missed_answer_changes_nothing() -> None:
    assert offline_status(ONLINE, ONE, problem="timed out") is None


def test_two_missed_answers_are_an_outage_since_the_first() -> None:
    assert offline_status(ONLINE, TWO, problem="timed out") == {
        "status": "offline",
        "since": "2023-11-14T22:13:23.000Z",
        "trades": 7,
        "detail": "timed out",
        "mode": "paper",
        "mode_as_of": "2023-11-14T22:13:20.000Z",
    }


def test_an_outage_is_told_once() -> None:
    offline = offline_status(ONLINE, TWO, problem="timed out")

    assert offline_status(offline, TWO.plus_one(1), problem="still") is None


def test_a_bot_never_seen_can_be_offline_too() -> None:
    told = offline_status(None, TWO, problem="refused")

    assert told is not None
    assert told["trades"] is None


def test_a_bot_that_is_back_says_its_mode_anew_or_keeps_the_last_with_its_age() -> None:
    offline = offline_status(ONLINE, TWO, problem="timed out")
    silent = online_status(now_ms=NOW + 60_000, trades=1, reported=None, before=offline)
    back = online_status(now_ms=NOW + 60_000, trades=1, reported=LIVE, before=offline)

    assert (silent["mode"], silent["mode_as_of"], silent["detail"]) == ("paper", "2023-11-14T22:13:20.000Z", None)
    assert (back["mode"], back["mode_as_of"], back["detail"]) == ("live", "2023-11-14T22:14:20.000Z", "live")


def test_a_mode_that_is_said_again_grows_younger_and_another_one_is_news() -> None:
    another = status_from(b'{"mode": "paper", "strategy": "spread"}')
    confirmed = confirm_mode(ONLINE, another, now_ms=NOW + 60_000, trades=9)

    said = {"mode_as_of": "2023-11-14T22:14:20.000Z", "trades": 9, "detail": "paper, spread"}
    assert confirmed == {**ONLINE, **said}
    assert confirm_mode(ONLINE, LIVE, now_ms=NOW + 60_000, trades=9) is None


def test_a_bot_that_says_no_mode_has_none_and_no_time_of_it() -> None:
    told = online_status(now_ms=NOW, trades=1, reported=status_from(b"{}"), before=ONLINE)

    assert (told["mode"], told["mode_as_of"]) == (None, None)


@pytest.mark.parametrize(("status", "expected"), [(None, False), ({"status": "offline"}, False), (ONLINE, True)])
def test_a_bot_is_online_when_that_was_told_last(status: dict[str, object] | None, expected: bool) -> None:
    assert is_online(status) is expected


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
