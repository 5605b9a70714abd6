"""Carries steps out without a network: every request is answered by a function, every pause passes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.unit.kalshi.payloads import text

from coliseum.kalshi.account import Calls
from coliseum.kalshi.pacing import Pace
from coliseum.kalshi.retry import Answer, Outcome, Send, Steps, Terms

T = TypeVar("T")


class Exchange:
    """`calls` asks; `answer` gives the JSON body, or an `Answer` of its own; `sent` remembers."""

    def __init__(self, answer: Callable[[Send], object]) -> None:
        self.sent: list[Send] = []
        self.calls = Calls(Terms(Pace(lambda: 0.0), lambda: 1e9, lambda: 0.0))
        self._answer = answer

    def run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = self._reply(step) if isinstance(step, Send) else None
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _reply(self, step: Send) -> Outcome:
        self.sent.append(step)
        value = self._answer(step)
        return value if isinstance(value, Answer) else Answer(200, text(value))
