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


def last_mode(status: Mapping[str, Any] | None) -> BotMode | None:
    """The mode in a published `bot_status`, marked as stale; None where there is none."""
    try:
        return BotMode(str(status["mode"]), datetime.fromisoformat(status["mode_as_of"]), True) if status else None
    except (KeyError, TypeError, ValueError):
        return None
