"""What a pushed list may publish without a poll."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.bot.parse import BotTrades, RejectedTrade
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, KnownTrade, SourceGap
from coliseum.polling.diff import BotObservation, compare
from coliseum.polling.push import LISTED_MAX, compare_push
from coliseum.trading.trades import Side, Trade

NOW = 1_700_000_100_000
RUN, NEXT_RUN = "2023-11-14T22:00:00Z", "2023-11-14T22:13:25Z"


def trade(number: int, *, price: str = "0.50", at: float | None = None) -> Trade:
    return Trade(
        trade_id=f"t{number}",
        ticker="ALPHA",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(1),
        price=Decimal(price),
        timestamp=1_700_000_000.0 + number if at is None else at,
    )


def trades(first: int, last: int) -> tuple[Trade, ...]:
    return tuple(trade(number) for number in range(first, last + 1))


def polled(last: int, *, first: int = 1) -> Checkpoint:
    """The checkpoint after a poll that listed the trades `first` to `last`."""
    return compare(EMPTY_CHECKPOINT, seen(trades(first, last), count=last)).checkpoint


def seen(listed: tuple[Trade, ...], *, count: int, run: str = RUN, at_ms: int = NOW - 3_000) -> BotObservation:
    return BotObservation(trades=listed, rejected=(), run=run, trade_count=count, trade_count_after=count, at_ms=at_ms)


def pushed(*listed: Trade, run: str | None = RUN, rejected: tuple[RejectedTrade, ...] = ()) -> BotTrades:
    return BotTrades(listed, rejected, started_at=run, trade_count=None)


def published(before: Checkpoint, body: BotTrades) -> list[str]:
    comparison = compare_push(before, body, at_ms=NOW)
    return [] if comparison.publication is None else [one.key for one in comparison.publication.entries]


def test_what_stands_behind_the_newest_known_trade_is_published() -> None:
    assert published(polled(3), pushed(*trades(3, 5))) == ["trade:t4", "trade:t5"]


def test_a_list_that_does_not_name_its_run_is_tied_to_it_by_the_known_trade() -> None:
    assert published(polled(3), pushed(*trades(3, 4), run=None)) == ["trade:t4"]


def test_the_checkpoint_counts_the_trades_and_leaves_to_the_poll_what_only_a_poll_concludes() -> None:
    gap = SourceGap(reason="overflow", key="k", from_ms=1, to_ms=2, lost=1)
    before = replace(polled(3), gaps=(gap,), status={"status": "online"})
    comparison = compare_push(before, pushed(*trades(3, 5)), at_ms=NOW)
    assert comparison.publication is not None
    after = comparison.publication.checkpoint
    assert (after.trade_count, after.list_length, after.pushed_ms) == (5, 5, NOW)
    assert list(after.known) == ["t1", "t2", "t3", "t4", "t5"]
    untouched = replace(
        after,
        oldest_first=before.oldest_first,
        known=before.known,
        trade_count=before.trade_count,
        list_length=before.list_length,
        pushed_ms=before.pushed_ms,
    )
    assert untouched == before


def test_a_count_that_is_not_certain_stays_uncertain() -> None:
    comparison = compare_push(replace(polled(3), trade_count=None), pushed(*trades(3, 4)), at_ms=NOW)
    assert comparison.publication is not None
    assert comparison.publication.checkpoint.trade_count is None


REJECTED = RejectedTrade("t9", "price: got 65", "d" * 16)
PAST = replace(polled(3), run=NEXT_RUN, known={"t3": KnownTrade(trade(3).digest(), trade(3).timestamp, True)})
SUPPLIED = replace(polled(3), known={**polled(3).known, "t4": KnownTrade("", trade(4).timestamp)})
"""The exchange has reported the fourth trade: the bot's own report of it is the poll's to judge."""


@pytest.mark.parametrize(
    ("before", "body", "why"),
    [
        (EMPTY_CHECKPOINT, pushed(*trades(1, 2)), "has not been polled yet"),
        (polled(3), pushed(*trades(3, 4), run=NEXT_RUN), "has been restarted"),
        (PAST, pushed(*trades(3, 4), run=None), "newest trade"),
        (polled(3), pushed(*trades(4, 5)), "newest trade"),
        (polled(3), pushed(trade(2), trade(9)), "newest trade"),
        (polled(3), pushed(trade(3, price="0.51"), trade(4)), "newest trade"),
        (polled(3), pushed(trade(3, at=1.0), trade(4)), "newest trade"),
        (polled(3), pushed(trade(2, price="0.51"), trade(3)), "an earlier trade"),
        (polled(3, first=2), pushed(*trades(1, 3)), "another order"),
        (polled(3), pushed(trade(3), trade(1), trade(4)), "another order"),
        (SUPPLIED, pushed(*trades(3, 5)), "another order"),
        (polled(3), pushed(*trades(3, 4), rejected=(REJECTED,)), "not a valid trade"),
        (polled(3), pushed(*trades(3, LISTED_MAX + 1)), "since the last poll"),
    ],
)
def test_whatever_only_a_poll_can_conclude_waits_for_it(before: Checkpoint, body: BotTrades, why: str) -> None:
    comparison = compare_push(before, body, at_ms=NOW)
    assert comparison.publication is None
    assert why in str(comparison.waits_for)


@pytest.mark.parametrize("body", [pushed(), pushed(*trades(1, 3)), pushed(*trades(1, 2)), pushed(trade(2))])
def test_a_list_that_adds_nothing_is_known(body: BotTrades) -> None:
    comparison = compare_push(polled(3), body, at_ms=NOW)
    assert (comparison.publication, comparison.waits_for) == (None, None)


def test_a_row_that_was_announced_as_invalid_does_not_hold_up_later_trades() -> None:
    observation = replace(seen(trades(1, 3), count=4), rejected=(REJECTED,))
    before = compare(EMPTY_CHECKPOINT, observation).checkpoint
    assert published(before, pushed(*trades(3, 4), rejected=(REJECTED,))) == ["trade:t4"]


def test_an_id_of_an_earlier_run_is_a_new_trade_at_another_time() -> None:
    past = {"t4": KnownTrade("x", 1.0, from_earlier_run=True)}
    before = polled(3)
    before = replace(before, known={**past, **before.known})
    assert published(before, pushed(*trades(3, 4))) == ["trade:t4"]


def test_a_time_ahead_of_our_clock_is_marked_as_the_poll_marks_it() -> None:
    ahead = trade(4, at=NOW / 1000 + 60)
    comparison = compare_push(polled(3), pushed(trade(3), ahead), at_ms=NOW)
    assert comparison.publication is not None
    assert comparison.publication.entries[0].data["clock_ahead_seconds"] == 60


@given(before=st.integers(1, 20), pushes=st.lists(st.integers(0, 5), max_size=8), rows=st.integers(1, 12))
def test_a_poll_after_pushes_adds_nothing_and_agrees_with_them(before: int, pushes: list[int], rows: int) -> None:
    """A push is published or waits. After the next poll the checkpoint is the one of a bot that never pushed."""
    checkpoint, last, done = polled(before), before, before
    for number in pushes:
        last += number
        comparison = compare_push(checkpoint, pushed(*trades(max(1, last - rows + 1), last)), at_ms=NOW)
        if comparison.publication is not None:
            assert [one.key for one in comparison.publication.entries] == [
                f"trade:t{each}" for each in range(done + 1, last + 1)
            ]
            checkpoint, done = comparison.publication.checkpoint, last
    difference = compare(checkpoint, seen(trades(1, last), count=last, at_ms=NOW))
    assert difference.gap is None
    assert [one.trade_id for one in difference.trades] == [f"t{each}" for each in range(done + 1, last + 1)]
    assert (
        replace(difference.checkpoint, pushed_ms=None)
        == compare(polled(before), seen(trades(1, last), count=last, at_ms=NOW)).checkpoint
    )


@given(before=st.integers(1, 20), number=st.integers(1, 20), stale=st.integers(1, 20))
def test_a_look_that_is_older_than_a_push_takes_nothing_back(before: int, number: int, stale: int) -> None:
    """The poll read the bot's list before the push, and is compared after it."""
    old = trades(max(1, before - stale + 1), before)
    comparison = compare_push(polled(before), pushed(*trades(before, before + number)), at_ms=NOW)
    assert comparison.publication is not None
    after = comparison.publication.checkpoint
    difference = compare(after, seen(old, count=before, at_ms=NOW))
    assert difference.is_empty
    assert list(difference.checkpoint.known)[-number:] == [f"t{before + each + 1}" for each in range(number)]
    assert difference.checkpoint.trade_count == before + number
    assert published(difference.checkpoint, pushed(*trades(before + number, before + number + 1))) == [
        f"trade:t{before + number + 1}"
    ]
