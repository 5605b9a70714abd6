from __future__ import annotations

import pytest

from coliseum.bot.parse import status_from
from coliseum.polling.status import FailedPolls, clock_mark, confirm_mode, is_online, offline_status, online_status

NOW = 1_700_000_000_000
PAPER = status_from(b'{"mode": "paper", "strategy": "drift"}')
LIVE = status_from(b'{"mode": "live"}')
ONLINE = online_status(now_ms=NOW, trades=7, reported=PAPER, before=None)
ONE = FailedPolls().plus_one(1_700_000_003_000)
TWO = ONE.plus_one(1_700_000_006_000)


def test_one_failed_poll_changes_nothing() -> None:
    assert offline_status(ONLINE, ONE, problem="timed out") is None


def test_two_failed_polls_are_an_outage_since_the_first() -> None:
    assert offline_status(ONLINE, TWO, problem="timed out") == {
        "status": "offline",
        "since": "2023-11-14T22:13:23.000Z",
        "trades": 7,
        "detail": "timed out",
        "mode": "paper",
        "mode_as_of": "2023-11-14T22:13:20.000Z",
        "mode_warning": None,
        "clock_ahead_seconds": None,
        "unconfirmed": None,
    }


def test_an_outage_is_published_once() -> None:
    offline = offline_status(ONLINE, TWO, problem="timed out")

    assert offline_status(offline, TWO.plus_one(1), problem="still") is None


def test_a_bot_that_never_answered_can_be_offline() -> None:
    status = offline_status(None, TWO, problem="refused")

    assert status is not None
    assert status["trades"] is None


def test_a_bot_that_is_back_has_its_new_mode_or_the_last_one_with_its_time() -> None:
    offline = offline_status(ONLINE, TWO, problem="timed out")
    unreported = online_status(now_ms=NOW + 60_000, trades=1, reported=None, before=offline)
    back = online_status(now_ms=NOW + 60_000, trades=1, reported=LIVE, before=offline)

    assert (unreported["mode"], unreported["mode_as_of"], unreported["detail"]) == (
        "paper",
        "2023-11-14T22:13:20.000Z",
        None,
    )
    assert (back["mode"], back["mode_as_of"], back["detail"]) == ("live", "2023-11-14T22:14:20.000Z", "live")


def test_a_confirmed_mode_gets_a_new_time_and_another_mode_is_published() -> None:
    another = status_from(b'{"mode": "paper", "strategy": "spread"}')
    confirmed = confirm_mode(ONLINE, another, now_ms=NOW + 60_000, trades=9)

    changes = {"mode_as_of": "2023-11-14T22:14:20.000Z", "trades": 9, "detail": "paper, spread"}
    assert confirmed == {**ONLINE, **changes}
    assert confirm_mode(ONLINE, LIVE, now_ms=NOW + 60_000, trades=9) is None


def test_a_bot_that_reports_no_mode_has_none_and_no_time_of_it() -> None:
    status = online_status(now_ms=NOW, trades=1, reported=status_from(b"{}"), before=ONLINE)

    assert (status["mode"], status["mode_as_of"]) == (None, None)


@pytest.mark.parametrize(("status", "expected"), [(None, False), ({"status": "offline"}, False), (ONLINE, True)])
def test_a_bot_is_online_when_its_last_status_says_so(status: dict[str, object] | None, expected: bool) -> None:
    assert is_online(status) is expected


def test_a_clock_mark_grows_within_a_run_and_ends_with_it() -> None:
    assert clock_mark(None, None, new_run=False) is None
    assert clock_mark(None, 20.0, new_run=False) == 20.0
    assert clock_mark(20.0, None, new_run=False) == 20.0
    assert clock_mark(20.0, 50.0, new_run=False) == 50.0
    assert clock_mark(50.0, 20.0, new_run=False) == 50.0
    assert clock_mark(50.0, 20.0, new_run=True) == 20.0
    assert clock_mark(50.0, None, new_run=True) is None


def test_marks_outlast_an_outage() -> None:
    marks = {"mode_warning": "w", "clock_ahead_seconds": 5.0, "unconfirmed": 2}
    offline = offline_status({**ONLINE, **marks}, TWO, problem="timed out")
    back = online_status(now_ms=NOW + 60_000, trades=1, reported=PAPER, before=offline)

    assert offline is not None
    assert marks.items() <= offline.items()
    assert marks.items() <= back.items()
