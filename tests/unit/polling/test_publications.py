"""What each kind of poll adds to the log, and the checkpoint that belongs to it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import Candidate, EntryKind
from coliseum.polling.backfill import GAP_TIMEOUT_MS, Recovery
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, OPEN_GAPS_MAX, KnownTrade, SourceGap, with_gap
from coliseum.polling.diff import ListDifference
from coliseum.polling.publications import (
    Publication,
    fills_publication,
    late_recovery_publication,
    list_publication,
    status_publication,
    without_expired_gaps,
)
from coliseum.trading.trades import Side, Trade, TradeSource

GAP = SourceGap(reason="overflow", key="k", from_ms=0, to_ms=60_000, lost=2, at_least=2)
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
    *trades: Trade, gap: SourceGap | None = None, rejected: tuple[RejectedTrade, ...] = ()
) -> ListDifference:
    known = {one.trade_id: KnownTrade(one.digest(), one.timestamp) for one in trades}
    return ListDifference(
        trades=trades, rejected=rejected, gap=gap, checkpoint=replace(EMPTY_CHECKPOINT, run="r", known=known)
    )


def summaries(entries: tuple[Candidate, ...]) -> list[str]:
    return [one.data.get("trade_id") or one.data.get("reason") or one.data["status"] for one in entries]


def test_a_gap_comes_first_then_backfilled_trades_then_rejected_rows_then_new_trades() -> None:
    recovery = Recovery(
        trades=(trade("filled", source=TradeSource.KALSHI),), gap=replace(GAP, lost=1, backfilled=1), final=True
    )
    rejected = RejectedTrade(None, "no trade", "d")
    publication = list_publication(
        difference(trade("new"), gap=GAP, rejected=(rejected,)), recovery, trades=(trade("new"),)
    )

    assert summaries(publication.entries) == ["overflow", "filled", "invalid_trade", "new"]
    assert publication.entries[0].data["lost"] == 1
    assert publication.checkpoint.gaps == ()
    assert publication.checkpoint.known["filled"] == KnownTrade("", 1.0)


def test_a_gap_without_an_answer_of_the_exchange_stays_open() -> None:
    publication = list_publication(difference(gap=GAP), None, trades=())

    assert publication.entries[0].data["lost"] == 2
    assert publication.checkpoint.gaps == (GAP,)


def test_an_answer_that_may_be_incomplete_leaves_the_rest_of_the_gap_open() -> None:
    rest = replace(GAP, lost=1, backfilled=1)
    recovery = Recovery(trades=(trade("f", source=TradeSource.KALSHI),), gap=rest, final=False)

    assert list_publication(difference(gap=GAP), recovery, trades=()).checkpoint.gaps == (rest,)


def test_a_late_answer_without_new_trades_adds_no_entry() -> None:
    with_open_gap = replace(EMPTY_CHECKPOINT, gaps=(GAP,))

    assert late_recovery_publication(with_open_gap, Recovery(trades=(), gap=GAP, final=False)) == Publication(
        (), with_open_gap
    )
    assert late_recovery_publication(with_open_gap, Recovery(trades=(), gap=GAP, final=True)).checkpoint.gaps == ()


def test_a_late_answer_announces_the_gap_again_with_its_trades() -> None:
    recovery = Recovery(
        trades=(trade("f", source=TradeSource.KALSHI),), gap=replace(GAP, lost=1, backfilled=1), final=True
    )
    publication = late_recovery_publication(replace(EMPTY_CHECKPOINT, gaps=(GAP,)), recovery)

    assert summaries(publication.entries) == ["overflow", "f"]
    assert publication.entries[0].data["late"]


def test_a_gap_is_closed_after_its_timeout() -> None:
    with_open_gap = replace(EMPTY_CHECKPOINT, gaps=(GAP,))

    assert without_expired_gaps(with_open_gap, now_ms=GAP.to_ms + GAP_TIMEOUT_MS).gaps == (GAP,)
    assert without_expired_gaps(with_open_gap, now_ms=GAP.to_ms + GAP_TIMEOUT_MS + 1).gaps == ()
    assert without_expired_gaps(EMPTY_CHECKPOINT, now_ms=0) is EMPTY_CHECKPOINT


def test_a_trade_of_the_exchange_is_known_without_a_digest() -> None:
    publication = fills_publication(EMPTY_CHECKPOINT, (trade("f", source=TradeSource.KALSHI),))

    assert summaries(publication.entries) == ["f"]
    assert publication.checkpoint.known == {"f": KnownTrade("", 1.0)}


def test_a_status_is_an_entry_and_part_of_the_checkpoint() -> None:
    publication = status_publication(EMPTY_CHECKPOINT, ONLINE)

    assert [one.kind for one in publication.entries] == [EntryKind.BOT_STATUS]
    assert publication.checkpoint.status == ONLINE
    assert status_publication(EMPTY_CHECKPOINT, None) == Publication((), EMPTY_CHECKPOINT)


def test_recovered_trades_come_before_the_list_behind_their_gap_and_the_bots_while_offline_last() -> None:
    listed = {"a": KnownTrade("d", 1.0), "b": KnownTrade("d", 2.0), "c": KnownTrade("d", 3.0)}
    before = replace(EMPTY_CHECKPOINT, known=listed, list_length=2, gaps=(GAP,))
    offline = fills_publication(before, (trade("later", source=TradeSource.KALSHI),)).checkpoint
    recovery = Recovery(trades=(trade("f", source=TradeSource.KALSHI),), gap=GAP, final=False)

    assert list(late_recovery_publication(offline, recovery).checkpoint.known) == ["a", "f", "b", "c", "later"]


def test_a_new_gap_leaves_the_earlier_ones_open() -> None:
    second = replace(GAP, key="k2", from_ms=60_000, to_ms=90_000)
    one = list_publication(difference(gap=GAP), None, trades=()).checkpoint
    both = list_publication(replace(difference(gap=second), checkpoint=one), None, trades=()).checkpoint
    answered = late_recovery_publication(both, Recovery(trades=(), gap=GAP, final=True)).checkpoint

    assert both.gaps == (GAP, second)
    assert answered.gaps == (second,)


def test_of_many_open_gaps_the_newest_are_kept() -> None:
    checkpoint = EMPTY_CHECKPOINT
    for number in range(OPEN_GAPS_MAX + 2):
        checkpoint = with_gap(checkpoint, replace(GAP, key=str(number)), final=False)

    assert [gap.key for gap in checkpoint.gaps] == [str(number) for number in range(2, OPEN_GAPS_MAX + 2)]
