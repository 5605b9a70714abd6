"""The circuit of models that keep failing: closed → open → one probe → closed, or open again. Pure.

Times are unix seconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum

FAILURES = 5
WINDOW_SECONDS = 60.0
OPEN_SECONDS = 120.0
SHORTEST_OPEN_SECONDS = 5.0
LONGEST_OPEN_SECONDS = 3600.0
ACCOUNT_SECONDS = 900.0
"""After a refused key or an empty account all models pause this long: an operator has to act."""


class CircuitVerdict(StrEnum):
    GO = "go"
    PROBE = "probe"
    """One caller may try: the one that takes the probe."""
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class CircuitRule:
    """When a circuit opens and for how long."""

    failures: int = FAILURES
    """So many failures within `WINDOW_SECONDS`, without an answer between them."""
    models: int = 1
    """They must come from at least so many models."""
    seconds: float = OPEN_SECONDS
    """Open for this long where the failure does not name a time."""


COUNTED = CircuitRule()
AT_ONCE = CircuitRule(failures=1, seconds=ACCOUNT_SECONDS)
SEVERAL_MODELS = CircuitRule(models=2)


@dataclass(frozen=True, slots=True)
class ModelCircuit:
    """The circuit of one model, of a vendor's models, or of all models.

    `failures` are the times of the failures in a row, each with its model; `open_until` is 0 while closed.
    """

    failures: tuple[tuple[float, str], ...] = ()
    open_until: float = 0.0
    reason: str = ""
    """The last failure's class."""

    def verdict(self, now: float) -> CircuitVerdict:
        if not self.open_until:
            return CircuitVerdict.GO
        return CircuitVerdict.STAY if now < self.open_until else CircuitVerdict.PROBE

    def failed(
        self,
        now: float,
        reason: str,
        *,
        model: str = "",
        rule: CircuitRule = COUNTED,
        pause_seconds: float | None = None,
    ) -> ModelCircuit:
        """After another failure. `pause_seconds` is the time that the failure named, if it did."""
        recent = tuple(entry for entry in (*self.failures, (now, model)) if now - entry[0] <= WINDOW_SECONDS)[
            -FAILURES:
        ]
        probed = self.open_until and now >= self.open_until
        counted = len(recent) >= rule.failures and len({name for _, name in recent}) >= rule.models
        if not (probed or counted):
            return ModelCircuit(recent, self.open_until, reason)
        named = rule.seconds if pause_seconds is None else pause_seconds
        pause = min(LONGEST_OPEN_SECONDS, max(SHORTEST_OPEN_SECONDS, named))
        return ModelCircuit(recent, max(self.open_until, now + pause), reason)

    def text(self) -> str:
        return json.dumps({"failures": self.failures, "open_until": self.open_until, "reason": self.reason})

    @classmethod
    def parse(cls, text: str | None) -> ModelCircuit:
        """A circuit from its text. Text that cannot be read counts as closed: a circuit only saves cost."""
        try:
            value = json.loads(text or "{}")
            failures = tuple((float(at), str(model)) for at, model in value.get("failures", ()))
            open_until = float(value.get("open_until", 0))
            reason = str(value.get("reason", ""))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()
        finite = math.isfinite(open_until) and all(math.isfinite(at) for at, _ in failures)
        return cls(failures, open_until, reason) if finite else cls()
