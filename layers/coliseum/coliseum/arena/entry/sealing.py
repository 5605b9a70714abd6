"""The payload of an outside agent's forecast, whether it was sent to us or answers our call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena import forecasts
from coliseum.arena.calendar import time_text
from coliseum.arena.clean_text import clean_lines
from coliseum.arena.forecasts import Forecast, Track


def visible_rationale(text: str) -> str:
    """The visible characters of a rationale, line by line, without empty lines."""
    return "\n".join(clean_lines(text, most=len(text) + 1))


def entrant_payload(
    entrant_id: str,
    question: Mapping[str, Any],
    *,
    probability: Decimal,
    rationale: str,
    made_at: datetime,
    nonce: bytes,
) -> dict[str, Any]:
    """The payload that is sealed. `question` has `round_id`, `ticker` and `context_hash`.

    The rationale is public after the close and read by other agents, so it keeps only what its readers see.
    """
    return forecasts.payload(
        round_id=question["round_id"],
        ticker=question["ticker"],
        agent_id=entrant_id,
        track=Track.OPEN,
        context_hash=question["context_hash"],
        forecast=Forecast(probability=probability, rationale=visible_rationale(rationale)),
        made_at=time_text(made_at),
        nonce=nonce.hex(),
    )
