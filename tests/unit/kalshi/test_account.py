from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.kalshi import payloads
from tests.unit.kalshi.payloads import fill_number, settlement
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import SourceRefused
from coliseum.kalshi.retry import HttpAnswer, SendRequest
from coliseum.kalshi.subaccounts import Subaccounts

BASE = 1_795_168_800
CUTOFF = "2026-11-20T10:00:00Z"


def _tiers(
    *, live: list[int], historical: list[int], cutoff: str = "2026-11-20T10:00:00Z"
) -> Callable[[SendRequest], object]:
    """Fills by number in both tiers; the cutoff is at fill 0."""

    def answer(step: SendRequest) -> object:
        if step.path == "/historical/cutoff":
            return payloads.CUTOFF | {"trades_created_ts": cutoff}
        numbers = historical if step.path == "/historical/fills" else live
        return payloads.fills(*(fill_number(number) for number in numbers))

    return answer


def test_fills_of_both_tiers_are_merged_each_once_newest_first() -> None:
    exchange = Exchange(_tiers(live=[9, 8, 7], historical=[7, 6, 5]))
    result = exchange.run(exchange.calls.all_fills())
    assert [fill.fill_id for fill in result] == [f"fill-{number:04d}" for number in (9, 8, 7, 6, 5)]


def test_the_live_tier_is_read_before_the_historical_one() -> None:
    exchange = Exchange(_tiers(live=[2], historical=[1]))
    exchange.run(exchange.calls.all_fills(ticker="KXRAIN-26NOV21-NYC", until=BASE + 99))
    assert [step.path for step in exchange.sent] == ["/portfolio/fills", "/historical/cutoff", "/historical/fills"]


def test_recent_fills_need_the_live_tier_only() -> None:
    exchange = Exchange(_tiers(live=[2], historical=[1]))
    result = exchange.run(exchange.calls.all_fills(since=BASE + 1))
    assert [step.path for step in exchange.sent] == ["/portfolio/fills", "/historical/cutoff"]
    assert len(result) == 1


def test_fills_since_the_cutoffs_own_second_ask_both_tiers() -> None:
    exchange = Exchange(_tiers(live=[2], historical=[1]))
    exchange.run(exchange.calls.all_fills(since=BASE))
    assert exchange.sent[-1].path == "/historical/fills"


def test_fills_of_one_second_have_one_order() -> None:
    def answer(step: SendRequest) -> object:
        same = [payloads.fill(fill_id=name, trade_id=name) for name in ("b", "c", "a")]
        return payloads.CUTOFF if step.path.endswith("cutoff") else payloads.fills(*same)

    exchange = Exchange(answer)
    assert [fill.fill_id for fill in exchange.run(exchange.calls.all_fills(since=BASE))] == ["c", "b", "a"]


def _subaccounts_sent(exchange: Exchange) -> set[str | None]:
    calls = exchange.calls
    for steps in (calls.balance(), calls.positions(), calls.fills(), calls.settlements(), calls.all_settlements()):
        exchange.run(steps)
    return {dict(step.query).get("subaccount") for step in exchange.sent}


def test_the_subaccount_is_left_out_by_default() -> None:
    assert _subaccounts_sent(Exchange(lambda step: payloads.BODIES[step.path])) == {None}


def test_the_subaccount_of_the_setting_is_sent_with_every_call() -> None:
    exchange = Exchange(lambda step: payloads.BODIES[step.path], subaccounts=Subaccounts(3))
    assert _subaccounts_sent(exchange) == {"3"}


def _account_of(*numbers: int, locked_to: int | None) -> Callable[[SendRequest], object]:
    """Fills of these subaccounts, the newest first; a locked key is refused any other number."""

    def answer(step: SendRequest) -> object:
        wanted = dict(step.query).get("subaccount")
        if locked_to is not None and wanted not in {None, str(locked_to)}:
            return HttpAnswer(403, b'{"error":{"code":"forbidden","message":"forbidden"}}')
        if step.path != "/portfolio/fills":
            return payloads.CUTOFF if step.path.endswith("cutoff") else payloads.BODIES[step.path]
        shown = [number for number in numbers if wanted in {None, str(number)}]
        return payloads.fills(
            *(fill_number(100 - place) | {"subaccount_number": number} for place, number in enumerate(shown))
        )

    return answer


def test_all_fills_of_a_key_that_is_locked_to_a_subaccount_are_kept() -> None:
    exchange = Exchange(_account_of(3, 3, locked_to=3))
    assert [fill.subaccount for fill in exchange.run(exchange.calls.all_fills(since=BASE + 1))] == [3, 3]
    exchange.run(exchange.calls.fills())
    assert [dict(step.query).get("subaccount") for step in exchange.sent].count("0") == 1
    assert exchange.subaccounts.warning is None


def test_fills_of_other_subaccounts_are_not_mixed_with_those_of_the_balance_and_that_is_said() -> None:
    exchange = Exchange(_account_of(0, 2, 0, 5, locked_to=None))
    assert [fill.subaccount for fill in exchange.run(exchange.calls.all_fills(since=BASE + 1))] == [0, 0]
    warning = exchange.subaccounts.warning
    assert warning is not None
    assert warning.startswith("subaccounts_left_out: the account also traded in subaccount 2, 5")
    exchange.run(exchange.calls.settlements())
    assert dict(exchange.sent[-1].query)["subaccount"] == "0"


def test_an_account_without_numbered_subaccounts_costs_no_further_call() -> None:
    exchange = Exchange(_account_of(0, 0, locked_to=None))
    exchange.run(exchange.calls.fills())
    assert (len(exchange.sent), exchange.subaccounts.warning) == (1, None)


def test_where_the_key_cannot_be_judged_the_fills_are_not_mixed_either() -> None:
    def answer(step: SendRequest) -> object:
        answered = _account_of(0, 2, locked_to=None)(step)
        return HttpAnswer(401, b"{}") if step.path == "/portfolio/positions" else answered

    exchange = Exchange(answer)
    with pytest.raises(SourceRefused):
        exchange.run(exchange.calls.fills())


def test_positions_are_all_pages() -> None:
    def answer(step: SendRequest) -> object:
        last = "cursor" in dict(step.query)
        row = payloads.position(ticker="B" if last else "A")
        return {"market_positions": [row], "event_positions": [], "cursor": "" if last else "next"}

    exchange = Exchange(answer)
    result = exchange.run(exchange.calls.positions(settlement_status="all"))
    assert [position.ticker for position in result] == ["A", "B"]
    assert dict(exchange.sent[1].query)["settlement_status"] == "all"


def test_calls_of_the_account_are_signed() -> None:
    exchange = Exchange(_tiers(live=[2], historical=[1]))
    exchange.run(exchange.calls.all_fills())
    assert [step.signed for step in exchange.sent] == [True, False, True]


def test_settlements_come_over_all_pages_and_an_amended_market_comes_twice() -> None:
    first = [settlement(ticker="A"), settlement(ticker="B", settled_time="2026-11-22T05:00:00Z")]
    second = [settlement(ticker="B", market_result="no", settled_time="2026-11-22T04:00:00Z")]

    def answer(step: SendRequest) -> object:
        last = "cursor" in dict(step.query)
        return {"settlements": second if last else first, "cursor": "" if last else "next"}

    exchange = Exchange(answer)
    result = exchange.run(exchange.calls.all_settlements(since=7))
    assert [(row.ticker, row.result) for row in result] == [("A", "yes"), ("B", "yes"), ("B", "no")]
    assert [dict(step.query)["min_ts"] for step in exchange.sent] == ["7", "7"]


def test_an_unknown_filter_is_an_error() -> None:
    exchange = Exchange(_tiers(live=[2], historical=[1]))
    with pytest.raises(TypeError, match="tickr"):
        exchange.run(exchange.calls.fills(tickr="A"))  # type: ignore[call-arg]  # which is the point
    with pytest.raises(TypeError, match="event_ticker"):
        exchange.run(exchange.calls.settlements(event_ticker="A"))  # type: ignore[call-arg]  # which is the point
