"""Paper or live is said, never guessed."""

from __future__ import annotations

import pytest

from coliseum.errors import ConfigurationError
from coliseum_local.bot.mode import CONFIRMATION, decide

SANDBOX = "http://127.0.0.1:8003/trade-api/v2"
DEMO = "https://external-api.demo.kalshi.co/trade-api/v2"
PRODUCTION = "https://external-api.kalshi.com/trade-api/v2"


@pytest.mark.parametrize("url", [SANDBOX, "http://localhost:1/x", "http://[::1]:8003/trade-api/v2"])
def test_this_machines_exchange_is_paper_without_asking(url: str) -> None:
    mode = decide(exchange=url, live=False, confirmation=None)
    assert (mode.name, mode.target, mode.confirmed) == ("paper", "sandbox", False)
    assert "PAPER" in mode.announcement
    assert CONFIRMATION not in mode.announcement


@pytest.mark.parametrize(
    ("url", "live"), [(SANDBOX, True), (DEMO, False), (PRODUCTION, True), ("http://127.0.0.1.evil.example/", True)]
)
@pytest.mark.parametrize("confirmation", [None, "", "yes", "i_understand"])
def test_without_the_exact_words_nothing_leaves_this_machine(url: str, live: bool, confirmation: str | None) -> None:
    with pytest.raises(ConfigurationError, match=f"COLISEUM_BOT_LIVE: .*{CONFIRMATION}"):
        decide(exchange=url, live=live, confirmation=confirmation)


def test_production_needs_both_the_words_and_the_flag() -> None:
    with pytest.raises(ConfigurationError, match="--live"):
        decide(exchange=PRODUCTION, live=False, confirmation=CONFIRMATION)
    mode = decide(exchange=PRODUCTION, live=True, confirmation=CONFIRMATION)
    assert (mode.name, mode.target) == ("live", "production")
    assert CONFIRMATION in mode.announcement


def test_the_demo_is_paper_and_a_stranger_is_taken_for_real() -> None:
    assert decide(exchange=DEMO, live=False, confirmation=CONFIRMATION).name == "paper"
    assert decide(exchange="https://notdemo.example/", live=True, confirmation=CONFIRMATION).target == "production"
