"""What `make run` says and waits for while the system starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from coliseum_local.startup import REMIND_SECONDS, Startup, StartupProgress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> list[str]:
    return []


def test_each_part_gets_one_line_when_it_answers(lines: list[str]) -> None:
    clock = Clock()
    progress = StartupProgress(lines.append, clock)
    progress.expect("redis", "gateway")
    clock.now += 1.25
    progress.answered("redis")
    progress.answered("redis")

    assert lines == ["redis        ready after 1.2 s"]
    assert progress.waiting == ("gateway",)


def test_a_long_silence_is_ended_by_what_is_missing_and_why(lines: list[str]) -> None:
    clock = Clock()
    progress = StartupProgress(lines.append, clock)
    progress.expect("redis", "arena")
    progress.failed("arena", "HTTP 502")
    progress.remind()
    assert lines == []
    clock.now += REMIND_SECONDS
    progress.remind()
    progress.remind()
    assert lines == ["still waiting for redis, arena (HTTP 502) after 5 s"]


def test_nothing_is_said_once_everything_has_answered(lines: list[str]) -> None:
    clock = Clock()
    progress = StartupProgress(lines.append, clock)
    progress.expect("redis")
    progress.answered("redis")
    clock.now += 10 * REMIND_SECONDS
    progress.remind()
    assert len(lines) == 1


def test_a_part_is_asked_until_it_answers(lines: list[str]) -> None:
    replies: Iterator[str | None] = iter(["HTTP 502", "HTTP 503", None])
    with Startup(show=lines.append, stopping=threading.Event()) as startup:
        startup.probe("arena", lambda: next(replies))
        startup.wait()
    assert [line.split()[:2] for line in lines] == [["arena", "ready"]]


def test_a_probe_that_raises_is_asked_again(lines: list[str]) -> None:
    outcomes = [OSError("refused"), None]

    def probe() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    with Startup(show=lines.append, stopping=threading.Event()) as startup:
        startup.probe("redis", probe)
        startup.wait()
    assert outcomes == []


def test_a_part_that_never_serves_does_not_hold_the_start_for_ever(lines: list[str]) -> None:
    with Startup(show=lines.append, stopping=threading.Event()) as startup:
        startup.expect("bot")
        startup.wait(seconds=0)
    assert lines == ["going on without an answer of bot; see their logs"]


def test_a_stop_ends_the_waiting(lines: list[str]) -> None:
    stopping = threading.Event()
    stopping.set()
    with Startup(show=lines.append, stopping=stopping) as startup:
        startup.expect("bot")
        startup.wait()
    assert lines == []
