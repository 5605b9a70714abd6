from __future__ import annotations

import pytest

from coliseum.polling.status import Misses, instant, is_online, online, went_offline

ONLINE = online(now_ms=1_700_000_000_000, trades=7, detail="paper")
ONE = Misses().another(1_700_000_003_000)
TWO = ONE.another(1_700_000_006_000)


def test_one_missed_answer_changes_nothing() -> None:
    assert went_offline(ONLINE, ONE, problem="timed out") is None


def test_two_missed_answers_are_an_outage_since_the_first() -> None:
    assert went_offline(ONLINE, TWO, problem="timed out") == {
        "status": "offline",
        "since": "2023-11-14T22:13:23.000Z",
        "trades": 7,
        "detail": "timed out",
    }


def test_an_outage_is_told_once() -> None:
    offline = went_offline(ONLINE, TWO, problem="timed out")

    assert went_offline(offline, TWO.another(1), problem="still") is None


def test_a_bot_never_seen_can_be_offline_too() -> None:
    told = went_offline(None, TWO, problem="refused")

    assert told is not None
    assert told["trades"] is None


@pytest.mark.parametrize(("status", "expected"), [(None, False), ({"status": "offline"}, False), (ONLINE, True)])
def test_a_bot_is_online_when_that_was_told_last(status: dict[str, object] | None, expected: bool) -> None:
    assert is_online(status) is expected


def test_times_are_utc_with_milliseconds() -> None:
    assert instant(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
