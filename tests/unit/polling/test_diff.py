"""What is new in the bot's list and what is missing: single cases, and properties over a simulated bot."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.bot.parse import RejectedTrade
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, REMEMBERED_TRADES, Checkpoint, KnownTrade
from coliseum.polling.diff import BotObservation, ListDifference, compare
from coliseum.trading.trades import Side, Trade

START = 1_700_000_000.0
BOOT, REBOOT = "2023-11-14T22:00:00Z", "2023-11-14T22:13:25Z"


def trade(number: int, *, price: str = "0.50", at: float | None = None) -> Trade:
    return Trade(
        trade_id=f"t{number}",
        ticker="ALPHA",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(1),
        price=Decimal(price),
        timestamp=START + number if at is None else at,
    )


def trades(first: int, last: int) -> tuple[Trade, ...]:
    return tuple(trade(number) for number in range(first, last + 1))


def seen(
    listed: tuple[Trade, ...],
    *,
    run: str | None = BOOT,
    count: int | None = None,
    after: int | None = None,
    rejected: tuple[RejectedTrade, ...] = (),
    at_ms: int = 1_700_001_000_000,
) -> BotObservation:
    return BotObservation(
        trades=listed,
        rejected=rejected,
        run=run,
        trade_count=count,
        trade_count_after=count if after is None else after,
        at_ms=at_ms,
    )


def known(*observations: BotObservation) -> Checkpoint:
    checkpoint = EMPTY_CHECKPOINT
    for observation in observations:
        checkpoint = compare(checkpoint, observation).checkpoint
    return checkpoint


def ids(difference: ListDifference) -> list[str]:
    return [one.trade_id for one in difference.trades]


def test_everything_is_new_on_first_contact_and_nothing_is_missing() -> None:
    difference = compare(EMPTY_CHECKPOINT, seen(trades(51, 150), count=150))

    assert len(difference.trades) == 100
    assert difference.gap is None


def test_an_unchanged_list_has_no_difference() -> None:
    observation = seen(trades(1, 3), count=3)

    assert compare(known(observation), observation).is_empty


def test_only_new_trades_are_reported_oldest_first() -> None:
    difference = compare(known(seen(trades(1, 3), count=3)), seen(trades(2, 5), count=5))

    assert ids(difference) == ["t4", "t5"]
    assert difference.gap is None


def test_trades_of_the_same_time_keep_the_order_of_the_list() -> None:
    together = tuple(trade(number, at=START) for number in (3, 1, 2))

    assert ids(compare(EMPTY_CHECKPOINT, seen(together))) == ["t3", "t1", "t2"]


def test_a_known_trade_with_changed_facts_is_reported_again() -> None:
    difference = compare(known(seen(trades(1, 2), count=2)), seen((trade(1), trade(2, price="0.60")), count=2))

    assert ids(difference) == ["t2"]
    assert difference.checkpoint.trade_count == 2


def test_a_trade_known_only_from_the_exchange_is_reported_once_more_by_the_bot() -> None:
    before = known(seen(trades(1, 1), count=1))
    from_exchange = replace(before.known["t1"], digest="")
    difference = compare(replace(before, known={"t1": from_exchange}), seen(trades(1, 1), count=1))

    assert ids(difference) == ["t1"]
    assert difference.gap is None
    assert compare(difference.checkpoint, seen(trades(1, 1), count=1)).is_empty


@pytest.mark.parametrize(
    ("burst", "lost"),
    [(99, "no gap"), (100, "no gap"), (101, 1), (250, 150)],
)
def test_a_burst_is_a_gap_of_exactly_the_trades_that_the_list_pushed_out(burst: int, lost: int | str) -> None:
    before = known(seen(trades(1, 20), count=20))
    last = 20 + burst
    difference = compare(before, seen(trades(max(1, last - 99), last), count=last))

    assert ("no gap" if difference.gap is None else difference.gap.lost) == lost
    assert len(difference.trades) == min(burst, 100)
    assert difference.checkpoint.trade_count == last


def test_a_burst_without_a_count_is_a_gap_of_unknown_size() -> None:
    difference = compare(known(seen(trades(1, 20))), seen(trades(21, 120)))

    assert difference.gap is not None
    assert (difference.gap.reason, difference.gap.lost, difference.gap.at_least) == ("overflow", None, 0)


def test_a_count_that_changed_during_the_poll_gives_a_lower_bound() -> None:
    before = known(seen(trades(1, 20), count=20))
    difference = compare(before, seen(trades(171, 270), count=268, after=273))

    assert difference.gap is not None
    assert (difference.gap.lost, difference.gap.at_least) == (None, 148)


def test_a_full_list_after_an_empty_one_may_hide_trades_unless_the_count_is_larger() -> None:
    """A bot might report the length of its list as its count."""
    before = known(seen((), count=0))
    difference = compare(before, seen(trades(1, 100), count=100))

    assert difference.gap is not None
    assert difference.gap.lost is None
    assert compare(before, seen(trades(1, 99), count=99)).gap is None


def test_a_larger_count_gives_the_gap_before_a_full_list_after_an_empty_one() -> None:
    difference = compare(known(seen((), count=0)), seen(trades(151, 250), count=250))

    assert difference.gap is not None
    assert difference.gap.lost == 150


def test_a_new_start_is_a_restart_and_reused_ids_are_new_trades() -> None:
    before = known(seen(trades(1, 3), count=3, at_ms=1_700_000_003_500))
    again = (trade(1, at=START + 20), trade(2, at=START + 21))
    difference = compare(before, seen(again, run=REBOOT, count=2))

    assert difference.gap is not None
    assert (difference.gap.reason, difference.gap.lost) == ("restart", None)
    assert (difference.gap.from_ms, difference.gap.to_ms) == (1_700_000_003_500, 1_700_001_000_000)
    assert ids(difference) == ["t1", "t2"]
    assert difference.checkpoint.run == REBOOT


def test_a_new_start_is_a_restart_even_where_the_new_run_has_more_trades() -> None:
    before = known(seen(trades(1, 3), count=3))
    difference = compare(before, seen(trades(11, 15), run=REBOOT, count=5))

    assert difference.gap is not None
    assert (difference.gap.reason, difference.gap.lost) == ("restart", None)


def test_a_restart_is_announced_once() -> None:
    before = known(seen(trades(1, 3), count=3), seen((), run=REBOOT, count=0))

    assert compare(before, seen((), run=REBOOT, count=0)).is_empty
    assert compare(before, seen((trade(9),), run=REBOOT, count=1)).gap is None


def test_a_restart_that_kept_the_list_lost_nothing() -> None:
    difference = compare(known(seen(trades(1, 3), count=3)), seen(trades(1, 4), run=REBOOT, count=1))

    assert difference.gap is None
    assert ids(difference) == ["t4"]


def test_ids_of_an_earlier_run_do_not_hide_an_overflow() -> None:
    """Found by `tests/chaos`: the earlier run's t3 was taken for proof that the list is complete."""
    before = known(seen(trades(1, 3), count=3), seen((trade(1, at=START + 50),), run=REBOOT, count=1))
    listed = tuple(trade(number, at=START + 60 + number) for number in range(3, 103))
    difference = compare(before, seen(listed, run=REBOOT, count=102))

    assert difference.gap is not None
    assert (difference.gap.reason, difference.gap.lost) == ("overflow", 1)


@pytest.mark.parametrize("run", [None, BOOT])
def test_a_list_without_known_trades_is_a_restart_where_the_bot_reports_no_start(run: str | None) -> None:
    before = known(seen(trades(1, 30), run=run, count=30))
    difference = compare(before, seen((trade(1, at=START + 99),), run=None, count=1))

    assert difference.gap is not None
    assert difference.gap.reason == "restart"
    assert difference.checkpoint.run.startswith("~")
    assert compare(difference.checkpoint, seen((trade(1, at=START + 99),), run=REBOOT, count=1)).gap is None


def test_an_emptied_list_lost_nothing_where_the_count_is_unchanged() -> None:
    before = known(seen(trades(1, 30), count=30))

    assert compare(before, seen((), count=30)).gap is None


def test_an_emptied_list_lost_the_trades_that_were_counted_meanwhile() -> None:
    difference = compare(known(seen(trades(1, 30), count=30)), seen((), count=34))

    assert difference.gap is not None
    assert (difference.gap.reason, difference.gap.lost) == ("overflow", 4)


def test_a_clock_that_goes_back_makes_no_negative_gap() -> None:
    before = known(seen(trades(1, 20), count=20, at_ms=1_900_000_000_000))
    difference = compare(before, seen(trades(121, 220), count=220, at_ms=1_600_000_000_000))

    assert difference.gap is not None
    assert difference.gap.from_ms <= difference.gap.to_ms


BAD = RejectedTrade("t7", "price: got 65", "abcd")


def test_a_rejected_row_is_reported_once() -> None:
    before = known(seen(trades(1, 1), count=1))
    first = compare(before, seen(trades(1, 1), count=2, rejected=(BAD,)))

    assert first.rejected == (BAD,)
    assert compare(first.checkpoint, seen(trades(1, 1), count=2, rejected=(BAD,))).is_empty


def test_a_rejected_row_with_other_content_is_reported_again_and_a_corrected_one_is_a_trade() -> None:
    before = known(seen(trades(1, 1), count=2, rejected=(BAD,)))

    assert compare(before, seen(trades(1, 1), count=2, rejected=(replace(BAD, digest="ef"),))).rejected
    assert ids(compare(before, seen((trade(1), trade(7)), count=2))) == ["t7"]


def test_a_rejected_row_with_the_id_of_a_valid_trade_is_reported_once() -> None:
    """A row may repeat the id of the trade beside it with other facts."""
    observation = seen(trades(7, 7), count=1, rejected=(BAD,))

    assert compare(known(observation), observation).is_empty


def test_known_rejected_rows_prove_too_that_nothing_was_lost() -> None:
    before = known(seen((), count=1, rejected=(BAD,)))

    assert compare(before, seen(trades(8, 9), count=3, rejected=(BAD,))).gap is None


def test_the_newest_trades_are_remembered_and_never_fewer_than_the_list() -> None:
    assert next(iter(known(seen(trades(1, 200)), seen(trades(150, 400))).known)) == f"t{400 - REMEMBERED_TRADES + 1}"
    assert len(known(seen(trades(1, REMEMBERED_TRADES + 50))).known) == REMEMBERED_TRADES + 50


def test_the_count_is_added_up_while_the_bot_trades_during_each_poll() -> None:
    before = known(seen(trades(1, 20), count=20), seen(trades(1, 25), count=24, after=26))

    assert before.trade_count == 25


@given(st.lists(st.tuples(st.integers(0, 130), st.booleans()), max_size=12))
def test_reported_and_missing_trades_together_are_all_trades(rounds: list[tuple[int, bool]]) -> None:
    """For any bursts and any observations of a list of 100: reported trades plus gaps are all trades."""
    checkpoint = known(seen((trade(0),), count=1))
    happened, reported, lost = 1, 0, 0
    for burst, polls in [*rounds, (0, True)]:
        happened += burst
        if not polls:
            continue
        difference = compare(checkpoint, seen(trades(max(0, happened - 100), happened - 1), count=happened))
        reported += len(difference.trades)
        lost += 0 if difference.gap is None else difference.gap.lost or 0
        checkpoint = difference.checkpoint

    assert reported + lost == happened - 1


# The bot's clock, which proves nothing


@pytest.mark.parametrize("hours", [-24, 5, 8760])
def test_the_bots_clock_moves_no_gap(hours: int) -> None:
    off = [trade(number, at=START + number + hours * 3600) for number in (1, 2, 3, 200)]
    before = known(seen(tuple(off[:3]), count=3, at_ms=1_700_000_010_000))
    difference = compare(before, seen((off[3],), run=REBOOT, count=1, at_ms=1_700_000_300_000))

    assert difference.gap is not None
    assert (difference.gap.from_ms, difference.gap.to_ms) == (1_700_000_010_000, 1_700_000_300_000)
    assert (difference.gap.before_ids, difference.gap.after_ids) == (("t1", "t2", "t3"), ("t200",))


def test_a_time_ahead_of_our_clock_is_marked_and_stays_what_the_bot_said() -> None:
    ahead = trade(2, at=START + 18_000)
    difference = compare(EMPTY_CHECKPOINT, seen((trade(1), ahead), at_ms=int(START * 1000)))

    assert [one.clock_ahead_seconds for one in difference.trades] == [None, 18_000.0]
    assert [one.timestamp for one in difference.trades] == [START + 1, START + 18_000]
    assert difference.clock_ahead_seconds == 18_000.0
    assert compare(difference.checkpoint, seen((trade(1), ahead), at_ms=int(START * 1000) + 3000)).is_empty


def test_a_clock_that_is_behind_is_no_difference() -> None:
    assert compare(EMPTY_CHECKPOINT, seen((trade(1, at=START - 86_400),))).clock_ahead_seconds is None


def oldest_first(*trades: Trade) -> BotObservation:
    """A list that was taken for one that begins with its oldest trade, because its times rise."""
    return replace(seen(trades), oldest_first=True)


def test_new_trades_beside_a_known_one_show_the_order_of_a_list_whose_times_mislead() -> None:
    """The bot lists its newest trade first, and its clock goes back at each trade."""
    first, second, third = trade(1, at=START), trade(2, at=START - 60), trade(3, at=START - 120)
    difference = compare(known(seen((first,))), oldest_first(third, second, first))

    assert ids(difference) == ["t2", "t3"]
    assert difference.listed == (first, second, third)
    assert difference.checkpoint.oldest_first is False


def test_an_order_that_was_shown_once_decides_for_a_list_without_a_known_trade() -> None:
    before = replace(known(seen((), count=0)), oldest_first=False)
    second, third = trade(2, at=START), trade(3, at=START - 60)

    assert ids(compare(before, oldest_first(third, second))) == ["t2", "t3"]
    assert ids(compare(replace(before, oldest_first=None), oldest_first(third, second))) == ["t3", "t2"]


def test_a_list_that_begins_with_its_oldest_trade_is_recognised_behind_a_jump_of_the_clock() -> None:
    """Its times no longer rise, so it looked like a list that begins with the newest trade."""
    first, second, third = trade(1, at=START), trade(2, at=START - 3600), trade(3, at=START - 3599)
    difference = compare(known(seen((first,))), seen((third, second, first)))

    assert ids(difference) == ["t2", "t3"]
    assert difference.checkpoint.oldest_first is True


def test_what_only_the_exchange_reported_shows_no_order() -> None:
    before = known(seen((trade(1),)))
    before = replace(before, known={**before.known, "t3": KnownTrade("", START + 3)})
    difference = compare(before, seen((trade(2), trade(3)), run=REBOOT))

    assert ids(difference) == ["t2", "t3"]
    assert difference.checkpoint.oldest_first is None


def test_a_row_that_was_rejected_before_shows_no_order() -> None:
    before = known(seen((trade(8),), rejected=(BAD,)))

    assert ids(compare(before, seen((trade(7), trade(8), trade(9))))) == ["t7", "t9"]
    assert compare(before, seen((trade(7), trade(8)))).checkpoint.oldest_first is None


def test_trades_published_from_fills_while_the_bot_was_offline_are_not_counted_as_lost() -> None:
    before = known(seen(trades(1, 5), count=5))
    supplied = {f"t{number}": KnownTrade("", START + number) for number in range(6, 16)}
    difference = compare(replace(before, known={**before.known, **supplied}), seen(trades(56, 155), count=155))

    assert difference.gap is not None
    assert (difference.gap.lost, difference.gap.at_least) == (None, 40)
