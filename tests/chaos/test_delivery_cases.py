"""Rare cases of delivery: once found by the random test, or too rare for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from tests.chaos.direct import DirectRedis, running_valkey
from tests.chaos.traded_world import TradedWorld
from tests.chaos.truth import TruthfulBot
from tests.chaos.world import Fault, World, crash_after, crash_before, lose_reply, refuse

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotTrades
from coliseum.feed.entries import EntryId, EntryKind
from coliseum.polling.checkpoint import decode
from coliseum.polling.poller import Poller
from coliseum.polling.unpublished import BATCH_SIZE


@pytest.fixture(scope="module")
def direct() -> Iterator[DirectRedis]:
    with running_valkey() as path:
        redis = DirectRedis(path)
        yield redis
        redis.close()


@pytest.fixture
def world(direct: DirectRedis) -> Iterator[World]:
    """A world after its first poll. What must hold is checked at the end of each test."""
    world = World(direct)
    world.poll()
    yield world
    world.settle()
    world.check_losses()
    world.check_current()
    world.check_viewers()


@pytest.fixture
def traded(direct: DirectRedis) -> Iterator[TradedWorld]:
    """The same with an exchange, after the bot's first trade."""
    world = TradedWorld(direct)
    world.poll()
    world.bot.trade(1)
    world.poll()
    yield world
    world.settle()
    world.check_losses()
    world.check_clock()


def published(world: World, kind: EntryKind = EntryKind.TRADE) -> int:
    return sum(one.entry.kind is kind for one in world.log)


def test_what_redis_refused_is_published_later(world: World) -> None:
    world.bot.trade(3)
    world.poll(0, refuse)
    world.settle()

    assert published(world) == 3


@pytest.mark.parametrize("death", [crash_before, crash_after], ids=["before publishing", "after publishing"])
def test_a_poller_that_is_killed_publishes_everything_once(world: World, death: Fault) -> None:
    world.bot.trade(3)
    world.poll(0, death)
    world.bot.trade(2)
    world.settle()

    assert published(world) == 5


def test_a_lost_reply_over_a_restart_repeats_neither_of_two_trades_of_one_id(world: World) -> None:
    world.bot.trade(1)
    world.poll(0, refuse)
    world.restart_bot(keeps_list=False)
    world.bot.trade(1)
    world.poll(0, lose_reply)
    world.settle()

    assert published(world) == 2
    assert published(world, EntryKind.TRADE_CORRECTED) == 0


def test_a_poller_that_dies_between_two_parts_of_a_long_publish_loses_nothing_in_silence(world: World) -> None:
    """More trades wait than one script call takes, and only the ended poller knew the first ones of the second part."""
    world.bot.trade(1)
    world.poll()
    for _ in range(BATCH_SIZE // 100 + 1):
        world.bot.trade(100)
        world.poll(0, refuse)
    for _ in range(12):
        world.poll(0, crash_after)
        world.bot.trade(5)
    world.settle()

    lost = sum(one.entry.data["lost"] for one in world.log if one.entry.kind is EntryKind.SOURCE_GAP)
    assert 0 < lost <= 60
    assert published(world) + lost == len(world.bot.truth)


def test_a_long_outage_of_redis_is_published_in_parts(world: World) -> None:
    world.bot.trade(1)
    world.poll()
    for _ in range(BATCH_SIZE // 100 + 1):
        world.bot.trade(100)
        world.poll(0, refuse)
    world.settle()

    assert published(world) == 1 + BATCH_SIZE + 100


def test_a_poller_that_was_frozen_during_another_ones_publish_continues_from_there(world: World) -> None:
    world.bot.trade(2)

    def happens() -> None:
        world.bot.trade(101)
        world.tick(1)

    world.sleep_while(0, happens)
    world.settle()

    assert published(world) == 100
    assert published(world, EntryKind.SOURCE_GAP) == 1


def test_a_late_repetition_does_not_let_a_frozen_poller_publish(world: World) -> None:
    """Two different batches under one fence would: a poller repeats a lost publish with more trades in it."""
    world.bot.trade(1)
    world.poll(1, lose_reply)
    world.bot.trade(2)

    def happens() -> None:
        world.bot.trade(99)
        world.tick(1)
        world.tick(1)

    world.sleep_while(0, happens)


def test_a_viewer_of_an_older_log_is_reset_even_if_the_publishers_clock_was_behind(world: World) -> None:
    """The viewer's id lies between ids of the new log, whose next number is also the viewer's next."""
    viewer = world.viewers[0]
    world.bot.trade(2)
    world.poll()
    viewer.catch_up()
    world.flush()
    world.began_ms = 0
    world.skew[0] = -3600
    world.bot.trade(EntryId.parse(viewer.last_id).seq)
    world.settle()
    world.skew[0] = 0
    world.bot.trade(1)
    world.poll()
    viewer.catch_up()

    assert viewer.troubles == 1


def test_a_log_emptied_while_redis_was_away_keeps_the_order_of_what_waited(world: World) -> None:
    """Corrections waited for trades that the new log does not have."""
    world.bot.trade(2)
    world.poll()
    world.flush()
    world.bot.correct(1)
    world.poll(0, refuse)
    world.bot.correct(0)
    world.poll()
    world.restart_bot(keeps_list=False)


def test_a_log_emptied_over_a_restart_announces_the_gap_after_what_came_before_it(world: World) -> None:
    world.bot.trade(1)
    world.poll()
    world.flush()
    world.bot.correct(0)
    world.poll(0, refuse)
    world.bot.trade(1)
    world.restart_bot(keeps_list=False)
    world.poll()
    world.bot.trade(1)


def test_a_log_emptied_over_a_restart_keeps_the_order_of_what_happened_at_one_moment(world: World) -> None:
    """Ids started again meanwhile, so they no longer tell which of two trades came first."""
    world.flush()
    world.bot.trade(2)
    world.poll(0, refuse)
    world.restart_bot(keeps_list=False)
    world.bot.trade(1)


def test_a_gap_that_the_exchange_could_not_fill_gets_its_trades_before_the_next_gap(traded: TradedWorld) -> None:
    """Found by the random test: the second gap took the trades of the first, which went on to say `lost: 50`."""
    traded.exchange.down = True
    traded.bot.trade(150)
    traded.poll()
    traded.exchange.down = False
    traded.restart_bot(keeps_list=False)
    traded.bot.time += 20
    traded.poll()
    first, *_ = gaps = [one.entry.data for one in traded.log if one.entry.kind is EntryKind.SOURCE_GAP]

    assert (first["reason"], first["lost"]) == ("overflow", 50)
    assert [gap["lost"] for gap in gaps if gap["reason"] == "overflow"] == [50, 0]
    assert {gap["backfilled"] for gap in gaps if gap["reason"] == "restart"} == {0}


@pytest.mark.parametrize("error", [-86_400.0, 18_000.0, 31_536_000.0])
def test_a_bot_with_a_wrong_clock_that_restarts_again_and_again_loses_nothing(
    traded: TradedWorld, error: float
) -> None:
    traded.bot.set_clock(error)
    for _ in range(3):
        traded.bot.trade(3)
        traded.restart_bot(keeps_list=False)
        traded.poll()
    traded.settle()

    assert published(traded) == len(traded.bot.truth)


def test_trades_published_from_fills_while_the_bot_was_offline_are_not_lost_once_more(traded: TradedWorld) -> None:
    traded.bot.down = True
    traded.poll()
    traded.poll()
    traded.bot.trade(60)
    traded.bot.time += 30
    for _ in range(8):
        traded.poll()
    traded.bot.trade(120)
    traded.bot.down = False
    traded.exchange.down = True
    traded.poll()

    (gap,) = [one.entry.data for one in traded.log if one.entry.kind is EntryKind.SOURCE_GAP]
    assert (gap["lost"], gap["at_least"]) == (None, 20)


def test_a_fill_within_the_margins_of_two_gaps_is_lost_in_neither(traded: TradedWorld) -> None:
    """Found by the random test: an overflow soon after a restart, while the exchange does not answer."""
    traded.exchange.down = True
    traded.bot.trade(1)
    traded.restart_bot(keeps_list=False)
    traded.poll()
    traded.bot.trade(103)
    traded.poll()
    traded.settle()

    assert published(traded) == len(traded.bot.truth)


class BusyPusher:
    """Trades and pushes while a poller reads the bot, and again before each of its next `refusals` publish calls."""

    def __init__(self, world: World, *, looks: int, refusals: int) -> None:
        self.world, self.looks, self.refusals = world, looks, refusals
        self.left = 0
        self.active = False
        listed = world.bot.trades

        def trades() -> BotTrades:
            answer = listed()
            self.push(self.looks)
            return answer

        world.bot.trades = trades  # type: ignore[method-assign]  # the answer is sent, then the bot goes on

    def push(self, times: int) -> None:
        self.active = True
        for _ in range(times):
            self.world.bot.trade(1)
            self.world.pushers[0].take_trades(self.world.bot.pushed(20))
        self.active = False

    def __call__(self, moment: str) -> None:
        if moment == "before" and not self.active and self.left:
            self.left -= 1
            self.push(1)

    def poll(self) -> None:
        self.left = self.refusals
        self.world.poll(0, self)


def test_a_poller_beside_a_busy_pusher_publishes_in_every_tick(world: World) -> None:
    """20 pushes a second and a bot that answers in 150 ms: three while it answers, and now and then one before the
    poller's publication. Two in a row are more than that rate gives."""
    world.bot.trade(5)
    world.poll()
    pusher = BusyPusher(world, looks=3, refusals=2)
    for tick in range(25):
        world.bot.correct(0)  # a correction is the poller's to publish
        pusher.poll()
        assert published(world, EntryKind.TRADE_CORRECTED) == tick + 1
    assert published(world) == 5 + 25 * 5
    assert published(world, EntryKind.SOURCE_GAP) == 0


def test_a_poller_that_is_refused_again_and_again_gives_up_until_the_next_tick(world: World) -> None:
    world.bot.trade(5)
    world.poll()
    pusher = BusyPusher(world, looks=0, refusals=100)
    world.bot.correct(0)
    pusher.poll()
    assert published(world, EntryKind.TRADE_CORRECTED) == 0
    pusher.refusals = 0
    pusher.poll()
    assert published(world, EntryKind.TRADE_CORRECTED) == 1


def test_a_change_of_mode_is_announced_although_pushes_come_between(world: World) -> None:
    world.bot.trade(5)
    world.poll()
    pusher = BusyPusher(world, looks=1, refusals=1)
    world.bot.mode = "live"
    world.pollers[0] = world.container(0)  # a new minute asks for the mode
    pusher.poll()
    modes = [one.entry.data["mode"] for one in world.log if one.entry.kind is EntryKind.BOT_STATUS]
    assert modes == ["paper", "live"]


def test_a_push_behind_a_hole_leaves_it_to_the_poll(world: World) -> None:
    world.bot.trade(5)
    world.poll()
    world.bot.trade(130)
    world.push(0, world.bot.pushed(100))
    assert published(world) == 5
    world.bot.trade(1)
    world.push(0, world.bot.pushed(20))
    world.poll()
    (gap,) = [one.entry.data for one in world.log if one.entry.kind is EntryKind.SOURCE_GAP]
    assert gap["lost"] == 31


def test_a_hole_right_behind_pushed_trades_has_its_exact_size(world: World) -> None:
    """The count in the checkpoint includes what was pushed."""
    world.bot.trade(5)
    world.poll()
    world.bot.trade(7)
    world.push(0, world.bot.pushed(20))
    world.bot.trade(110)
    world.poll()
    (gap,) = [one.entry.data for one in world.log if one.entry.kind is EntryKind.SOURCE_GAP]
    assert gap["lost"] == 10
    assert published(world) == 112


def test_a_push_does_not_shorten_the_time_in_which_trades_may_be_missing(world: World) -> None:
    """What the bot answered to the last poll begins the next gap; a push proves nothing about the time between."""
    world.bot.trade(5)
    world.poll()
    answered = decode(world.feed.position().checkpoint or "").answered_ms
    world.bot.time += 60
    world.bot.trade(1)
    world.push(0, world.bot.pushed(20))
    assert decode(world.feed.position().checkpoint or "").answered_ms == answered


def test_an_old_list_neither_corrects_nor_repeats(world: World) -> None:
    world.bot.trade(5)
    old = world.bot.pushed(20)
    world.poll()
    world.bot.correct(4)
    world.bot.trade(1)
    world.poll()
    for _ in range(3):
        world.push(1, old)
    assert published(world, EntryKind.TRADE_CORRECTED) == 1
    assert published(world) == 6


def test_a_restart_that_no_poll_has_seen_holds_back_pushes(world: World) -> None:
    world.bot.trade(5)
    world.poll()
    world.restart_bot(keeps_list=False)
    world.bot.trade(5)
    world.push(0, world.bot.pushed(20))
    assert published(world) == 5
    world.poll()
    world.bot.trade(1)
    world.push(0, world.bot.pushed(20))
    assert published(world) == 11


@pytest.mark.parametrize("death", [crash_before, crash_after, lose_reply, refuse], ids=lambda death: death.__name__)
def test_a_push_that_is_cut_off_is_repeated_without_harm(world: World, death: Fault) -> None:
    world.bot.trade(5)
    world.poll()
    world.bot.trade(2)
    world.push(0, world.bot.pushed(20), death)
    world.push(1, world.bot.pushed(20))
    world.push(0, world.bot.pushed(20))
    assert published(world) == 7


class CountedBot(TruthfulBot):
    """Counts how often its list is read."""

    looks = 0

    def trades(self) -> BotTrades:
        self.looks += 1
        return super().trades()


@pytest.fixture
def watched(direct: DirectRedis) -> Iterator[tuple[World, CountedBot]]:
    """A world whose first poller looks every 15 s at a bot whose pushes arrive."""
    bot = CountedBot()
    world = World(direct, bot=bot)
    world.pollers[0] = Poller(
        bot=cast(Bot, bot),
        feed=world.feed,
        exchange=None,
        interval=3.0,
        clock=lambda: int(bot.time * 1000),
        interval_with_push=15.0,
    )
    bot.trade(3)
    world.poll()
    yield world, bot
    world.settle()
    world.check_losses()


def looks_in(world: World, bot: CountedBot, ticks: int) -> int:
    before = bot.looks
    for _ in range(ticks):
        world.poll()
    return bot.looks - before


def test_a_bot_that_never_pushed_is_looked_at_in_every_tick(watched: tuple[World, CountedBot]) -> None:
    assert looks_in(*watched, ticks=10) == 10


def test_a_bot_whose_trades_are_pushed_is_looked_at_less_often(watched: tuple[World, CountedBot]) -> None:
    world, bot = watched
    bot.trade(1)
    world.push(0, bot.pushed(20))
    world.poll()
    world.poll()  # learns of the push from the checkpoint, or has looked since
    assert looks_in(world, bot, ticks=20) <= 5


def test_a_trade_that_was_not_pushed_is_found_and_brings_every_look_back(watched: tuple[World, CountedBot]) -> None:
    world, bot = watched
    bot.trade(1)
    world.push(0, bot.pushed(20))
    looks_in(world, bot, ticks=2)
    bot.trade(1)
    looks_in(world, bot, ticks=6)
    assert published(world) == 5
    assert looks_in(world, bot, ticks=10) == 10


def test_a_bot_that_ends_is_offline_after_two_looks(watched: tuple[World, CountedBot]) -> None:
    world, bot = watched
    bot.trade(1)
    world.push(0, bot.pushed(20))
    looks_in(world, bot, ticks=2)
    bot.down = True
    looks_in(world, bot, ticks=7)
    statuses = [one.entry.data["status"] for one in world.log if one.entry.kind is EntryKind.BOT_STATUS]
    assert statuses == ["online", "offline"]
    bot.down = False


def test_pushes_of_yesterday_do_not_count(watched: tuple[World, CountedBot]) -> None:
    world, bot = watched
    bot.trade(1)
    world.push(0, bot.pushed(20))
    looks_in(world, bot, ticks=2)
    bot.time += 25 * 3600
    assert looks_in(world, bot, ticks=10) == 10
