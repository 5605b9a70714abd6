"""One poll of a bot that answers as the test says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotHealth, BotStatus, BotTrades, RejectedTrade
from coliseum.errors import SourceUnavailable
from coliseum.polling.bot_poll import LIST_MAX, TORN_READS_MAX, BotPoller
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT
from coliseum.trading.trades import Side, Trade

NOW = 1_700_000_000_000


def trade(number: int) -> Trade:
    return Trade(
        trade_id=f"t{number}",
        ticker="ALPHA",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(1),
        price=Decimal("0.50"),
        timestamp=1_600_000_000.0 + number,
    )


class AnsweringBot:
    """A bot with one list. Each health request takes the next answer; the last one stays."""

    def __init__(self, *trades: Trade, health: list[BotHealth | None] | None = None) -> None:
        self.list: BotTrades | None = BotTrades(trades, ())
        self.answers = health or [BotHealth(alive=True, trade_count=len(trades), started_at="run 1")]
        self.health_requests = 0
        self.strategy: str | None = None

    def health(self) -> BotHealth:
        answer = self.answers[min(self.health_requests, len(self.answers) - 1)]
        self.health_requests += 1
        if answer is None:
            raise SourceUnavailable("bot", "no health")
        return answer

    def trades(self) -> BotTrades:
        if self.list is None:
            raise SourceUnavailable("bot", "no list")
        return self.list

    def status(self) -> BotStatus:
        if self.strategy is None:
            raise SourceUnavailable("bot", "no status")
        return BotStatus(mode="paper", strategy=self.strategy, positions=(), last_error=None, idle_reasons=(), raw={})


def poller(bot: AnsweringBot) -> BotPoller:
    return BotPoller(cast(Bot, bot))


def run(name: str, count: int = 2) -> BotHealth:
    return BotHealth(alive=True, trade_count=count, started_at=name)


def test_a_poll_has_the_list_and_its_difference() -> None:
    poll = poller(AnsweringBot(trade(1), trade(2))).poll(EMPTY_CHECKPOINT, now_ms=NOW)

    assert poll.difference is not None
    assert poll.difference.trades == poll.trades == (trade(1), trade(2))
    assert (poll.alive, poll.trade_count, poll.new_run) == (True, 2, True)


def test_a_new_trade_without_a_strategy_gets_the_one_that_the_status_names() -> None:
    bot = AnsweringBot(replace(trade(1), strategy="spread"), trade(2))
    bot.strategy = "reversion"
    poll = poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW)

    assert poll.difference is not None
    assert [each.strategy for each in poll.difference.trades] == ["spread", "reversion"]


def test_a_list_without_news_costs_one_health_request() -> None:
    bot = AnsweringBot(trade(1))
    first = poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW)
    assert first.difference is not None
    bot.health_requests = 0
    second = poller(bot).poll(first.difference.checkpoint, now_ms=NOW + 3000)

    assert (bot.health_requests, second.new_run) == (1, False)


def test_a_bot_without_health_is_polled_by_its_list_alone() -> None:
    poll = poller(AnsweringBot(trade(1), health=[None])).poll(EMPTY_CHECKPOINT, now_ms=NOW)

    assert (poll.alive, poll.trade_count) == (True, 1)
    assert poll.difference is not None
    assert poll.difference.checkpoint.run == f"~{NOW}"


def test_a_bot_says_that_it_is_not_alive() -> None:
    bot = AnsweringBot(trade(1), health=[replace(run("run 1"), alive=False)])

    assert not poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW).alive


def test_a_bot_without_a_list_raises() -> None:
    bot = AnsweringBot()
    bot.list = None

    with pytest.raises(SourceUnavailable):
        poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW)


def test_a_bot_without_a_status_has_none() -> None:
    assert poller(AnsweringBot()).status() is None


def test_a_restart_during_the_poll_gives_no_difference() -> None:
    bot = AnsweringBot(trade(1), trade(2), health=[run("run 1"), run("run 2")])

    assert poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW).difference is None


def test_a_start_that_changes_in_every_poll_is_ignored_in_the_end() -> None:
    bot = AnsweringBot(trade(1), trade(2), health=[run(f"run {number}") for number in range(100)])
    reader = poller(bot)
    polls = [reader.poll(EMPTY_CHECKPOINT, now_ms=NOW) for _ in range(TORN_READS_MAX)]

    assert [poll.difference is None for poll in polls] == [True] * (TORN_READS_MAX - 1) + [False]
    assert polls[-1].difference is not None
    assert polls[-1].difference.checkpoint.run == f"~{NOW}"


def test_a_steady_start_ends_the_series_of_torn_reads() -> None:
    torn = [run("run 1"), run("run 2")]
    bot = AnsweringBot(trade(1), trade(2), health=[*torn * 2, run("run 3"), run("run 3"), *torn])
    reader = poller(bot)

    assert [reader.poll(EMPTY_CHECKPOINT, now_ms=NOW).difference is None for _ in range(4)] == [True, True, False, True]


def test_of_a_list_that_is_too_long_the_newest_trades_are_read() -> None:
    bot = AnsweringBot()
    bad = RejectedTrade("x", "no price", "d")
    bot.list = BotTrades(tuple(trade(number) for number in range(LIST_MAX + 5)), (bad,) * (LIST_MAX + 5))
    poll = poller(bot).poll(EMPTY_CHECKPOINT, now_ms=NOW)

    assert len(poll.trades) == LIST_MAX
    assert poll.trades[-1] == trade(LIST_MAX + 4)
