"""Paper or live: whether the bot's orders cost real money, by whose word and how old. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class BotMode:
    """The mode as the bot says it, or as it said it last. Where nobody knows there is none: unknown is not paper."""

    name: str
    """paper or live, in the bot's own word."""
    as_of: datetime
    """When the bot said so."""
    stale: bool
    """Not the bot's word of now."""


def last_mode(status: Mapping[str, Any] | None) -> BotMode | None:
    """The mode in a published `bot_status`, always stale; None where it holds none."""
    try:
        return BotMode(str(status["mode"]), datetime.fromisoformat(status["mode_as_of"]), True) if status else None
    except (KeyError, TypeError, ValueError):
        return None
