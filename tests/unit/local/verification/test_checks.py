from __future__ import annotations

from typing import Any

import pytest
from tests.unit.arena.agents.contexts import context

from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import context_hash, shown_hash
from coliseum_local.verification.checks import shown_differences
from coliseum_local.verification.rows import CheckedForecast, CheckedMarket

FULL = context()


def differences(track: Track, own: object, frozen: dict[str, Any] | None = FULL) -> list[str]:
    about: dict[str, Any] = {"round_id": "r", "ticker": "A"}
    sealed: dict[str, Any] = {
        "forecast_id": "r/A/uniform/blind",
        "track": track.value,
        "payload": {"context_hash": own},
    }
    forecast = CheckedForecast.model_construct(**about, **sealed)
    frozen_market: dict[str, Any] = {**about, "context": frozen}
    market = CheckedMarket.model_construct(**frozen_market)
    return [difference.path for difference in shown_differences([forecast], [market])]


@pytest.mark.parametrize("track", list(Track))
def test_a_forecast_answers_to_what_its_track_was_shown(track: Track) -> None:
    assert differences(track, shown_hash(FULL, track)) == []
    assert differences(track, context_hash(FULL)) == []  # as forecasts of older rounds have it


@pytest.mark.parametrize("own", [shown_hash(FULL, Track.AWARE), "0" * 64, None, 7])
def test_a_forecast_that_answers_to_something_else_is_found(own: object) -> None:
    assert differences(Track.BLIND, own) == ["forecasts/r/A/uniform/blind.payload.context_hash"]


def test_a_context_that_is_not_public_is_no_difference_here() -> None:
    assert differences(Track.BLIND, "0" * 64, frozen=None) == []
