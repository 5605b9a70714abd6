"""Our ledger against the sandbox's own, through a whole trading session with settlements, amendments and outages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic import SecretStr
from tests.fixtures.exchange import Exchange, launch_standing_exchange

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.config import Settings
from coliseum.errors import SourceUnavailable
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.account import ExchangeAccount
from coliseum.portfolio.account_state import LedgerSummary
from coliseum.trading.money import ZERO


class Session:
    """An account that is the only taker on a private exchange. It trades on `tickers`, which had no orders of ours."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.now = 0.0
        settings = Settings(
            _env_file=None,
            kalshi_api_base=exchange.url,
            kalshi_api_key=SecretStr(exchange.api_key),
            kalshi_rsa_key_path=exchange.private_key_path,
        )
        self.kalshi = Kalshi.from_settings(settings)
        self.account = ExchangeAccount(self.kalshi, self.cache())
        touched = {order["ticker"] for order in exchange.get("/portfolio/orders", limit=1000)["orders"]}
        listed = [market["ticker"] for market in exchange.get("/markets", status="open", limit=1000)["markets"]]
        self.tickers = [ticker for ticker in listed if ticker not in touched][:4]

    def cache(self) -> Cache:
        return Cache(None, prefix="", breaker=CircuitBreaker(clock=lambda: self.now), clock=lambda: self.now)

    def trade(self, rng: random.Random, orders: int) -> None:
        """Send orders that execute at once, on few markets, so that positions are closed and flipped."""
        for _ in range(orders):
            side = rng.choice(["bid", "ask"])
            count = f"{rng.randint(1, 1500) / 100:.2f}"
            price = "0.9900" if side == "bid" else "0.0100"
            self.exchange.admin("clock", seconds=1)  # the order of fills with equal times is unknown
            self.exchange.order(rng.choice(self.tickers), side, count, price)

    def ledger(self) -> LedgerSummary:
        """Our ledger, brought up to date."""
        return self.ledger_of(self.account)

    def ledger_of(self, account: ExchangeAccount) -> LedgerSummary:
        self.now += 60  # the cached state is no longer fresh
        state = account.positions().state.value
        assert state.problem is None
        assert state.books is not None
        return state.books

    def deposits(self) -> Decimal:
        """The balance less what trading changed by our ledger."""
        totals = self.ledger().totals
        assert totals is not None
        return self.account.balance().value.cash - totals.cash


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    running = launch_standing_exchange(tmp_path_factory.mktemp("account"))
    yield running
    running.stop()


@pytest.fixture
def session(exchange: Exchange) -> Iterator[Session]:
    running = Session(exchange)
    yield running
    running.kalshi.close()
    exchange.reset()


@pytest.mark.parametrize("seed", [1])
def test_through_any_session_our_ledger_equals_the_exchanges_to_the_cent(session: Session, seed: int) -> None:
    rng = random.Random(seed)
    exchange = session.exchange
    deposited = session.deposits()
    for _ in range(3):
        session.trade(rng, 12)
        assert session.ledger().differences == ()
    first, second, third = session.tickers[:3]
    exchange.admin(f"markets/{first}/settle", result="yes")
    exchange.admin(f"markets/{second}/settle", result="no")
    exchange.admin(f"markets/{third}/settle", result="scalar", value="0.37")
    settled = session.ledger()
    assert settled.differences == ()
    assert all(not holding.contracts for holding in settled.holdings if holding.ticker in {first, second, third})
    session.trade(rng, 5)
    assert session.ledger().differences == ()
    # Settlements pay whole cents, fractional contracts may be worth less than one: a cent for each is the most.
    assert abs(session.deposits() - deposited) <= Decimal("0.03")
    again = ExchangeAccount(session.kalshi, session.cache())
    assert again.positions().state.value.books == session.ledger()


def test_positions_are_valued_at_the_bid_of_their_own_side(session: Session) -> None:
    session.exchange.order(session.tickers[0], "bid", "5.00", "0.9900")
    session.exchange.order(session.tickers[1], "ask", "5.00", "0.0100")
    session.now += 60
    positions = {position.ticker: position for position in session.account.positions().positions}
    yes = session.kalshi.market(session.tickers[0])
    no = session.kalshi.market(session.tickers[1])
    assert positions[session.tickers[0]].mark == yes.yes_bid
    assert positions[session.tickers[1]].mark == no.no_bid
    assert all((positions[ticker].unrealized_pnl or ZERO) <= ZERO for ticker in session.tickers[:2])


def test_a_missing_fill_is_shown_as_a_discrepancy(session: Session) -> None:
    session.exchange.order(session.tickers[0], "bid", "5.00", "0.9900")
    account = ExchangeAccount(session.kalshi, session.cache(), fills_since=4_000_000_000)
    fields = {discrepancy.field for discrepancy in session.ledger_of(account).differences}
    assert {"contracts", "exposure"} <= fields


def test_in_an_outage_older_positions_are_served_with_the_reason(session: Session) -> None:
    session.exchange.order(session.tickers[0], "bid", "5.00", "0.9900")
    before = session.ledger()
    session.exchange.admin("outage", active=True)
    session.now += 60
    during = session.account.positions()
    assert (during.state.source, during.state.stale, during.stale) == ("cache", True, True)
    assert isinstance(during.failures[0], SourceUnavailable)
    assert during.state.value.books == before
    session.exchange.admin("outage", active=False)
    assert session.ledger() == before
