from __future__ import annotations

import pytest

from coliseum.cache.breaker import CircuitBreaker
from coliseum.errors import SourceError, SourceRefused, SourceUnavailable


class Source:
    """Counts its calls, and fails on demand."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: SourceError | None = None

    def ask(self) -> str:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return "answer"


def test_an_unavailable_source_is_skipped_for_some_seconds_and_then_asked_again() -> None:
    now = [100.0]
    breaker, source = CircuitBreaker(open_seconds=4, clock=lambda: now[0]), Source()
    source.error = SourceUnavailable("bot", "connection refused")
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="connection refused"):
            breaker.call("bot", source.ask)
    assert source.calls == 1
    now[0] += 4
    source.error = None
    assert breaker.call("bot", source.ask) == "answer"
    assert breaker.call("bot", source.ask) == "answer"
    assert source.calls == 3


def test_each_source_has_its_own_circuit_and_a_refusal_does_not_open_it() -> None:
    breaker, bot, kalshi = CircuitBreaker(clock=lambda: 0.0), Source(), Source()
    bot.error = SourceUnavailable("bot", "down")
    kalshi.error = SourceRefused("kalshi", "401")
    for _ in range(2):
        with pytest.raises(SourceError):
            breaker.call("bot", bot.ask)
        with pytest.raises(SourceRefused):
            breaker.call("kalshi", kalshi.ask)
    assert (bot.calls, kalshi.calls) == (1, 2)
