"""What stands under a printed leaderboard: the numbers behind each verdict, what the columns mean, what is missing.

A sentence that is true of several agents is printed once, with their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from coliseum.arena import readings
from coliseum.arena.leaderboard import Leaderboard, standing_body
from coliseum.arena.scoring.report import ScoreReport

COLUMNS = ("agent", "skill at every look, 95 %", "clusters", "detectable", "from", "E", "highest E")

LEGEND = (
    "skill: how much lower (better) the agent's squared error is than that of the market's price. Ranks follow it.",
    "verdict: better if the skill at every look is above 0, worse if it is below 0, undecided if it contains 0.",
    "95 %: an interval of the skill for one agent and one look. (noise): it contains 0, so the skill may be luck.",
    "first in: share of the resamples in which the agent is first, among tier 1. ranks: the interval of its rank.",
    "detectable (outlook): an agent with this true skill would be better by now in about half of all seasons.",
    "from (outlook): when a skill as large as its present mean would be shown in about 80 % of seasons.",
    "E: from 20 it is evidence that the price is not exactly right. It does not say that the agent is better.",
)
"""Explains the columns of both tables, one line each. Together they say what `readings` says of each agent."""

NUMBERS = {
    "interval": "skill_interval",
    "sequence": "skill_sequence",
    "detectable": "skill_detectable",
    "best_probability": "best_probability",
    "evidence": "log10_evidence",
}
"""Sentences of `readings.explanation` that say something about a number, if there is one. The tables show it then."""


def print_words(console: Console, report: ScoreReport, leaderboard: Leaderboard) -> None:
    """Print the numbers behind each verdict, a legend, and for each reason why numbers are missing its agents."""
    standings = [{**standing_body(standing, report), "scores": standing.scores} for standing in leaderboard.standings]
    if any(standing["scores"]["skill_sequence"] is not None for standing in standings):
        _print_sequences(console, standings)
    if any(standing["scores"]["skill"] is not None for standing in standings):
        console.print(*LEGEND, sep="\n", highlight=False, markup=False)
    for line in (*gap_lines(standings), *unanswered_lines(standings)):
        console.print(line, highlight=False, markup=False)


def _print_sequences(console: Console, standings: Sequence[Mapping[str, Any]]) -> None:
    table = RichTable(title="What the verdicts rest on", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "agent" else "right", no_wrap=column != "agent")
    for standing in standings:
        scores = standing["scores"]
        clusters, smallest, from_date = (
            scores[name] for name in ("skill_sequence_clusters", "skill_detectable", "skill_detectable_from")
        )
        table.add_row(
            escape(standing["agent"]),
            readings.interval_text(scores["skill_sequence"]),
            f"{clusters:,}",
            "" if smallest is None else f"{smallest:.3f}",
            "" if from_date is None else readings.day_text(from_date),
            *(
                "" if scores[name] is None else readings.power_text(scores[name])
                for name in ("log10_evidence", "log10_evidence_peak")
            ),
        )
    console.print(table)


def gap_lines(standings: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each reason why something is missing: `No interval, no tier: 7 clusters are too few (ana, ben)`.

    `standings` are standings with their words and `scores`. Lines and agents are in the order of the standings.
    """
    agents_by_gap: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for standing in standings:
        missing: dict[str, list[str]] = {}
        for name, text in standing["explanation"].items():
            what, _, reason = _gap(name, text, standing).removesuffix(".").partition(": ")
            if what:
                missing.setdefault(reason, []).append(what)
        for reason, parts in missing.items():
            key = (tuple(dict.fromkeys(parts)), reason)
            agents_by_gap.setdefault(key, []).append(standing["agent"])
    return [
        ", ".join([parts[0], *(part[0].lower() + part[1:] for part in parts[1:])])
        + (f": {reason}" if reason else "")
        + f" ({', '.join(agents)})"
        for (parts, reason), agents in agents_by_gap.items()
    ]


def unanswered_lines(standings: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line with the agents that left questions unanswered; none if no agent did."""
    counts = [
        f"{standing['agent']} ({standing['scores']['answered']:,} of {standing['scores']['offered']:,})"
        for standing in standings
        if "coverage" in standing["explanation"]
    ]
    return [f"Answered fewer questions than asked: {', '.join(counts)}"] if counts else []


def _gap(name: str, text: str, standing: Mapping[str, Any]) -> str:
    """The part of an explanation that says why something is missing. Empty if it speaks of a number."""
    if name == "coverage":  # its counts differ from agent to agent
        return ""
    if name == "detectable":
        _, found, reason = text.partition(readings.NO_DATE)
        if found:
            return readings.NO_DATE + reason
    values = {**standing["scores"], "best_probability": standing["best_probability"]}
    return text if values.get(NUMBERS.get(name, "")) is None else ""
