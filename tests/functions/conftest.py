"""The fixtures of the forecaster's tests."""

from __future__ import annotations

from tests.functions.forecaster_world import openrouter, openrouter_server, world

__all__ = ["openrouter", "openrouter_server", "world"]
