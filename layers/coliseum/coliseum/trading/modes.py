"""Paper or live: whether the bot's orders cost real money, and since when we know. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class BotMode:
    """The mode that the bot reports, or reported last. An unknown mode is None and never paper."""

    name: str
    """paper or live, as the bot sends it."""
    as_of: datetime
    """When the bot reported it."""
    stale: bool
    """True: the bot does not answer now, and this is its last report."""
    warning: str | None = None
    """Why the mode does not fit the exchange."""


def mode_warning(mode: str | None, *, exchange: str | None, has_fills: bool = False) -> str | None:
    """Why `mode` does not fit the exchange that this system reads; None where it does, or where nothing is known.

    `exchange` is `sandbox`, `demo`, `production` or `other`. `has_fills`: the account was filled lately. A bot that
    trades on the sandbox or the demo rightly says `paper`, although its orders are filled there.
    """
    if mode == "live" and exchange in _PLAY_MONEY:
        return f"The bot says live, but this system reads {_PLAY_MONEY[exchange]}, where no real money trades."
    if mode == "paper" and has_fills and is_real_money(exchange):
        return "The bot says paper, but its account has new fills: somebody trades real money there."
    return None


def is_real_money(exchange: str | None) -> bool:
    """Whether fills of this exchange certainly cost real money."""
    return exchange == "production"


_PLAY_MONEY = {"sandbox": "the sandbox exchange", "demo": "Kalshi's demo exchange"}


def last_mode(status: Mapping[str, Any] | None) -> BotMode | None:
    """The mode in a published `bot_status`, marked as stale; None where there is none."""
    try:
        if not status or status["mode"] is None:
            return None
        as_of, warning = datetime.fromisoformat(status["mode_as_of"]), status.get("mode_warning")
        return BotMode(str(status["mode"]), as_of, True, None if warning is None else str(warning))
    except (KeyError, TypeError, ValueError):
        return None
