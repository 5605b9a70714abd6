"""The circuit of models that keep failing: closed → open → one probe → closed, or open again. Pure.

Times are unix seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

FAILURES = 5
WINDOW_SECONDS = 60.0
OPEN_SECONDS = 120.0
FLEET_SECONDS = 900.0
"""After a refused key or an empty account all models pause this long: an operator has to act."""


class CircuitVerdict(StrEnum):
    GO = "go"
    PROBE = "probe"
    """One caller may try: the one that takes the probe."""
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class ModelCircuit:
    """The circuit of one vendor's models, or of all models.

    `failures` are the times of the failures in a row; `open_until` is 0 while closed.
    """

    failures: tuple[float, ...] = ()
    open_until: float = 0.0
    reason: str = ""
    """The last failure's class."""

    def verdict(self, now: float) -> CircuitVerdict:
        if not self.open_until:
            return CircuitVerdict.GO
        return CircuitVerdict.STAY if now < self.open_until else CircuitVerdict.PROBE

    def failed(self, now: float, reason: str, *, at_once_seconds: float | None = None) -> ModelCircuit:
        """After another failure; `at_once_seconds` opens it without waiting for more of them."""
        recent = tuple(at for at in (*self.failures, now) if now - at <= WINDOW_SECONDS)[-FAILURES:]
        if at_once_seconds is not None:
            return ModelCircuit(recent, now + at_once_seconds, reason)
        probed = self.open_until and now >= self.open_until
        if probed or len(recent) >= FAILURES:
            return ModelCircuit(recent, max(self.open_until, now + OPEN_SECONDS), reason)
        return ModelCircuit(recent, self.open_until, reason)

    def text(self) -> str:
        return json.dumps({"failures": self.failures, "open_until": self.open_until, "reason": self.reason})

    @classmethod
    def parse(cls, text: str | None) -> ModelCircuit:
        """A circuit from its text. Text that cannot be read counts as closed: a circuit only saves cost."""
        try:
            value = json.loads(text or "{}")
            failures = tuple(float(at) for at in value.get("failures", ()))
            return cls(failures, float(value.get("open_until", 0)), str(value.get("reason", "")))
        except (ValueError, TypeError, AttributeError):
            return cls()
