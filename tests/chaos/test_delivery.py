"""Whatever happens to bot, pollers, log and readers: nothing lost in silence, nothing twice, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.chaos.direct import DirectRedis, running_valkey
from tests.chaos.world import FAULTS, World

SOAK = int(os.environ.get("COLISEUM_SOAK") or 0)
"""Examples to try in a long run; 0 is the suite's short one."""

HUNTING = bool(os.environ.get("DELIVERY_HUNT"))
"""Stop at the first failure instead of making it small."""
EXAMPLES = SOAK or (250 if HUNTING else 60)

container = st.integers(0, 1)
fault = st.sampled_from(sorted(FAULTS))
client = st.integers(0, 2)
burst = st.one_of(st.integers(1, 5), st.integers(1, 130), st.sampled_from([99, 100, 101, 250]))


class Delivery(RuleBasedStateMachine):
    """One world per example, in keys of its own."""

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

    @rule(number=container, seconds=st.sampled_from([-3600.0, -5.0, 0.0, 5.0, 3600.0]))
    def move_clock(self, number: int, seconds: float) -> None:
        self.world.skew[number] = seconds

    @rule(number=client, frames=st.integers(1, 4), heartbeat=st.booleans())
    def pump(self, number: int, frames: int, heartbeat: bool) -> None:
        self.world.readers[number].pump(frames)
        if heartbeat:
            self.world.readers[number].heartbeat()

    @rule(number=client)
    def cut(self, number: int) -> None:
        self.world.readers[number].cut()

    @rule(keep=st.integers(0, 40))
    def trim(self, keep: int) -> None:
        self.world.trim(keep)

    @rule()
    def lose_stream(self) -> None:
        self.world.lose_stream()

    @rule()
    def flush(self) -> None:
        self.world.flush()

    @rule(number=client)
    def come_back_caught_up(self, number: int) -> None:
        self.world.check_caught_up(self.world.readers[number])

    @invariant()
    def readers_add_up(self) -> None:
        for reader in self.world.readers if hasattr(self, "world") else ():
            reader.session.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_losses()
            self.world.check_current()
            self.world.check_readers()


@pytest.fixture(scope="module")
def direct() -> Iterator[DirectRedis]:
    with running_valkey() as path:
        redis = DirectRedis(path)
        yield redis
        redis.close()


@pytest.mark.timeout(0 if SOAK else 120)
def test_nothing_is_lost_in_silence_published_twice_or_out_of_order(direct: DirectRedis) -> None:
    Delivery.redis = direct
    run_state_machine_as_test(
        Delivery,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40 if SOAK else 25,
            phases=[Phase.generate] if HUNTING else list(Phase),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
