from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import Candidate, Kind
from coliseum.polling.backfill import PATIENCE_MS, Recovery
from coliseum.polling.checkpoint import BLANK, Hole, Known
from coliseum.polling.diff import Difference
from coliseum.polling.publications import (
    Findings,
    before_list,
    given_up,
    of_fills,
    of_late_answer,
    of_list,
    of_status,
    parts,
)
from coliseum.trading.trades import Side, Trade, TradeSource

HOLE = Hole(reason="overflow", key="k", from_ms=0, to_ms=60_000, lost=2, at_least=2)
ONLINE = {"status": "online", "since": "2026-11-21T00:00:00.000Z", "trades": 1, "detail": None}


def trade(name: str, at: float = 1.0, *, source: TradeSource = TradeSource.BOT_LIVE) -> Trade:
    return Trade(
        trade_id=name,
        ticker="ALPHA",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(1),
        price=Decimal("0.5"),
        timestamp=at,
        source=source,
        backfilled=source is TradeSource.KALSHI,
    )


def difference(*trades: Trade, hole: Hole | None = None, rejected: tuple[RejectedTrade, ...] = ()) -> Difference:
    known = {one.trade_id: Known(one.digest(), one.timestamp) for one in trades}
    return Difference(trades=trades, rejected=rejected, hole=hole, after=replace(BLANK, run="r", known=known))


def words(entries: tuple[Candidate, ...]) -> list[str]:
    return [one.data.get("trade_id") or one.data.get("reason") or one.data["status"] for one in entries]


def test_a_hole_comes_first_then_what_fills_it_then_what_was_refused_then_the_news() -> None:
    recovery = Recovery(
        trades=(trade("filled", source=TradeSource.KALSHI),), hole=replace(HOLE, lost=1, backfilled=1), settled=True
    )
    bad = RejectedTrade(None, "no trade", "d")
    found = of_list(difference(trade("new"), hole=HOLE, rejected=(bad,)), recovery, trades=(trade("new"),))

    assert words(found.entries) == ["overflow", "filled", "invalid_trade", "new"]
    assert found.entries[0].data["lost"] == 1
    assert found.after.hole is None
    assert found.after.known["filled"] == Known("", 1.0)


def test_a_hole_without_an_answer_stays_open() -> None:
    found = of_list(difference(hole=HOLE), None, trades=())

    assert found.entries[0].data["lost"] == 2
    assert found.after.hole == HOLE


def test_an_answer_that_may_be_incomplete_leaves_the_rest_open() -> None:
    rest = replace(HOLE, lost=1, backfilled=1)
    recovery = Recovery(trades=(trade("f", source=TradeSource.KALSHI),), hole=rest, settled=False)

    assert of_list(difference(hole=HOLE), recovery, trades=()).after.hole == rest


def test_a_late_answer_without_news_says_nothing() -> None:
    open_hole = replace(BLANK, hole=HOLE)

    assert of_late_answer(open_hole, Recovery(trades=(), hole=HOLE, settled=False)) == Findings((), open_hole)
    assert of_late_answer(open_hole, Recovery(trades=(), hole=HOLE, settled=True)).after.hole is None


def test_a_late_answer_tells_the_hole_again_with_its_trades() -> None:
    recovery = Recovery(
        trades=(trade("f", source=TradeSource.KALSHI),), hole=replace(HOLE, lost=1, backfilled=1), settled=True
    )
    found = of_late_answer(replace(BLANK, hole=HOLE), recovery)

    assert words(found.entries) == ["overflow", "f"]
    assert found.entries[0].data["late"]


def test_a_hole_is_given_up_after_its_patience() -> None:
    open_hole = replace(BLANK, hole=HOLE)

    assert given_up(open_hole, now_ms=HOLE.to_ms + PATIENCE_MS).hole == HOLE
    assert given_up(open_hole, now_ms=HOLE.to_ms + PATIENCE_MS + 1).hole is None
    assert given_up(BLANK, now_ms=0) is BLANK


def test_what_the_exchange_tells_is_known_without_the_bots_wording() -> None:
    found = of_fills(BLANK, (trade("f", source=TradeSource.KALSHI),))

    assert words(found.entries) == ["f"]
    assert found.after.known == {"f": Known("", 1.0)}


def test_a_status_is_an_entry_and_part_of_what_is_known() -> None:
    found = of_status(BLANK, ONLINE)

    assert [one.kind for one in found.entries] == [Kind.BOT_STATUS]
    assert found.after.status == ONLINE
    assert of_status(BLANK, None) == Findings((), BLANK)


def entries(*names: str) -> tuple[Candidate, ...]:
    return of_fills(BLANK, tuple(trade(name) for name in names)).entries


def test_parts_are_whole_findings_with_their_own_checkpoint() -> None:
    checkpoints = [replace(BLANK, listed=number) for number in range(4)]
    waiting = [
        Findings(entries("a", "b"), checkpoints[0]),
        Findings(entries("c"), checkpoints[1]),
        Findings(entries("d", "e", "f", "g"), checkpoints[2]),
        Findings((), checkpoints[3]),
    ]
    made = parts(waiting, size=3)

    assert [len(part.entries) for part in made] == [3, 4, 0]
    assert [part.after.listed for part in made] == [1, 2, 3]


def test_an_emptied_log_gets_what_the_list_has_dropped_in_order_of_time() -> None:
    run_one, run_two = (
        of_list(difference(one), None, trades=(one,)).entries for one in (trade("1", 5.0), trade("1", 9.0))
    )
    waiting = (Findings(run_two, BLANK), Findings(run_one, BLANK), Findings(entries("listed"), BLANK))
    found = before_list(waiting, (trade("listed"),), BLANK, {})

    assert [one.at for one in found.entries] == ["5.0", "9.0"]
