"""Gaps in the bot's list, filled from the fills of a real exchange."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fixtures.exchange import Exchange
from tests.fixtures.scripted_bot import Row, ScriptedBot, serving
from tests.fixtures.waiting import until

from coliseum.bot.client import Bot
from coliseum.feed.entries import START, EntryKind
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.polling.poller import Poller
from coliseum.trading.trades import Fill
from coliseum.upstash.client import Redis


class TradedMarket:
    """A bot that trades on the exchange, and a poller that watches it. Time is the exchange's own."""

    def __init__(self, exchange: Exchange, bot: ScriptedBot, client: Bot, kalshi: Kalshi, feed: Feed) -> None:
        self.exchange, self.bot, self._client, self.kalshi, self._feed = exchange, bot, client, kalshi, feed
        self.ticker = self._offered()
        self.now = 0.0
        self.poller = self.new_poller()

    def new_poller(self) -> Poller:
        """A poller without a memory, as in a new container."""
        return Poller(
            bot=self._client,
            feed=self._feed,
            exchange=self.kalshi,
            interval=3.0,
            clock=lambda: int(self.now * 1000),
        )

    def _offered(self) -> str:
        """A market in which contracts are on sale. At some moments there is none."""

        def offered() -> str | None:
            for market in self.exchange.get("/markets", status="open", limit=1000)["markets"]:
                if 0 < float(market["yes_ask_dollars"]) < 0.95 and float(market["yes_ask_size_fp"]) > 20:
                    return str(market["ticker"])
            return None

        return str(until(offered, every=0.1))

    def newest(self) -> Fill:
        return self.kalshi.all_fills(since=0)[0]

    def trade(self) -> Row:
        """Buy one contract. Returns the row with which the bot reports the fill."""
        self.exchange.order(self.ticker, "bid", "1.00", "0.9900").raise_for_status()
        fill = self.newest()
        self.now = max(self.now, fill.timestamp)
        return {
            "timestamp": fill.timestamp,
            "ticker": fill.ticker,
            "side": "BUY",
            "quantity": 1,
            "price": float(fill.yes_price),
            "trade_id": fill.fill_id,
        }

    def tick(self, *, after: float = 3.0) -> None:
        self.now += after
        self.poller.tick()


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=10_000)


@pytest.fixture
def market(exchange_server: Exchange, feed: Feed) -> Iterator[TradedMarket]:
    credentials = Credentials(exchange_server.api_key, private_key_path=exchange_server.private_key_path)
    kalshi = Kalshi(exchange_server.url, credentials)
    with serving(ScriptedBot()) as bot:
        client = Bot(status_url=bot.status_url, trades_url=bot.trades_url)
        yield TradedMarket(exchange_server, bot, client, kalshi, feed)
        client.close()
    kalshi.close()
    exchange_server.admin("outage", active=False)


def logged_trades(feed: Feed) -> list[tuple[str, bool]]:
    """Each trade in the log, and whether it was backfilled."""
    entries = feed.read(START, count=500).reading.entries
    return [
        (entry.data["trade_id"], bool(entry.data.get("backfilled")))
        for entry in entries
        if entry.kind is EntryKind.TRADE
    ]


def gaps(feed: Feed) -> list[dict[str, object]]:
    return [entry.data for entry in feed.read(START, count=500).reading.entries if entry.kind is EntryKind.SOURCE_GAP]


def overflow(market: TradedMarket, *, hidden: int) -> tuple[Row, list[Row], Row]:
    """One trade in a poll, then some that the list has pushed out, then one more in the list."""
    first = market.trade()
    market.bot.trade(first)
    market.tick()
    lost = [market.trade() for _ in range(hidden)]
    last = market.trade()
    market.bot.rows, market.bot.count = [last], 2 + hidden
    return first, lost, last


def test_a_gap_is_filled_in_order_before_the_newer_trades(market: TradedMarket, feed: Feed) -> None:
    first, lost, last = overflow(market, hidden=2)
    market.tick()

    assert logged_trades(feed) == [
        (first["trade_id"], False),
        *((row["trade_id"], True) for row in lost),
        (last["trade_id"], False),
    ]
    (gap,) = gaps(feed)
    assert (gap["reason"], gap["lost"], gap["backfilled"]) == ("overflow", 0, 2)


def test_a_gap_that_the_exchange_cannot_fill_now_is_filled_later(market: TradedMarket, feed: Feed) -> None:
    first, lost, last = overflow(market, hidden=1)
    market.exchange.admin("outage", active=True)
    market.tick()
    assert logged_trades(feed) == [(first["trade_id"], False), (last["trade_id"], False)]
    market.exchange.admin("outage", active=False)
    for _ in range(7):
        market.tick()

    assert logged_trades(feed) == [(first["trade_id"], False), (last["trade_id"], False), (lost[0]["trade_id"], True)]
    before, after = gaps(feed)
    assert (before["lost"], before["backfilled"]) == (1, 0)
    assert (after["lost"], after["backfilled"], after["late"]) == (0, 1, True)
    assert (before["from"], before["to"]) == (after["from"], after["to"])


def test_the_gap_of_a_bot_with_ids_of_its_own_is_not_filled(market: TradedMarket, feed: Feed, redis: Redis) -> None:
    first, _, last = overflow(market, hidden=1)
    for row, own in ((first, "mine-1"), (last, "mine-3")):
        row["trade_id"] = own
    market.bot.rows = [last]
    poller = market.new_poller()  # it has seen only the bot's own ids
    redis.command("DEL", feed.keys.stream, feed.keys.meta, feed.keys.seen, feed.keys.known)
    market.bot.rows, market.bot.count = [first], 1
    poller.tick()
    market.bot.rows, market.bot.count = [last], 3
    poller.tick()

    assert logged_trades(feed) == [("mine-1", False), ("mine-3", False)]
    (gap,) = gaps(feed)
    assert (gap["lost"], gap["backfilled"]) == (1, 0)


def test_a_restart_is_filled_up_to_the_new_start(market: TradedMarket, feed: Feed) -> None:
    first = market.trade()
    market.bot.trade(first)
    market.tick()
    unseen = market.trade()
    market.bot.rows, market.bot.count, market.bot.started_at = [], 0, "a later start"
    market.tick(after=20)

    assert logged_trades(feed) == [(first["trade_id"], False), (unseen["trade_id"], True)]
    (gap,) = gaps(feed)
    assert (gap["reason"], gap["backfilled"]) == ("restart", 1)


@pytest.mark.parametrize("hours", [5, 8760, -24])
def test_a_wrong_clock_of_the_bot_hides_no_trade_of_a_restart(market: TradedMarket, feed: Feed, hours: int) -> None:
    """SSE-036: three trades with the bot's time are seen, and three more are lost with its list."""
    seen = [market.trade() for _ in range(3)]
    for row in seen:
        market.bot.trade({**row, "timestamp": row["timestamp"] + hours * 3600})
    market.tick()
    unseen = [market.trade() for _ in range(3)]
    market.bot.rows, market.bot.count, market.bot.started_at = [], 0, "a later start"
    for _ in range(12):
        market.tick()

    assert logged_trades(feed) == [
        *((row["trade_id"], False) for row in seen),
        *((row["trade_id"], True) for row in unseen),
    ]
    first, *_, last = gaps(feed)
    assert (first["lost"], first["at_least"]) == (None, 0)
    assert (last["lost"], last["backfilled"]) == (0, 3)


def test_a_time_ahead_of_our_clock_is_marked_and_announced_once(market: TradedMarket, feed: Feed) -> None:
    """SSE-036"""
    rows = [market.trade() for _ in range(2)]
    for row in rows:
        market.bot.trade({**row, "timestamp": row["timestamp"] + 18_000})
        market.tick()

    entries = feed.read(START, count=500).reading.entries
    trades = [entry.data for entry in entries if entry.kind is EntryKind.TRADE]
    statuses = [entry.data["clock_ahead_seconds"] for entry in entries if entry.kind is EntryKind.BOT_STATUS]
    assert [trade["timestamp"] for trade in trades] == [row["timestamp"] + 18_000 for row in rows]
    assert all(17_900 < trade["clock_ahead_seconds"] <= 18_000 for trade in trades)
    assert statuses == [None, trades[0]["clock_ahead_seconds"]]


def test_a_live_bots_trades_without_a_fill_are_counted_at_the_end_of_the_minute(
    market: TradedMarket, feed: Feed
) -> None:
    """SSE-037"""
    market.bot.answers["/status"] = (200, b'{"mode": "live"}')
    market.bot.trade(market.trade())
    market.bot.trade({**market.trade(), "trade_id": "never filled"})

    def sleep(seconds: float) -> None:
        market.now += seconds

    for _ in range(3):
        market.poller.minute(until=market.now + 58, clock=lambda: market.now, sleep=sleep)

    entries = feed.read(START, count=500).reading.entries
    statuses = [entry.data["unconfirmed"] for entry in entries if entry.kind is EntryKind.BOT_STATUS]
    assert statuses == [None, 0, 1]


def test_while_the_bot_is_offline_its_trades_come_from_the_exchange(market: TradedMarket, feed: Feed) -> None:
    first = market.trade()
    market.bot.trade(first)
    market.tick()
    market.bot.answers["/trades"] = (500, b"")
    unseen = market.trade()
    for _ in range(3):
        market.tick()
    assert logged_trades(feed) == [(first["trade_id"], False), (unseen["trade_id"], False)]

    market.bot.answers.clear()
    market.bot.trade({**unseen, "fee": 0.01})  # the bot reports it with its own facts
    for _ in range(3):
        market.tick()

    entries = feed.read(START, count=500).reading.entries
    assert [entry.data["source"] for entry in entries if entry.kind is EntryKind.TRADE] == ["bot_live", "kalshi"]
    assert not [entry for entry in entries if entry.kind in {EntryKind.TRADE_CORRECTED, EntryKind.SOURCE_GAP}]
