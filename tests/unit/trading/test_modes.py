from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from coliseum.trading.modes import BotMode, is_real_money, last_mode, mode_warning


def test_the_mode_of_a_published_status_is_stale_and_has_its_age() -> None:
    status = {"status": "online", "mode": "live", "mode_as_of": "2026-11-21T08:00:00.000Z"}

    assert last_mode(status) == BotMode("live", datetime(2026, 11, 21, 8, tzinfo=UTC), True)


@pytest.mark.parametrize(
    "status", [None, {}, {"mode": None, "mode_as_of": None}, {"mode": "paper"}, {"mode": "paper", "mode_as_of": "now"}]
)
def test_what_nobody_said_is_no_mode(status: dict[str, Any] | None) -> None:
    assert last_mode(status) is None


@pytest.mark.parametrize(
    ("mode", "exchange", "has_fills", "part"),
    [
        ("live", "sandbox", False, "sandbox exchange"),
        ("live", "demo", False, "demo exchange"),
        ("paper", "production", True, "real money"),
    ],
)
def test_a_mode_that_does_not_fit_the_exchange_is_warned_of(
    mode: str, exchange: str, *, has_fills: bool, part: str
) -> None:
    assert part in (mode_warning(mode, exchange=exchange, has_fills=has_fills) or "")


@pytest.mark.parametrize(
    ("mode", "exchange", "has_fills"),
    [
        ("paper", "sandbox", True),  # the local bot
        ("paper", "demo", True),
        ("paper", "production", False),
        ("live", "production", True),
        ("live", None, False),
        ("paper", None, True),
        ("paper", "other", True),
        (None, "sandbox", True),
        ("backtest", "sandbox", True),
    ],
)
def test_a_mode_that_fits_or_is_unknown_is_no_reason_for_a_warning(
    mode: str | None, exchange: str | None, *, has_fills: bool
) -> None:
    assert mode_warning(mode, exchange=exchange, has_fills=has_fills) is None


def test_only_production_certainly_trades_real_money() -> None:
    names = ["sandbox", "demo", "production", "other", None]

    assert [is_real_money(name) for name in names] == [False, False, True, False, False]
