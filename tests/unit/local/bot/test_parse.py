"""The exchange's rows in the bot's words."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coliseum.errors import SourceMalformed
from coliseum_local.bot.parse import fill_from, holding_from, quote_from


@pytest.fixture
def samples(shared_data: Path) -> Any:
    """Recorded bodies by name."""
    folder = shared_data / "kalshi-samples"
    return lambda name: json.loads((folder / f"{name}.json").read_text())


def test_recorded_rows_are_read(samples: Any) -> None:
    market = quote_from(samples("recorded-2026-06-demo.market")["market"])
    fill = fill_from(samples("current-3.34.fills-without-legacy-direction")["fills"][0])
    position = holding_from(samples("current-3.34.positions")["market_positions"][1])
    assert (market.bid, market.ask, market.step) == (Decimal("0.47"), Decimal("0.52"), Decimal("0.01"))
    assert (fill.action, fill.outcome_side, fill.count) == ("", "no", Decimal("10.50"))
    assert (position.contracts, position.average) == (Decimal("-10.50"), Decimal("0.82"))


def test_an_empty_side_is_no_price(samples: Any) -> None:
    market = quote_from(samples("current-3.34.market-finalized")["market"])
    assert (market.bid, market.ask, market.mid) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fill_id", None),
        ("count_fp", "many"),
        ("fee_cost", None),
        ("created_time", "yesterday"),
        ("yes_price_dollars", True),
    ],
)
def test_what_is_missing_or_wrong_is_named(samples: Any, name: str, value: object) -> None:
    row = samples("current-3.34.fills")["fills"][0] | {name: value}
    with pytest.raises(SourceMalformed) as malformed:
        fill_from(row)
    assert malformed.value.field == name
