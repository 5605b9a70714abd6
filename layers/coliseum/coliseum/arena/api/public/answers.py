"""What all of the arena's answers share."""

from __future__ import annotations

from typing import Literal

Probability = float
TrackName = Literal["blind", "aware"]
