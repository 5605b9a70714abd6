"""Our books, from what the exchange would send us, against the books it keeps for the account itself."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import pytest

from coliseum.kalshi import parse, wire
from coliseum.portfolio.ledger import Ledger
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.trading.money import CENT, ZERO
from coliseum.trading.trades import BookSide
from coliseum_local.exchange import market_lifecycle, simulation
from coliseum_local.exchange import wire as sent
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.orders import OrderRejected, SelfTradePrevention, TimeInForce
from coliseum_local.exchange.venue import OrderRequest, Venue

START = 1_795_262_400.0
FUNDS = Decimal(10_000)
ME = "me"


Document = TypeVar("Document", bound=wire.WireObject)


def _read(model: type[Document], row: dict[str, Any]) -> Document:
    return parse.document(model, json.dumps(row).encode(), endpoint="test")


class Session:
    """A member who trades at random: takes, rests, cancels, flips, in whole and fractional contracts, to the end."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.venue = Venue(seed=f"books-{seed}", now=START)
        simulation.open_new_exchange(self.venue)
        self.venue.open_account(ME, cash=FUNDS, member=True)
        simulation.advance(self.venue, START, active=False)

    def act(self) -> None:
        market = self.rng.choice(list(self.venue.open_markets())[:8])
        action = self.rng.choices(["take", "rest", "cancel", "wait", "settle"], [10, 4, 1, 2, 1])[0]
        if action == "take":
            self._order(market, price=self.rng.choice(["0.99", "0.01"]), force=TimeInForce.IMMEDIATE_OR_CANCEL)
        elif action == "rest":
            self._order(market, price=f"0.{self.rng.randint(10, 90)}", force=TimeInForce.GOOD_TILL_CANCELED)
        elif action == "cancel" and self.venue.resting:
            order = self.rng.choice(list(self.venue.resting.values()))
            self.venue.cancel(ME, order.order_id)
        elif action == "settle":
            self._settle(market)
        else:
            simulation.advance(self.venue, self.venue.now + self.rng.uniform(1, 10))

    def _order(self, market: SandboxMarket, *, price: str, force: TimeInForce) -> None:
        side = BookSide.BID if Decimal(price) > Decimal("0.5") else BookSide.ASK
        request = OrderRequest(
            ticker=market.ticker,
            side=side if force is TimeInForce.IMMEDIATE_OR_CANCEL else self.rng.choice(list(BookSide)),
            count=self.rng.randint(1, 3_000) * CENT,
            price=Decimal(price),
            time_in_force=force,
            self_trade_prevention=SelfTradePrevention.TAKER_AT_CROSS,
        )
        simulation.advance(
            self.venue, self.venue.now + 1, active=False
        )  # the order of fills with equal times is unknown
        try:
            self.venue.place(ME, request)
        except OrderRejected:
            return

    def _settle(self, market: SandboxMarket) -> None:
        result = self.rng.choice(["yes", "no", "scalar"])
        value = self.rng.randint(1, 99) * CENT if result == "scalar" else None
        market_lifecycle.settle_now(self.venue, market, result=result, value=value)

    def ledger(self) -> Ledger:
        """The ledger of the JSON rows that the exchange would send, parsed as the client parses them."""
        fills = [sent.fill(each, exchange_index=0, legacy=True) for each in self.venue.fills[ME]]
        settlements = [sent.settlement(each) for each in self.venue.settlements[ME]]
        ledger = Ledger()
        ledger.book_fills(parse.fill_from(_read(wire.WireFill, row), endpoint="test") for row in fills)
        ledger.book_settlements(parse.settlement_from(_read(wire.WireSettlement, row)) for row in settlements)
        return ledger


@pytest.mark.parametrize("seed", range(3))
def test_after_any_session_our_ledger_equals_the_exchanges(seed: int) -> None:
    session = Session(seed)
    for _ in range(4):
        for _ in range(50):
            session.act()
        ledger = session.ledger()
        account = session.venue.accounts[ME]
        rows = [
            parse.position_from(_read(wire.WirePosition, sent.position(row, exchange_index=0)))
            for row in account.positions.values()
        ]
        settled = session.venue.settlements[ME]
        paid = [parse.settlement_from(_read(wire.WireSettlement, sent.settlement(row))) for row in settled]
        assert find_discrepancies(ledger.holdings, rows, paid, ledger.settled) == ()
        # A settlement pays whole cents, although a fraction of a contract can be worth less.
        assert abs(FUNDS + ledger.totals().cash - account.cash) <= CENT * len(settled)
    assert len(session.venue.fills[ME]) > 50
    assert ledger.totals().fees > ZERO
