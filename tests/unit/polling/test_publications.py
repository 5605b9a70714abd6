from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import Candidate, EntryKind
from coliseum.polling.backfill import GAP_TIMEOUT_MS, Recovery
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, KnownTrade, SourceGap
from coliseum.polling.diff import ListDifference
from coliseum.polling.publications import (
    Publication,
    batches,
    fills_publication,
    late_recovery_publication,
    list_publication,
    republish_before_list,
    status_publication,
    without_expired_gap,
)
from coliseum.trading.trades import Side, Trade, TradeSource

HOLE = SourceGap(reason="overflow", key="k", from_ms=0, to_ms=60_000, lost=2, at_least=2)
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


def difference(
    *trades: Trade, hole: SourceGap | None = None, rejected: tuple[RejectedTrade, ...] = ()
) -> ListDifference:
    known = {one.trade_id: KnownTrade(one.digest(), one.timestamp) for one in trades}
    return ListDifference(
        trades=trades, rejected=rejected, hole=hole, after=replace(EMPTY_CHECKPOINT, run="r", known=known)
    )


def words(entries: tuple[Candidate, ...]) -> list[str]:
    return [one.data.get("trade_id") or one.data.get("reason") or one.data["status"] for one in entries]


def test_a_hole_comes_first_then_what_fills_it_then_what_was_refused_then_the_news() -> None:
    recovery = Recovery(
        trades=(trade("filled", source=TradeSource.KALSHI),), hole=replace(HOLE, lost=1, backfilled=1), settled=True
    )
    bad = RejectedTrade(None, "no trade", "d")
    found = list_publication(difference(trade("new"), hole=HOLE, rejected=(bad,)), recovery, trades=(trade("new"),))

    assert words(found.entries) == ["overflow", "filled", "invalid_trade", "new"]
    assert found.entries[0].data["lost"] == 1
    assert found.after.hole is None
    assert found.after.known["filled"] == KnownTrade("", 1.0)


def test_a_hole_without_an_answer_stays_open() -> None:
    found = list_publication(difference(hole=HOLE), None, trades=())

    assert found.entries[0].data["lost"] == 2
    assert found.after.hole == HOLE


def test_an_answer_that_may_be_incomplete_leaves_the_rest_open() -> None:
    rest = replace(HOLE, lost=1, backfilled=1)
    recovery = Recovery(trades=(trade("f", source=TradeSource.KALSHI),), hole=rest, settled=False)

    assert list_publication(difference(hole=HOLE), recovery, trades=()).after.hole == rest


def test_a_late_answer_without_news_says_nothing() -> None:
    open_hole = replace(EMPTY_CHECKPOINT, hole=HOLE)

    assert late_recovery_publication(open_hole, Recovery(trades=(), hole=HOLE, settled=False)) == Publication(
        (), open_hole
    )
    assert late_recovery_publication(open_hole, Recovery(trades=(), hole=HOLE, settled=True)).after.hole is None


def test_a_late_answer_tells_the_hole_again_with_its_trades() -> None:
    recovery = Recovery(
        trades=(trade("f", source=TradeSource.KALSHI),), hole=replace(HOLE, lost=1, backfilled=1), settled=True
    )
    found = late_recovery_publication(replace(EMPTY_CHECKPOINT, hole=HOLE), recovery)

    assert words(found.entries) == ["overflow", "f"]
    assert found.entries[0].data["late"]


def test_a_hole_is_given_up_after_its_patience() -> None:
    open_hole = replace(EMPTY_CHECKPOINT, hole=HOLE)

    assert without_expired_gap(open_hole, now_ms=HOLE.to_ms + GAP_TIMEOUT_MS).hole == HOLE
    assert without_expired_gap(open_hole, now_ms=HOLE.to_ms + GAP_TIMEOUT_MS + 1).hole is None
    assert without_expired_gap(EMPTY_CHECKPOINT, now_ms=0) is EMPTY_CHECKPOINT


def test_what_the_exchange_tells_is_known_without_the_bots_wording() -> None:
    found = fills_publication(EMPTY_CHECKPOINT, (trade("f", source=TradeSource.KALSHI),))

    assert words(found.entries) == ["f"]
    assert found.after.known == {"f": KnownTrade("", 1.0)}


def test_a_status_is_an_entry_and_part_of_what_is_known() -> None:
    found = status_publication(EMPTY_CHECKPOINT, ONLINE)

    assert [one.kind for one in found.entries] == [EntryKind.BOT_STATUS]
    assert found.after.status == ONLINE
    assert status_publication(EMPTY_CHECKPOINT, None) == Publication((), EMPTY_CHECKPOINT)


def entries(*names: str) -> tuple[Candidate, ...]:
    return fills_publication(EMPTY_CHECKPOINT, tuple(trade(name) for name in names)).entries


def test_parts_are_whole_findings_with_their_own_checkpoint() -> None:
    checkpoints = [replace(EMPTY_CHECKPOINT, listed=number) for number in range(4)]
    waiting = [
        Publication(entries("a", "b"), checkpoints[0]),
        Publication(entries("c"), checkpoints[1]),
        Publication(entries("d", "e", "f", "g"), checkpoints[2]),
        Publication((), checkpoints[3]),
    ]
    made = batches(waiting, size=3)

    assert [len(part.entries) for part in made] == [3, 4, 0]
    assert [part.after.listed for part in made] == [1, 2, 3]


def test_an_emptied_log_gets_what_the_list_has_dropped_in_order_of_time() -> None:
    run_one, run_two = (
        list_publication(difference(one), None, trades=(one,)).entries for one in (trade("1", 5.0), trade("1", 9.0))
    )
    waiting = (
        Publication(run_two, EMPTY_CHECKPOINT),
        Publication(run_one, EMPTY_CHECKPOINT),
        Publication(entries("listed"), EMPTY_CHECKPOINT),
    )
    found = republish_before_list(waiting, (trade("listed"),), EMPTY_CHECKPOINT, {})

    assert [one.at for one in found.entries] == ["5.0", "9.0"]
