"""One alert's life: ok, pending, firing, recovering, ok. Pure: the time comes in, the changes come out.

An alert's id is `rule:subject:episode`. The episode is when its condition began, in unix seconds, so it needs no
counter. It is stored before anybody is told, so that a repeated run sends the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from coliseum.alerts.rules import AlertSeverity, Rule, RuleName

REPEAT_SECONDS = 4 * 3600.0
"""A critical alert that nobody acknowledged is sent again so often."""


class AlertPhase(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class ChangeOfAlert(StrEnum):
    """What is told about an alert. `NOTED` is an event: it is told once and has no end."""

    RAISED = "raised"
    REPEATED = "repeated"
    CLEARED = "cleared"
    NOTED = "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """Where one subject of one rule stands. A subject without a state is ok."""

    phase: AlertPhase
    since: float
    """When this phase began, in unix seconds."""
    episode: int
    text: str
    told_at: float | None = None
    """When it was last raised or repeated."""
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """What one look says about one rule.

    `holding` has the subjects that are above the limit and what to say about each. `between` has those that are below
    the limit and above the one at which an alert ends.
    """

    rule: RuleName
    holding: Mapping[str, str]
    between: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """One thing to tell."""

    rule: RuleName
    subject: str
    episode: int
    change: ChangeOfAlert
    severity: AlertSeverity
    text: str
    at: float
    repeat: int = 0

    @property
    def alert_id(self) -> str:
        return alert_id(self.rule, self.subject, self.episode)

    @property
    def phase(self) -> str:
        """Names this message among those of its alert."""
        return f"{self.change.value}-{self.repeat}" if self.repeat else self.change.value


def alert_id(rule: str, subject: str, episode: int) -> str:
    return f"{rule}:{subject}:{episode}"


States = Mapping[tuple[RuleName, str], AlertState]


@dataclass(frozen=True, slots=True)
class Advanced:
    """The states after a look, and what is to be told."""

    states: dict[tuple[RuleName, str], AlertState]
    changes: tuple[AlertChange, ...]


def advance(
    states: States,
    findings: Mapping[RuleName, RuleFinding],
    rules: Mapping[RuleName, Rule],
    *,
    now: float,
    acknowledged: frozenset[str] = frozenset(),
) -> Advanced:
    """The states one look later. A rule without a finding is unknown: its alerts neither begin nor end.

    A rule that was switched off ends its alerts without a word.
    """
    after: dict[tuple[RuleName, str], AlertState] = {}
    changes: list[AlertChange] = []
    subjects = {key for key in states if key[0] in rules}
    subjects |= {(name, subject) for name, finding in findings.items() if name in rules for subject in finding.holding}
    for key in sorted(subjects):
        rule, finding, state = rules[key[0]], findings.get(key[0]), states.get(key)
        if finding is not None:
            state, change = _step(rule, key[1], state, finding, now)
            changes += [change] if change is not None else []
        if state is not None:
            state, again = _repeat(rule, key[1], state, now, acknowledged)
            changes += [again] if again is not None else []
            after[key] = state
    return Advanced(after, tuple(changes))


def _step(
    rule: Rule, subject: str, state: AlertState | None, finding: RuleFinding, now: float
) -> tuple[AlertState | None, AlertChange | None]:
    text = finding.holding.get(subject)
    if text is not None:
        if state is None:
            state = AlertState(phase=AlertPhase.PENDING, since=now, episode=int(now), text=text)
        if state.phase is AlertPhase.RECOVERING:
            return replace(state, phase=AlertPhase.FIRING, since=now), None
        if state.phase is AlertPhase.PENDING and now - state.since >= rule.raise_after_seconds:
            state = replace(state, phase=AlertPhase.FIRING, since=now, text=text, told_at=now)
            return state, _change(rule, subject, state, ChangeOfAlert.RAISED, now)
        return state, None
    if state is None or (subject in finding.between and state.phase is AlertPhase.FIRING):
        return state, None
    if subject in finding.between and state.phase is AlertPhase.RECOVERING:
        return replace(state, phase=AlertPhase.FIRING, since=now), None
    if state.phase is AlertPhase.PENDING:
        return None, None
    if state.phase is AlertPhase.FIRING:
        state = replace(state, phase=AlertPhase.RECOVERING, since=now)
    if now - state.since >= rule.clear_after_seconds:
        return None, _change(rule, subject, state, ChangeOfAlert.CLEARED, now)
    return state, None


def _repeat(
    rule: Rule, subject: str, state: AlertState, now: float, acknowledged: frozenset[str]
) -> tuple[AlertState, AlertChange | None]:
    """A critical alert that is still on is told again after four hours, unless somebody acknowledged it."""
    is_on = state.phase is AlertPhase.FIRING and rule.severity is AlertSeverity.CRITICAL
    due = is_on and state.told_at is not None and now - state.told_at >= REPEAT_SECONDS
    if not due or alert_id(rule.name, subject, state.episode) in acknowledged:
        return state, None
    state = replace(state, told_at=now, repeats=state.repeats + 1)
    return state, _change(rule, subject, state, ChangeOfAlert.REPEATED, now)


def _change(rule: Rule, subject: str, state: AlertState, change: ChangeOfAlert, now: float) -> AlertChange:
    return AlertChange(
        rule=rule.name,
        subject=subject,
        episode=state.episode,
        change=change,
        severity=rule.severity,
        text=state.text,
        at=now,
        repeat=state.repeats if change is ChangeOfAlert.REPEATED else 0,
    )


def noted(rule: Rule, subject: str, episode: int, text: str, *, now: float) -> AlertChange:
    """An event. Its episode must be the same in every run that sees it: the database drops a repetition."""
    return AlertChange(
        rule=rule.name,
        subject=subject,
        episode=episode,
        change=ChangeOfAlert.NOTED,
        severity=rule.severity,
        text=text,
        at=now,
    )
