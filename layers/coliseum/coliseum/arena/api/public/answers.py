"""What all of the arena's answers share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Probability = float
TrackName = Literal["blind", "aware"]


class Answer(BaseModel):
    """Base of the parts of answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")
