"""Every recorded or published answer of the exchange is understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coliseum.errors import SourceRateLimited, SourceRefused
from coliseum.kalshi import parse, wire
from coliseum.trading.trades import Fill, Outcome, Side

Document = TypeVar("Document", bound=wire.WireObject)


def _reads(model: type[Document], read: Callable[[Document], object]) -> Callable[[bytes], Any]:
    return lambda body: read(parse.document(model, body, endpoint="GET /sample"))


def _fills(body: wire.FillsDocument) -> list[Fill]:
    return [parse.fill_from(row, endpoint="GET /sample") for row in body.fills or ()]


READERS: dict[str, Callable[[bytes], Any]] = {
    "balance": _reads(wire.WireBalance, parse.balance_from),
    "candlestick-historical": _reads(wire.WireHistoricalCandle, parse.candle_from),
    "candlestick-live": _reads(wire.WireCandle, parse.candle_from),
    "candlestick-live-no-trades": _reads(wire.WireCandle, parse.candle_from),
    "exchange-status": _reads(wire.WireExchangeStatus, parse.status_from),
    "exchange-status-trading-pause": _reads(wire.WireExchangeStatus, parse.status_from),
    "fills": _reads(wire.FillsDocument, _fills),
    "fills-without-legacy-direction": _reads(wire.FillsDocument, _fills),
    "historical-cutoff": _reads(wire.CutoffDocument, parse.cutoff_from),
    "market": _reads(wire.MarketDocument, lambda body: parse.market_from(body.market)),
    "market-finalized": _reads(wire.MarketDocument, lambda body: parse.market_from(body.market)),
    "markets": _reads(wire.MarketsDocument, lambda body: [parse.market_from(row) for row in body.markets or ()]),
    "markets-settled": _reads(
        wire.MarketsDocument, lambda body: [parse.market_from(row) for row in body.markets or ()]
    ),
    "orders": _reads(wire.OrdersDocument, lambda body: [parse.order_from(row) for row in body.orders or ()]),
    "orderbook": _reads(wire.BookDocument, lambda body: parse.book_from(body.orderbook_fp)),
    "positions": _reads(
        wire.PositionsDocument, lambda body: [parse.position_from(row) for row in body.market_positions or ()]
    ),
    "settlements": _reads(
        wire.SettlementsDocument, lambda body: [parse.settlement_from(s) for s in body.settlements or ()]
    ),
    "settlements-empty": _reads(wire.SettlementsDocument, lambda body: [*(body.settlements or ())]),
}
NOT_READ = {
    "account-limits",
    "trade",
    "trades",
    "create-order-v2-request",
    "create-order-v2-ioc-filled",
    "endpoint-costs",
}
"""Samples of calls that the client does not make."""


@pytest.fixture(scope="session")
def samples(shared_data: Path) -> Path:
    return shared_data / "kalshi-samples"


def _kind(sample: Path) -> str:
    return sample.name.removesuffix(".json").removeprefix("current-3.34.").rpartition(".")[2]


def _read(samples: Path, name: str) -> Any:
    return READERS[_kind(samples / name)]((samples / name).read_bytes())


def test_every_sample_is_understood(samples: Path) -> None:
    for sample in sorted(samples.glob("[cr]*.json")):
        if _kind(sample) not in NOT_READ:
            assert READERS[_kind(sample)](sample.read_bytes()) is not None


def test_every_reader_has_its_sample(samples: Path) -> None:
    assert {_kind(sample) for sample in samples.glob("[cr]*.json")} == set(READERS) | NOT_READ


def test_a_sale_of_yes_is_told_as_one(samples: Path) -> None:
    sale = _read(samples, "current-3.34.fills.json")[0]
    trade = sale.as_trade()
    assert (trade.side, trade.outcome, trade.price) == (Side.SELL, Outcome.YES, Decimal("0.18"))
    assert sale.yes_delta == Decimal("-10.5")


def test_without_the_old_words_the_position_moves_all_the_same(samples: Path) -> None:
    old = _read(samples, "current-3.34.fills.json")
    new = _read(samples, "current-3.34.fills-without-legacy-direction.json")
    assert [fill.yes_delta for fill in old] == [fill.yes_delta for fill in new]


def test_an_hour_without_trades_has_no_price(samples: Path) -> None:
    candle = _read(samples, "recorded-2026-09-prod.candlestick-live-no-trades.json")
    assert (candle.price_close, candle.yes_bid_close, candle.yes_ask_close) == (None, None, None)
    assert candle.price_previous == Decimal("0.001")


def test_a_finalized_market_has_a_result_and_no_quotes(samples: Path) -> None:
    market = _read(samples, "current-3.34.market-finalized.json")
    assert (market.result, market.settlement_value, market.yes_bid, market.yes_ask) == ("no", Decimal(0), None, None)


def test_every_observed_error_becomes_one_of_ours(samples: Path) -> None:
    observed = json.loads((samples / "errors-observed.json").read_text())
    for name, case in observed.items():
        error = parse.error_from(case["status"], json.dumps(case["body"]).encode(), endpoint="GET /sample")
        expected = SourceRateLimited if case["status"] == 429 else SourceRefused
        assert type(error) is expected, name
        assert error.code is not None or "msg" in case["body"], name
