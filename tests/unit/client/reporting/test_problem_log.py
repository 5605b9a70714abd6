"""What does not work: each sentence is logged once, and nothing that happens in a log reaches the bot."""

from __future__ import annotations

import logging

import pytest

from coliseum.client.reporting.problem_log import LOG, REFUSALS_LOGGED, ProblemLog


def test_a_problem_is_logged_when_it_comes_and_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    for _ in range(3):
        problems.set("file", "the disk is full")
        problems.write()
    assert problems.current == {"file": "the disk is full"}
    problems.solve("file")
    problems.solve("file")
    problems.write()
    assert [record.getMessage() for record in caplog.records] == ["the disk is full", "file: works again"]
    assert problems.current == {}


def test_a_refusal_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    for _ in range(5):
        problems.refuse("price: got 65")
        problems.write()
    assert (problems.refused, [record.getMessage() for record in caplog.records]) == (5, ["price: got 65"])


def test_a_bot_that_is_always_wrong_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    for number in range(3 * REFUSALS_LOGGED):
        problems.refuse(f"price: got {number}")
    problems.write()
    assert (problems.refused, len(caplog.records)) == (3 * REFUSALS_LOGGED, REFUSALS_LOGGED)


def test_a_log_that_raises_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("broken")

    broken = Broken()
    LOG.addFilter(broken)
    try:
        problems = ProblemLog()
        problems.say("anything")
        problems.write()
    finally:
        LOG.removeFilter(broken)
