"""The life of an alert, by cases and by random histories against a plain model."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from coliseum.alert_settings import parse_limits
from coliseum.alerts.rules import AlertSeverity, Rule, RuleName, rules_for
from coliseum.alerts.states import (
    REPEAT_SECONDS,
    AlertChange,
    AlertPhase,
    AlertState,
    ChangeOfAlert,
    RuleFinding,
    advance,
    alert_id,
    noted,
)

OFFLINE = Rule(
    name=RuleName.BOT_OFFLINE, severity=AlertSeverity.CRITICAL, raise_after_seconds=120, clear_after_seconds=60
)
RULES = {OFFLINE.name: OFFLINE}
ON = {OFFLINE.name: RuleFinding(OFFLINE.name, {"all": "The bot is away."})}
OFF = {OFFLINE.name: RuleFinding(OFFLINE.name, {})}
BETWEEN = {OFFLINE.name: RuleFinding(OFFLINE.name, {}, frozenset({"all"}))}


def history(*looks: tuple[float, dict[RuleName, RuleFinding]], acknowledged: frozenset[str] = frozenset()) -> list[str]:
    """What was told in these looks, each as `change@time`."""
    states: dict[tuple[RuleName, str], AlertState] = {}
    told: list[str] = []
    for now, findings in looks:
        after = advance(states, findings, RULES, now=now, acknowledged=acknowledged)
        states = after.states
        told += [f"{change.change}@{now:g}" for change in after.changes]
    return told


def test_a_condition_that_ends_in_time_is_never_told() -> None:
    assert history((0, ON), (60, ON), (119, OFF), (240, ON), (300, OFF)) == []


def test_an_alert_is_raised_once_and_cleared_once() -> None:
    assert history((0, ON), (120, ON), (180, ON), (240, OFF), (300, OFF), (360, OFF)) == ["raised@120", "cleared@300"]


def test_a_short_recovery_neither_clears_nor_raises_again() -> None:
    assert history((0, ON), (120, ON), (180, OFF), (200, ON), (260, OFF), (300, ON)) == ["raised@120"]


def test_between_the_limits_an_alert_stays_and_none_begins() -> None:
    assert history((0, BETWEEN), (200, BETWEEN)) == []
    assert history((0, ON), (120, ON), (180, BETWEEN), (900, BETWEEN)) == ["raised@120"]
    assert history((0, ON), (60, BETWEEN), (120, ON), (180, ON)) == []


def test_between_the_limits_an_alert_stays_also_where_its_end_needs_no_time() -> None:
    rule = replace(OFFLINE, raise_after_seconds=0, clear_after_seconds=0)
    raised = advance({}, ON, {rule.name: rule}, now=0)
    between = advance(raised.states, BETWEEN, {rule.name: rule}, now=60)
    assert (between.states, between.changes) == (raised.states, ())
    assert [change.change for change in advance(between.states, OFF, {rule.name: rule}, now=120).changes] == ["cleared"]


def test_an_unknown_condition_changes_nothing() -> None:
    assert history((0, ON), (300, {}), (360, OFF)) == []
    assert history((0, ON), (120, ON), (600, {}), (660, ON)) == ["raised@120"]


def test_a_critical_alert_is_repeated_until_it_is_acknowledged() -> None:
    looks = [(t, ON) for t in (0.0, 120.0, 120 + REPEAT_SECONDS - 1, 120 + REPEAT_SECONDS, 120 + 2 * REPEAT_SECONDS)]
    assert history(*looks) == ["raised@120", "repeated@14520", "repeated@28920"]
    assert history(*looks, acknowledged=frozenset({"bot_offline:all:0"})) == ["raised@120"]


def test_a_warning_is_not_repeated() -> None:
    rule = replace(OFFLINE, severity=AlertSeverity.WARNING, raise_after_seconds=0)
    first = advance({}, ON, {rule.name: rule}, now=0)
    later = advance(first.states, ON, {rule.name: rule}, now=10 * REPEAT_SECONDS)
    assert [change.change for change in (*first.changes, *later.changes)] == [ChangeOfAlert.RAISED]


def test_repetitions_have_phases_of_their_own() -> None:
    first = advance({}, ON, RULES, now=0)
    raised = advance(first.states, ON, RULES, now=120)
    phases = [change.phase for change in raised.changes]
    states = raised.states
    for number in (1, 2):
        again = advance(states, ON, RULES, now=120 + number * REPEAT_SECONDS)
        states, phases = again.states, phases + [change.phase for change in again.changes]
    assert phases == ["raised", "repeated-1", "repeated-2"]


def test_a_rule_that_was_switched_off_ends_without_a_word() -> None:
    raised = advance(advance({}, ON, RULES, now=0).states, ON, RULES, now=120)
    after = advance(raised.states, {}, {}, now=180)
    assert (after.states, after.changes) == ({}, ())


def test_the_ids_of_two_episodes_differ() -> None:
    states: dict[tuple[RuleName, str], AlertState] = {}
    ids: list[str] = []
    for now, findings in [(0, ON), (120, ON), (180, OFF), (240, OFF), (300, ON), (420, ON)]:
        after = advance(states, findings, RULES, now=now)
        states, ids = after.states, [*ids, *(change.alert_id for change in after.changes)]
    assert ids == ["bot_offline:all:0", "bot_offline:all:0", "bot_offline:all:300"]


def test_an_event_is_told_with_the_episode_that_it_was_given() -> None:
    rule = rules_for(parse_limits(None))[RuleName.CLOSING]
    change = noted(rule, "KXA-1", 1700, "It closes.", now=5)
    assert (change.alert_id, change.phase, change.change) == ("closing:KXA-1:1700", "noted", ChangeOfAlert.NOTED)
    assert alert_id("closing", "KXA-1", 1700) == change.alert_id


@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from(["on", "off", "between", "unknown"])), max_size=60),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_random_histories_raise_and_clear_in_turn_and_only_with_cause(
    steps: list[tuple[int, str]], raise_after: int, clear_after: int
) -> None:
    """Raised and cleared alternate with equal ids. A raise follows a lasting condition, an end one that was gone."""
    rule = replace(OFFLINE, raise_after_seconds=raise_after, clear_after_seconds=clear_after)
    named = {"on": ON, "off": OFF, "between": BETWEEN, "unknown": {}}
    states: dict[tuple[RuleName, str], AlertState] = {}
    told: list[AlertChange] = []
    now, on_since, off_since = 0.0, None, None
    for wait, name in steps:
        now += wait
        if name != "unknown":
            on_since = None if name != "on" else now if on_since is None else on_since
            off_since = None if name != "off" else now if off_since is None else off_since
        after = advance(states, named[name], {rule.name: rule}, now=now)
        states = after.states
        for change in after.changes:
            if change.change is ChangeOfAlert.RAISED:
                assert on_since is not None
                assert now - on_since >= raise_after
            if change.change is ChangeOfAlert.CLEARED:
                assert off_since is not None
                assert now - off_since >= clear_after
        told += [change for change in after.changes if change.change is not ChangeOfAlert.REPEATED]
    kinds = [change.change for change in told]
    assert kinds == [ChangeOfAlert.RAISED, ChangeOfAlert.CLEARED] * (len(kinds) // 2) + kinds[len(kinds) // 2 * 2 :]
    assert all(a.alert_id == b.alert_id for a, b in zip(told[::2], told[1::2], strict=False))
    assert len({change.alert_id for change in told[::2]}) == len(told[::2])
    assert all(state.phase in set(AlertPhase) for state in states.values())
