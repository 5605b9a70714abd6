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
FIRST_ACCOUNT_SECONDS = 60.0
"""After a refused key or an empty account all models pause this long, and longer after each probe that fails."""
ACCOUNT_SECONDS = 900.0
"""The longest of these pauses, and the pause after a spent budget: an operator has to act."""


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
    longest: float | None = None
    """Each probe that fails doubles the time up to this. None: the time stays the same."""

    def pause(self, failed_probes: int) -> float:
        """Seconds of the pause after so many failed probes in a row."""
        if self.longest is None:
            return self.seconds
        return min(self.longest, self.seconds * 2.0 ** min(failed_probes, 20))


COUNTED = CircuitRule()
AT_ONCE = CircuitRule(failures=1, seconds=ACCOUNT_SECONDS)
SEVERAL_MODELS = CircuitRule(models=2)
UNCONFIRMED = CircuitRule(failures=1, seconds=FIRST_ACCOUNT_SECONDS, longest=ACCOUNT_SECONDS)
"""For the model whose request was refused as if our account were in trouble. One refusal may concern it alone."""
CONFIRMED = CircuitRule(failures=2, models=2, seconds=FIRST_ACCOUNT_SECONDS, longest=ACCOUNT_SECONDS)
"""For the account: two models were refused, without an answer to any model between them."""


@dataclass(frozen=True, slots=True)
class ModelCircuit:
    """The circuit of one model, of a vendor's models, or of all models.

    `failures` are the times of the failures in a row, each with its model; `open_until` is 0 while closed.
    `failed_probes` counts those since it opened.
    """

    failures: tuple[tuple[float, str], ...] = ()
    open_until: float = 0.0
    reason: str = ""
    """The last failure's class."""
    failed_probes: int = 0

    def verdict(self, now: float) -> CircuitVerdict:
        """What a caller may do. An end further away than any pause comes from a worker with a wrong clock."""
        if not self.open_until:
            return CircuitVerdict.GO
        stays = now < self.open_until <= now + LONGEST_OPEN_SECONDS
        return CircuitVerdict.STAY if stays else CircuitVerdict.PROBE

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
        # Other workers' clocks may be ahead of this one.
        recent = tuple(entry for entry in (*self.failures, (now, model)) if abs(now - entry[0]) <= WINDOW_SECONDS)[
            -FAILURES:
        ]
        probed = self.verdict(now) is CircuitVerdict.PROBE
        failed_probes = self.failed_probes + int(probed)
        counted = len(recent) >= rule.failures and len({name for _, name in recent}) >= rule.models
        if not (probed or counted):
            return ModelCircuit(recent, self.open_until, reason, failed_probes)
        named = rule.pause(failed_probes) if pause_seconds is None else pause_seconds
        end = now + min(LONGEST_OPEN_SECONDS, max(SHORTEST_OPEN_SECONDS, named))
        # A pause that is longer already stays, unless a probe has ended it.
        return ModelCircuit(recent, end if probed else max(self.open_until, end), reason, failed_probes)

    def text(self) -> str:
        return json.dumps(
            {
                "failures": self.failures,
                "open_until": self.open_until,
                "reason": self.reason,
                "failed_probes": self.failed_probes,
            }
        )

    @classmethod
    def parse(cls, text: str | None) -> ModelCircuit:
        """A circuit from its text. Text that cannot be read counts as closed: a circuit only saves cost."""
        try:
            value = json.loads(text or "{}")
            failures = tuple((float(at), str(model)) for at, model in value.get("failures", ()))
            open_until = float(value.get("open_until", 0))
            reason, failed_probes = str(value.get("reason", "")), max(0, int(value.get("failed_probes", 0)))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()
        finite = math.isfinite(open_until) and all(math.isfinite(at) for at, _ in failures)
        return cls(failures, open_until, reason, failed_probes) if finite else cls()
