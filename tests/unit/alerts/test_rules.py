from __future__ import annotations

from dataclasses import fields

from coliseum.alert_settings import AlertLimits, parse_limits
from coliseum.alerts.rules import AlertSeverity, RuleName, rules_for
from coliseum.alerts.texts import TITLES


def test_every_limit_belongs_to_a_rule_and_every_rule_has_a_title() -> None:
    named = {each.name.rpartition("_")[0] for each in fields(AlertLimits)}
    assert named | {"digest", "test"} == {name.value for name in RuleName}
    assert TITLES.keys() == set(RuleName)


def test_the_boards_rank_is_off_until_it_is_asked_for() -> None:
    assert RuleName.BOARD_RANK not in rules_for(parse_limits(None))
    assert RuleName.BOARD_RANK in rules_for(parse_limits("board_rank_count=1"))


def test_a_rule_that_is_off_is_no_rule() -> None:
    assert RuleName.BOT_IDLE not in rules_for(parse_limits("bot_idle_hours=off"))


def test_a_limit_in_minutes_is_how_long_the_condition_lasts_but_for_the_jitter_of_looks() -> None:
    rules = rules_for(parse_limits("bot_offline_minutes=5"))
    assert rules[RuleName.BOT_OFFLINE].raise_after_seconds == 295
    assert rules[RuleName.NO_POLLER].raise_after_seconds == 175


def test_what_costs_money_or_blinds_the_operator_is_critical() -> None:
    critical = {name for name, rule in rules_for(AlertLimits()).items() if rule.severity is AlertSeverity.CRITICAL}
    assert critical == {
        RuleName.BOT_OFFLINE,
        RuleName.NO_POLLER,
        RuleName.DAY_LOSS,
        RuleName.DRAWDOWN,
        RuleName.KEY_REFUSED,
    }
