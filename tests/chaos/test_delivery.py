"""Random histories of faults: no trade is lost without a notice, none comes twice, and the order holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.chaos.direct import DirectRedis, running_valkey
from tests.chaos.traded_world import TradedWorld
from tests.chaos.world import FAULTS, World

SOAK = int(os.environ.get("COLISEUM_SOAK") or 0)
"""Number of examples of a long run; 0 in the suite."""

HUNTING = bool(os.environ.get("DELIVERY_HUNT"))
"""Stop at the first failure instead of searching for a smaller one."""
EXAMPLES = SOAK or (250 if HUNTING else 30)

container = st.integers(0, 1)
fault = st.sampled_from(sorted(FAULTS))
client = st.integers(0, 2)
error = st.sampled_from([-86_400.0, -3_600.0, -20.0, 0.0, 8.0, 300.0, 18_000.0, 31_536_000.0])
"""Seconds by which the bot's clock is ahead, from a day behind to a year ahead."""
burst = st.one_of(st.integers(1, 5), st.integers(1, 130), st.sampled_from([99, 100, 101, 250]))


class Delivery(RuleBasedStateMachine):
    """One world per example, with its own keys in Redis."""

    redis: ClassVar[DirectRedis]

    @initialize()
    def begin(self) -> None:
        self.world = World(self.redis)

    @rule(number=burst)
    def trade(self, number: int) -> None:
        self.world.bot.trade(number)

    @rule(number=container, what=fault)
    def poll(self, number: int, what: str) -> None:
        self.world.poll(number, FAULTS[what])

    @rule(number=container)
    def poll_quietly(self, number: int) -> None:
        self.world.poll(number)

    @rule(number=container, what=fault, rows=st.sampled_from([1, 2, 20, 100]))
    def push(self, number: int, what: str, rows: int) -> None:
        self.world.push(number, self.world.bot.pushed(rows), FAULTS[what])

    @rule(number=container, trades=st.lists(st.integers(1, 4), min_size=1, max_size=6))
    def push_each_trade(self, number: int, trades: list[int]) -> None:
        for count in trades:
            self.world.bot.trade(count)
            self.world.push(number, self.world.bot.pushed(20))

    @rule(number=container, what=fault, index=st.integers(0, 50))
    def push_again(self, number: int, what: str, index: int) -> None:
        """An old body arrives, or arrives again."""
        if self.world.bodies:
            self.world.push(number, self.world.bodies[index % len(self.world.bodies)], FAULTS[what])

    @rule(number=burst, pusher=container, what=fault)
    def push_between_look_and_publish(self, number: int, pusher: int, what: str) -> None:
        """A poller reads the bot, which then trades and pushes before the poller publishes."""

        def happens() -> None:
            self.world.bot.trade(number)
            self.world.push(pusher, self.world.bot.pushed(100), FAULTS[what])

        self.world.bot.trade(1)
        self.world.sleep_while(0, happens)

    @rule(number=burst, restarts=st.booleans())
    def freeze_while_the_other_publishes(self, number: int, restarts: bool) -> None:
        def happens() -> None:
            self.world.bot.trade(number)
            if restarts:
                self.world.restart_bot(keeps_list=False)
                self.world.bot.trade(2)
            self.world.tick(1)

        self.world.sleep_while(0, happens)

    @rule(position=st.integers(0, 99))
    def correct(self, position: int) -> None:
        self.world.bot.correct(position)

    @rule(keeps_list=st.booleans())
    def restart_bot(self, keeps_list: bool) -> None:
        self.world.restart_bot(keeps_list=keeps_list)

    @rule(seconds=error)
    def move_the_bots_clock(self, seconds: float) -> None:
        self.world.bot.set_clock(seconds)

    @rule(number=container, seconds=st.sampled_from([-3600.0, -5.0, 0.0, 5.0, 3600.0]))
    def move_clock(self, number: int, seconds: float) -> None:
        self.world.skew[number] = seconds

    @rule(number=client, writes=st.integers(1, 4), cut_at=st.none() | st.integers(0, 20_000))
    def serve(self, number: int, writes: int, cut_at: int | None) -> None:
        self.world.viewers[number].pump(writes, cut_at=cut_at)

    @rule(seconds=st.sampled_from([1.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.stream.now += seconds

    @rule()
    def restart_stream(self) -> None:
        self.world.stream.restart()

    @rule(away=st.booleans())
    def part_stream_from_redis(self, away: bool) -> None:
        self.world.stream.away = away

    @rule(keep=st.integers(0, 40))
    def trim(self, keep: int) -> None:
        self.world.trim(keep)

    @rule()
    def lose_stream(self) -> None:
        self.world.lose_stream()

    @rule()
    def flush(self) -> None:
        self.world.flush()

    @rule(number=client, restarts=st.booleans())
    def come_back_caught_up(self, number: int, restarts: bool) -> None:
        self.world.check_caught_up(self.world.viewers[number], restarts=restarts)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_losses()
            self.world.check_current()
            self.world.check_viewers()
            self.world.check_clock()


class TradedDelivery(RuleBasedStateMachine):
    """One world with an exchange per example. What differs from `Delivery` is where lost trades come from."""

    redis: ClassVar[DirectRedis]

    @initialize()
    def begin(self) -> None:
        self.world = TradedWorld(self.redis)
        self.world.poll()

    @rule(number=burst)
    def trade(self, number: int) -> None:
        self.world.bot.trade(number)

    @rule(number=container, what=fault)
    def poll(self, number: int, what: str) -> None:
        self.world.poll(number, FAULTS[what])

    @rule(number=container, times=st.integers(1, 6))
    def poll_quietly(self, number: int, times: int) -> None:
        for _ in range(times):
            self.world.poll(number)

    @rule(number=container, what=fault, rows=st.sampled_from([1, 2, 20, 100]))
    def push(self, number: int, what: str, rows: int) -> None:
        self.world.push(number, self.world.bot.pushed(rows), FAULTS[what])

    @rule(number=container, trades=st.lists(st.integers(1, 4), min_size=1, max_size=6))
    def push_each_trade(self, number: int, trades: list[int]) -> None:
        for count in trades:
            self.world.bot.trade(count)
            self.world.push(number, self.world.bot.pushed(20))

    @rule(number=container, what=fault, index=st.integers(0, 50))
    def push_again(self, number: int, what: str, index: int) -> None:
        """An old body arrives, or arrives again."""
        if self.world.bodies:
            self.world.push(number, self.world.bodies[index % len(self.world.bodies)], FAULTS[what])

    @rule(number=burst, pusher=container, what=fault)
    def push_between_look_and_publish(self, number: int, pusher: int, what: str) -> None:
        """A poller reads the bot, which then trades and pushes before the poller publishes."""

        def happens() -> None:
            self.world.bot.trade(number)
            self.world.push(pusher, self.world.bot.pushed(100), FAULTS[what])

        self.world.bot.trade(1)
        self.world.sleep_while(0, happens)

    @rule(number=burst, restarts=st.booleans())
    def freeze_while_the_other_publishes(self, number: int, restarts: bool) -> None:
        def happens() -> None:
            self.world.bot.trade(number)
            if restarts:
                self.world.restart_bot(keeps_list=False)
                self.world.bot.trade(2)
            self.world.tick(1)

        self.world.sleep_while(0, happens)

    @rule(keeps_list=st.booleans(), unseen=st.integers(0, 3), seconds=st.none() | error)
    def restart_bot(self, keeps_list: bool, unseen: int, seconds: float | None) -> None:
        """The bot trades, is restarted before anybody looks, perhaps with another clock, and trades again."""
        self.world.bot.trade(unseen)
        self.world.restart_bot(keeps_list=keeps_list)
        if seconds is not None:
            self.world.bot.set_clock(seconds)
        self.world.bot.trade(unseen)

    @rule(seconds=error)
    def move_the_bots_clock(self, seconds: float) -> None:
        self.world.bot.set_clock(seconds)

    @rule(number=container, seconds=st.sampled_from([-5.0, 0.0, 5.0]))
    def move_clock(self, number: int, seconds: float) -> None:
        """The exchange refuses requests that are signed at a more different time."""
        self.world.skew[number] = seconds

    @rule(seconds=st.sampled_from([1.0, 20.0, 120.0, 3_600.0, 7_200.0]))
    def nobody_looks(self, seconds: float) -> None:
        self.world.bot.time += seconds

    @rule(bot=st.booleans(), exchange=st.booleans())
    def go_down(self, bot: bool, exchange: bool) -> None:
        self.world.bot.down, self.world.exchange.down = bot, exchange

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_losses()
            self.world.check_current()
            self.world.check_viewers()
            self.world.check_clock()


@pytest.fixture(scope="module")
def direct() -> Iterator[DirectRedis]:
    with running_valkey() as path:
        redis = DirectRedis(path)
        yield redis
        redis.close()


@pytest.mark.timeout(0 if SOAK else 1200)
@pytest.mark.parametrize("machine", [Delivery, TradedDelivery], ids=["bot alone", "bot and exchange"])
def test_nothing_is_lost_in_silence_published_twice_or_out_of_order(
    direct: DirectRedis, machine: type[Delivery | TradedDelivery]
) -> None:
    machine.redis = direct
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40 if SOAK else 25,
            phases=[Phase.generate] if HUNTING else list(Phase),
            deadline=None,
            derandomize=not (SOAK or HUNTING),
            suppress_health_check=list(HealthCheck),
        ),
    )
