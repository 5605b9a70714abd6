"""Carries out the client's calls without a network: a function answers each request, and pauses take no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.unit.kalshi.payloads import text

from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.drift import Sentinel
from coliseum.kalshi.pacing import RateLimiter
from coliseum.kalshi.retry import AttemptResult, CallConditions, HttpAnswer, SendRequest, Steps
from coliseum.kalshi.subaccounts import Subaccounts

T = TypeVar("T")


class Exchange:
    """`answer` gives the JSON body or a whole `HttpAnswer`; `sent` holds all requests."""

    def __init__(self, answer: Callable[[SendRequest], object], subaccounts: Subaccounts | None = None) -> None:
        self.sent: list[SendRequest] = []
        self.subaccounts = subaccounts or Subaccounts()
        self.sentinel = Sentinel()
        conditions = CallConditions(
            RateLimiter(lambda: 0.0), lambda: 1e9, lambda: 0.0, self.subaccounts, sentinel=self.sentinel
        )
        self.calls = ExchangeCalls(conditions)
        self._answer = answer

    def run(self, steps: Steps[T]) -> T:
        result: AttemptResult = None
        try:
            while True:
                step = steps.send(result)
                result = self._reply(step) if isinstance(step, SendRequest) else None
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _reply(self, step: SendRequest) -> AttemptResult:
        self.sent.append(step)
        value = self._answer(step)
        return value if isinstance(value, HttpAnswer) else HttpAnswer(200, text(value))
