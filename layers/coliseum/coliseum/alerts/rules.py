"""The rules: what each is called, how serious it is, how long its condition must last, and its plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from coliseum.alert_settings import AlertLimits


class AlertSeverity(StrEnum):
    """`critical` passes quiet hours and is repeated until somebody acknowledges it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class RuleName(StrEnum):
    BOT_OFFLINE = "bot_offline"
    BOT_IDLE = "bot_idle"
    NO_POLLER = "no_poller"
    TRADES_LOST = "trades_lost"
    FILLS_DIFFER = "fills_differ"
    BOOKS_DIFFER = "books_differ"
    DAY_LOSS = "day_loss"
    DRAWDOWN = "drawdown"
    EXPOSURE = "exposure"
    EVENT_EXPOSURE = "event_exposure"
    CLOSING = "closing"
    EXCHANGE_CHANGED = "exchange_changed"
    EXCHANGE_PAUSED = "exchange_paused"
    KEY_REFUSED = "key_refused"
    BUDGET = "budget"
    SILENT_MODEL = "silent_model"
    BOARD_RANK = "board_rank"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one rule behaves. An `is_event` rule raises once for each thing that happened and is never cleared."""

    name: RuleName
    severity: AlertSeverity
    raise_after_seconds: float = 0
    clear_after_seconds: float = 0
    is_event: bool = False


JITTER_SECONDS = 5.0
"""Looks come once a minute, but not exactly: two minutes must not become three because a look came a little early."""
_CRITICAL = frozenset(
    (
        RuleName.BOT_OFFLINE,
        RuleName.NO_POLLER,
        RuleName.DAY_LOSS,
        RuleName.DRAWDOWN,
        RuleName.KEY_REFUSED,
    )
)
_EVENTS = frozenset(
    (
        RuleName.TRADES_LOST,
        RuleName.CLOSING,
        RuleName.EXCHANGE_CHANGED,
        RuleName.BOARD_RANK,
        RuleName.DIGEST,
        RuleName.TEST,
    )
)
_INFO = frozenset((RuleName.BOARD_RANK, RuleName.DIGEST, RuleName.TEST))
_CLEAR_AFTER: Mapping[RuleName, float] = {RuleName.BOT_OFFLINE: 60, RuleName.EXCHANGE_PAUSED: 60}
"""Seconds for which a condition must be gone. Elsewhere the first look without it clears the alert."""
_LASTS = {
    RuleName.BOT_OFFLINE: ("bot_offline_minutes", 60.0),
    RuleName.NO_POLLER: ("no_poller_minutes", 60.0),
    RuleName.BOOKS_DIFFER: ("books_differ_minutes", 60.0),
    RuleName.EXCHANGE_PAUSED: ("exchange_paused_minutes", 60.0),
}
"""Rules whose limit is how long the condition lasts, with the seconds of its unit."""


def rules_for(limits: AlertLimits) -> dict[RuleName, Rule]:
    """The rules that these limits leave on. The digest and the test message have settings of their own."""
    on = {RuleName(each.name.rpartition("_")[0]) for each in fields(limits) if getattr(limits, each.name) is not None}
    return {name: _rule(name, limits) for name in RuleName if name in on | {RuleName.DIGEST, RuleName.TEST}}


def _rule(name: RuleName, limits: AlertLimits) -> Rule:
    severity = (
        AlertSeverity.CRITICAL if name in _CRITICAL else AlertSeverity.INFO if name in _INFO else AlertSeverity.WARNING
    )
    lasts = 0.0
    if name in _LASTS:
        setting, unit = _LASTS[name]
        lasts = (getattr(limits, setting) or 0.0) * unit
    if name is RuleName.KEY_REFUSED:  # refused in two looks, a minute apart
        lasts = ((limits.key_refused_count or 1) - 1) * 60 * 0.75
    return Rule(
        name=name,
        severity=severity,
        raise_after_seconds=max(0.0, lasts - JITTER_SECONDS),
        clear_after_seconds=_CLEAR_AFTER.get(name, 0.0),
        is_event=name in _EVENTS,
    )
