"""Which agents of a table compete, which copy the price, and which are there as a reference. Pure.

The rule reads forecasts and prices only, never outcomes. So the role of an agent cannot depend on how well it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from coliseum.arena.scoring.arithmetic import Mask
from coliseum.arena.scoring.cells import CellTable

SAME_PRICE = 0.0005
"""A forecast that is this near to the price repeats it: prices and forecasts are rounded to three or four places."""
_ROUNDING = 1e-9
LOWEST, HIGHEST = 0.01, 0.99
"""The arena's contestants answer within these bounds. A copy of a price of 0.004 is the forecast 0.01."""
LEAST_OWN = 0.01
"""An agent with a smaller share of own forecasts copies the price: none of up to 100, at most 9 of 1,000."""
HALF = 0.5
LEAST_HALF = 10
"""An agent that said 0.5 to so many questions, and nothing else, says 0.5 to everything."""


class Role(StrEnum):
    """Only competitors are ranked. All agents keep their row and their numbers."""

    COMPETITOR = "competitor"
    REFERENCE = "reference"
    """Shown for comparison: the market's own price, chance, people."""
    COPY = "copy"
    """Repeats the market's price, so it has nothing of its own to be ranked for."""


class AgentRole(NamedTuple):
    """A role, and why an agent has it. `reason` is None for a competitor."""

    role: Role
    reason: str | None = None


def own_forecasts(table: CellTable) -> Mask:
    """Marks the forecasts that differ from the price, among the cells with a forecast and a price."""
    with np.errstate(invalid="ignore"):
        far = np.abs(table.p - table.q) > SAME_PRICE + _ROUNDING
        far_from_bounded = np.abs(table.p - np.clip(table.q, LOWEST, HIGHEST)) > SAME_PRICE + _ROUNDING
    return np.asarray(far & far_from_bounded)  # comparisons with NaN are false


def role_of(agent: str, numbers: Mapping[str, Any], references: Mapping[str, str]) -> AgentRole:
    """The role of an agent with these numbers of a report's row.

    `references` are the agents that are known to be references, each with the reason in words.
    """
    if agent in references:
        return AgentRole(Role.REFERENCE, references[agent])
    own, priced = numbers["own_forecasts"], numbers["priced_forecasts"]
    if own is not None and own < LEAST_OWN:
        some = "none" if own == 0 else f"{own:.1%}"
        return AgentRole(Role.COPY, f"copies the price: {some} of its {priced:,} forecasts at a price differ from it")
    if numbers["half_forecasts"] == 1 and numbers["answered"] >= LEAST_HALF:
        return AgentRole(Role.REFERENCE, "says 0.5 to every question")
    return AgentRole(Role.COMPETITOR)
