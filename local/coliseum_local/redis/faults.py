"""Faults on demand, for tests of how callers handle them.

`POST /_faults` sets all switches: one that it does not name is off. Counted switches count down with each request.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from coliseum.errors import InvalidInput

STATUSES = frozenset({429, 500, 502, 503})


@dataclass(slots=True)
class Faults:
    """The switches. A number says for how many more requests."""

    drop_reply: int = 0
    """Execute, then cut the connection before the answer is complete."""
    half_json: int = 0
    """Execute, then answer with the first half of the JSON."""
    status_code: int = 0
    """Answer with this status instead of executing; 502 comes as HTML, as from a proxy."""
    status_times: int = 0
    latency_ms: int = 0
    """Wait before executing, every request."""
    refuse_all: bool = False
    """Answer 503 to everything."""

    def take(self, switch: str) -> bool:
        """Whether a counted switch is on for this request; counts it down."""
        left: int = getattr(self, switch)
        if left > 0:
            setattr(self, switch, left - 1)
        return left > 0

    def shown(self) -> dict[str, Any]:
        return asdict(self)


def parse(body: object) -> tuple[Faults, bool]:
    """The state asked for, and whether to cut the subscribers now. Raises InvalidInput."""
    if not isinstance(body, dict):
        raise InvalidInput("faults", body, "a JSON object")
    wanted = dict(body)
    cut = wanted.pop("cut_subscribers", False)
    known = Faults().shown()
    for name, value in wanted.items():
        if name not in known:
            raise InvalidInput("faults", name, f"one of {sorted([*known, 'cut_subscribers'])}")
        kind = bool if name == "refuse_all" else int
        if type(value) is not kind or value < 0:
            raise InvalidInput(name, value, "true or false" if kind is bool else "a number of requests or milliseconds")
    faults = Faults(**wanted)
    if faults.status_times and faults.status_code not in STATUSES:
        raise InvalidInput("status_code", faults.status_code, f"one of {sorted(STATUSES)}")
    if not isinstance(cut, bool):
        raise InvalidInput("cut_subscribers", cut, "true or false")
    return faults, cut
