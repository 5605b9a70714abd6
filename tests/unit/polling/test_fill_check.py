"""Which listed trades have no fill, and how seldom the exchange is asked for that."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from coliseum.kalshi.client import Kalshi
from coliseum.polling.fill_check import PENDING_MAX, FillCheck, FillCheckResult
from coliseum.polling.fill_lookup import FillLookup
from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade

NOW = 1_700_000_000_000
MINUTE = 60_000


def fill(fill_id: str, *, order_id: str = "o", at_ms: int = NOW) -> Fill:
    return Fill(
        fill_id=fill_id,
        order_id=order_id,
        ticker="ALPHA",
        book_side=BookSide.BID,
        outcome=Outcome.YES,
        sold=False,
        count=Decimal(1),
        yes_price=Decimal("0.5"),
        no_price=Decimal("0.5"),
        fee=Decimal(0),
        is_taker=True,
        timestamp=at_ms / 1000,
    )


def trade(trade_id: str, *, order_id: str | None = None, at: float = 1.0) -> Trade:
    return Trade(
        trade_id=trade_id,
        ticker="ALPHA",
        side=Side.BUY,
        outcome=Outcome.YES,
        quantity=Decimal(1),
        price=Decimal("0.5"),
        timestamp=at,
        order_id=order_id,
    )


class Account:
    """Answers with its fills, and records from when they were requested."""

    def __init__(self, *fills: Fill) -> None:
        self.list = fills
        self.requests: list[int] = []

    def for_seconds(self, seconds: float) -> Account:
        del seconds
        return self

    def all_fills(self, *, since: int) -> tuple[Fill, ...]:
        self.requests.append(since)
        return self.list


def check_of(account: Account | None, *, watches_paper: bool = False) -> FillCheck:
    return FillCheck(FillLookup(cast("Kalshi | None", account), interval=3.0), watches_paper=watches_paper)


def run(check: FillCheck, now_ms: int, *, mode: str | None = "live") -> FillCheckResult | None:
    return check.run(mode=mode, now_ms=now_ms, tick=1)


def unconfirmed(check: FillCheck, now_ms: int) -> int | None:
    result = run(check, now_ms)
    assert result is not None
    return result.unconfirmed


def test_a_trade_without_a_fill_counts_once_the_exchange_had_its_time() -> None:
    check = check_of(Account(fill("a")))
    check.note((), now_ms=NOW, is_first=True)
    check.note((trade("a"), trade("b")), now_ms=NOW, is_first=False)

    assert unconfirmed(check, NOW + MINUTE - 1) == 0
    assert unconfirmed(check, NOW + MINUTE) == 1


def test_a_trade_with_an_id_of_the_bots_own_is_confirmed_by_its_order() -> None:
    check = check_of(Account(fill("a", order_id="order")))
    check.note((trade("mine", order_id="order"),), now_ms=NOW, is_first=True)

    assert unconfirmed(check, NOW + MINUTE) == 0


def test_a_late_fill_confirms_its_trade() -> None:
    account = Account()
    check = check_of(account)
    check.note((trade("a"),), now_ms=NOW, is_first=True)
    assert unconfirmed(check, NOW + MINUTE) == 1
    account.list = (fill("a"),)

    assert unconfirmed(check, NOW + 2 * MINUTE) == 0


def test_a_minute_without_an_unconfirmed_trade_asks_nothing() -> None:
    account = Account(fill("a"))
    check = check_of(account)
    check.note((trade("a"),), now_ms=NOW, is_first=True)
    run(check, NOW)
    for minute in range(1, 30):
        check.note((trade("a"),), now_ms=NOW + minute * MINUTE, is_first=False)
        run(check, NOW + minute * MINUTE)

    assert len(account.requests) == 1


def test_fills_are_requested_by_our_own_time_and_not_by_the_bots() -> None:
    account = Account()
    check = check_of(account)
    check.note((trade("old"),), now_ms=NOW, is_first=True)
    check.note((trade("old"), trade("new", at=9e9)), now_ms=NOW + MINUTE, is_first=False)
    run(check, NOW + MINUTE)

    assert account.requests == [NOW // 1000 - 86_400]


def test_trades_that_stay_unconfirmed_are_asked_for_less_and_less_often() -> None:
    account = Account()
    check = check_of(account)
    check.note((trade("a"),), now_ms=NOW, is_first=True)
    for minute in range(60):
        run(check, NOW + minute * MINUTE)

    assert len(account.requests) == 15 + 4  # each minute for a quarter of an hour, then every ten minutes
    assert unconfirmed(check, NOW + 86_399_000) == 1
    assert unconfirmed(check, NOW + 86_400_000) == 0


def test_an_id_that_is_used_again_in_a_later_list_is_looked_for_again() -> None:
    account = Account(fill("1"))
    check = check_of(account)
    check.note((trade("1"),), now_ms=NOW, is_first=True)
    assert unconfirmed(check, NOW) == 0
    account.list = ()
    check.note((), now_ms=NOW + MINUTE, is_first=False)
    check.note((trade("1"),), now_ms=NOW + 2 * MINUTE, is_first=False)

    assert unconfirmed(check, NOW + 3 * MINUTE) == 1


def test_a_bot_on_paper_has_no_unconfirmed_trades_and_costs_no_request_where_no_real_money_trades() -> None:
    account = Account()
    check = check_of(account)
    check.note((trade("a"),), now_ms=NOW, is_first=True)

    assert run(check, NOW + MINUTE, mode="paper") == FillCheckResult(unconfirmed=None, newest_fill_ms=None)
    assert run(check, NOW + MINUTE, mode=None) is None
    assert account.requests == []


def test_the_fills_of_a_bot_on_paper_are_watched_where_they_are_real_money() -> None:
    account = Account(fill("x", at_ms=NOW - 5000))
    check = check_of(account, watches_paper=True)

    result = FillCheckResult(unconfirmed=None, newest_fill_ms=NOW - 5000)
    assert run(check, NOW, mode="paper") == result
    assert run(check, NOW + MINUTE, mode="paper") == result
    assert account.requests == [NOW // 1000 - 30, NOW // 1000 - 30]


def test_without_an_exchange_nothing_is_noted_or_compared() -> None:
    check = check_of(None)
    check.note((trade("a"),), now_ms=NOW, is_first=True)

    assert run(check, NOW + MINUTE) is None


def test_only_the_newest_trades_without_a_fill_are_remembered() -> None:
    check = check_of(Account())
    for number in range(PENDING_MAX + 50):
        check.note((trade(str(number)),), now_ms=NOW, is_first=False)

    assert unconfirmed(check, NOW + MINUTE) == PENDING_MAX
