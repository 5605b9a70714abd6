"""Says in plain words what the numbers of a leaderboard's row show, and why a number is missing. Pure, without numpy.

The words come from the numbers of a stored report, so reports of every engine version can be read. `better` and `worse`
rest on the confidence sequence alone, which may be looked at at any time. An interval for one look, evidence against
the price and ranks never make an agent better.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Numbers = Mapping[str, Any]

LOG10_BAR = 1.3010299956639813
"""log10 of 20: an E of this size refutes the price at 5 %."""
NOISE = "(noise)"
"""Stands beside an interval that contains 0."""
NO_DATE = "No date: "
"""Begins the reason why nobody can say from when the present skill would be shown."""
FAILURES = {
    "abstained": "it gave no probability",
    "timeout": "its answer took too long",
    "invalid_output": "its answer could not be read",
    "filtered": "its provider refused the question",
    "round_closed": "the round was closed before it answered",
    "lease_expired": "the worker that asked it stopped three times",
}
"""Reasons for a missing forecast, as `operations` names them."""
POOL_ABSTAINED = "fewer than two contestants of its panel had answered"


class Verdict(StrEnum):
    """What is shown about an agent and the market's price."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    """The confidence sequence contains 0."""
    UNKNOWN = "unknown"
    """There is no confidence sequence."""


@dataclass(frozen=True, slots=True)
class AgentReading:
    """A verdict, and the words for it."""

    verdict: Verdict
    text: str


def reading(scores: Numbers, *, role: str | None = None) -> AgentReading:
    """What the numbers of a row of the slice `all` show about the agent. `role` as in `scoring.roles`."""
    if role == "copy":
        return AgentReading(Verdict.UNKNOWN, "repeats the market's price")
    if "skill_sequence" not in scores:
        return AgentReading(
            Verdict.UNKNOWN, "not told: this leaderboard is older than verdicts that hold at every look"
        )
    sequence = scores["skill_sequence"]
    if sequence is None:
        return AgentReading(Verdict.UNKNOWN, "too little is known to compare it with the market")
    low, high = sequence
    if low > 0:
        return AgentReading(Verdict.BETTER, "better than the market")
    if high < 0:
        return AgentReading(Verdict.WORSE, "worse than the market")
    return AgentReading(Verdict.UNDECIDED, "not shown to be better or worse than the market yet")


def words(
    standing: Numbers, scores: Numbers, *, operations: Numbers | None = None, is_pool: bool = False
) -> dict[str, Any]:
    """The keys `verdict`, `reading` and `explanation` of a standing, with JSON types only."""
    told = reading(scores, role=standing.get("role"))
    return {
        "verdict": told.verdict.value,
        "reading": told.text,
        "explanation": explanation(standing, scores, operations=operations, is_pool=is_pool),
    }


def is_noise(interval: Collection[float] | None) -> bool | None:
    """Whether an interval contains 0. None without an interval."""
    if interval is None:
        return None
    low, high = interval
    return bool(low <= 0 <= high)


def interval_text(interval: Collection[float] | None) -> str:
    """An interval as text, with `(noise)` if it contains 0. Empty without an interval."""
    if interval is None:
        return ""
    low, high = interval
    return f"{low:+.4f} .. {high:+.4f}" + (f" {NOISE}" if is_noise(interval) else "")


def explanation(
    standing: Numbers,
    scores: Numbers,
    *,
    operations: Numbers | None = None,
    is_pool: bool = False,
) -> dict[str, str]:
    """What a reader may ask about a row, by the name of the number, each in a sentence.

    `standing` and `scores` (of the slice `all`) are as in a report. Keys with nothing to say are absent.
    `is_pool` marks an agent that pools the forecasts of others.
    """
    said = {
        "interval": _interval(scores),
        "sequence": _sequence(scores),
        "detectable": _detectable(scores),
        "evidence": _evidence(scores),
        "rank": _rank(standing, scores),
        "tier": _tier(standing),
        "rank_interval": _missing_odds(standing, scores, "rank_interval", "interval of the rank"),
        "best_probability": _first_places(standing)
        or _missing_odds(standing, scores, "best_probability", "share of first places"),
        "coverage": _coverage(scores, operations, is_pool=is_pool),
    }
    return {name: text for name, text in said.items() if text is not None}


def _interval(scores: Numbers) -> str | None:
    interval = scores.get("skill_interval")
    if interval is not None:
        tail = "It contains 0, so the skill may be luck." if is_noise(interval) else "It is valid for one look only."
        return f"The skill lies in {interval_text(interval)} (95 %). {tail}"
    if scores.get("skill") is None:
        return _no_skill(scores)
    reason = scores.get("skill_interval_reason") or f"{scores.get('skill_events', 0)} events are too few"
    return f"No interval: {reason}."


def _no_skill(scores: Numbers) -> str:
    """Why an agent has no skill. The counts are in every report."""
    if not scores.get("answered"):
        return "No skill: it has answered no question."
    if not scores.get("graded"):
        return "No skill: no question that it answered has a result yet."
    return "No skill: no question that it answered and that has a result had a price."


def _sequence(scores: Numbers) -> str | None:
    if "skill_sequence" not in scores:
        return None
    sequence = scores["skill_sequence"]
    if sequence is None:
        return f"No verdict: {scores.get('skill_sequence_reason') or 'nothing counts yet'}."
    clusters = scores.get("skill_sequence_clusters")
    over = "" if clusters is None else f", from {clusters:,} {'cluster' if clusters == 1 else 'clusters'} of events"
    return f"At every look the skill lies in {interval_text(sequence)} (95 %){over}. The verdict comes from it."


def _detectable(scores: Numbers) -> str | None:
    smallest, from_date = scores.get("skill_detectable"), scores.get("skill_detectable_from")
    reason = scores.get("skill_detectable_reason")
    if smallest is None:
        if reason is None or reason == scores.get("skill_sequence_reason"):  # that one is told with the verdict
            return None
        return f"No outlook: {reason}."
    text = f"An agent with a true skill of about {smallest:.3f} would be better by now in about half of all seasons."
    if from_date is not None:
        text += (
            f" A skill as large as its present mean would be shown by {day_text(from_date)} in about 80 % of seasons."
        )
    elif reason is not None:
        text += f" {NO_DATE}{reason}."
    return text


def day_text(value: object) -> str:
    """The day (UTC) of a time as text, or of unix seconds."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).date().isoformat()
    return str(value)[:10]


def _evidence(scores: Numbers) -> str | None:
    log10 = scores.get("log10_evidence")
    if log10 is None:
        return None
    peak = scores.get("log10_evidence_peak")
    best = log10 if peak is None else max(log10, peak)
    if best < LOG10_BAR:
        return f"E = {power_text(log10)} is below 20, so it is no evidence against the price."
    reached = f"E = {power_text(log10)}" + ("" if log10 >= LOG10_BAR else f", once {power_text(best)}")
    return f"{reached}: evidence that the price is not exactly right. It does not say that the agent is better."


def power_text(log10: float) -> str:
    """10 ** log10 as text: plain from 0.01 to 9,999, as a power of ten beyond."""
    return f"{10**log10:,.3g}" if -2 <= log10 < 4 else f"10^{log10:.1f}"


def _rank(standing: Numbers, scores: Numbers) -> str | None:
    if standing.get("rank") is not None:
        return None
    if standing.get("role") not in {None, "competitor"}:
        return f"Not ranked: {standing.get('role_reason')}."
    missing = standing.get("missing") or ()
    if missing:
        return f"Not ranked yet: {', '.join(missing)}."
    return _no_skill(scores) if scores.get("skill") is None else None


def _tier(standing: Numbers) -> str | None:
    if standing.get("tier") is not None:
        return None
    reason = standing.get("tier_reason")
    return None if reason is None else f"No tier: {reason}."


def _first_places(standing: Numbers) -> str | None:
    share = standing.get("best_probability")
    if share is None or "best_probability_reason" not in standing:  # older reports drew among all agents
        return None
    return f"First in {share:.0%} of the resamples, among the agents of tier 1."


def _missing_odds(standing: Numbers, scores: Numbers, name: str, words: str) -> str | None:
    """Why a listed agent lacks its rank interval or P(best). An agent without a rank is explained by its rank."""
    if standing.get(name) is not None or standing.get("rank") is None:
        return None
    reason = standing.get(f"{name}_reason") or standing.get("tier_reason")
    if reason is None and name == "best_probability" and standing.get("tier") not in {None, 1}:
        reason = "it is not in the first tier"
    if reason is None:
        reason = scores.get("skill_interval_reason")
    return f"No {words}: {reason or 'too little is known'}."


def _coverage(scores: Numbers, operations: Numbers | None, *, is_pool: bool) -> str | None:
    offered, answered = scores.get("offered"), scores.get("answered")
    if offered is None or answered is None or answered >= offered:
        return None
    text = f"It answered {answered:,} of {offered:,} questions"
    reasons = _failures(operations, is_pool=is_pool)
    if not reasons and is_pool:
        reasons = POOL_ABSTAINED
    return f"{text}: {reasons}." if reasons else f"{text}."


def _failures(operations: Numbers | None, *, is_pool: bool) -> str:
    """The reasons for missing answers with their shares, the most frequent first."""
    rates: Mapping[str, float] = (operations or {}).get("failure_rates") or {}
    words = FAILURES | ({"abstained": POOL_ABSTAINED} if is_pool else {})
    ordered = sorted(rates.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{words.get(reason, reason)} ({rate:.0%})" for reason, rate in ordered if rate > 0)
