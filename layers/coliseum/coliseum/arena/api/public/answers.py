"""Types that several of the arena's answers use."""

from __future__ import annotations

from typing import Literal

Probability = float
TrackName = Literal["blind", "aware", "informed", "open"]
