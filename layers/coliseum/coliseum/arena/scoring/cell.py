"""A cell, the unit of scoring, and how the markets of an event may relate. Pure, and without numpy."""

from __future__ import annotations

from dataclasses import dataclass

STRUCTURES = ("exclusive", "exhaustive", "above", "below")
"""How the markets of an event relate: at most one is YES; exactly one is YES and all of them are here; a ladder of
"more than `strike`"; a ladder of "less than `strike`"."""

ROLES = ("human", "reference")
"""Agents that are scored and shown beside the competitors: people, and anything else to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One agent's forecast of one market in one window."""

    agent: str
    event: str
    """The markets of one event are weighted together."""
    market: str
    window: str
    """The round, or another label of the time at which forecast and price were taken. Labels must sort by time."""
    p: float | None
    """The forecast probability of YES, 0 to 1. None: the agent was asked and gave no valid answer."""
    q: float | None = None
    """The market's probability at the same time. None: there was no usable quote."""
    y: float | None = None
    """1: YES. 0: NO. Between them: the value of a market that resolved to a fraction. None: void or not settled, so the
    cell is not graded. The arena does not grade scalar settlements (docs/scoring.md)."""
    category: str | None = None
    group: str | None = None
    """The group of the question for macro-averages, such as `market` or `dataset`."""
    role: str | None = None
    """Why the agent is not ranked as a competitor, one of `ROLES`. None: it competes."""
    horizon: str | None = None
    """The time until the market's close: a label such as `3-12h`."""
    track: str | None = None
    volume: float | None = None
    """Contracts traded in 24 hours. It sorts the cells into terciles of liquidity."""
    outcomes: int | None = None
    """The number of markets of the event."""
    cluster: str | None = None
    """Dependent events share a cluster; evidence multiplies over clusters. None: the event is its own cluster."""
    yes_ask: float | None = None
    no_ask: float | None = None
    q_1h: float | None = None
    """The market's probability one hour later; the next two are one day later and at the close."""
    q_24h: float | None = None
    q_close: float | None = None
    structure: str | None = None
    """The structure of the event, one of `STRUCTURES`."""
    strike: float | None = None
    """The market's threshold on a ladder (`above`, `below`)."""
    due_at: float | None = None
    """Unix seconds of the scheduled end as known when the agent was asked; infinite while it is in the future. It
    orders the evidence, so it must not depend on the outcome."""
    settled_at: float | None = None
    """Unix seconds at which the outcome was known. It distinguishes a void market from an open one."""
    noise: float | None = None
    """Variance of the replicates of which `p` is the mean. None: the agent was asked once."""
