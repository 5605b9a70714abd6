"""Several bots, exchanges and accounts with one Redis and one Postgres: nothing is mixed, and coming back goes on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, row, serving
from tests.integration.test_migrations import connect, empty

from coliseum.bot.client import Bot
from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import START, Candidate, EntryKind
from coliseum.feed.feed import AsyncFeed, Feed
from coliseum.identity import Identity, exchange_at
from coliseum.polling.poller import Poller
from coliseum.portfolio.records import insert_balance, newest_bot_status, select_snapshots, select_trades
from coliseum.projection import records as projection_records
from coliseum.projection.projector import Projector
from coliseum.store.client import Store
from coliseum.trading.markets import Balance
from coliseum.upstash.client import AsyncRedis, Redis
from coliseum_local.postgres.migrations import apply, migrations_in

__all__ = ["empty"]
Connect = Callable[[], AbstractAsyncContextManager[AsyncRedis]]
NOW_MS = 1_795_000_000_000
LABELS = "20261201000200"
"""The migration that brings the labels."""


def identity(account: str, *, bot: str = "bot", base: str = "https://external-api.kalshi.com") -> Identity:
    exchange = exchange_at(base)
    return Identity(bot=bot, exchange=exchange, account=f"{exchange.label}/{account}")


FIRST = identity("a")
OTHER_ACCOUNT = identity("b")
OTHER_EXCHANGE = identity("a", base="https://demo-api.kalshi.co")
OTHER_BOT = identity("a", bot="second")
ALL = (FIRST, OTHER_ACCOUNT, OTHER_EXCHANGE, OTHER_BOT)


def trade(name: str) -> Candidate:
    data = {"trade_id": name, "ticker": "T"}
    return Candidate(kind=EntryKind.TRADE, key=f"trade:{name}", digest=name, data=data, boot="1", at="1")


def names(feed: Feed) -> list[str]:
    return [entry.data["trade_id"] for entry in feed.read(START).reading.entries if entry.kind is EntryKind.TRADE]


@pytest.fixture
def feed_of(redis: Redis, prefix: str) -> Callable[[Identity | None], Feed]:
    """A feed in a process of its own."""
    return lambda who: Feed(redis, prefix=prefix, maxlen=1000, identity=who)


FeedOf = Callable[[Identity | None], Feed]


# --- the log in Redis


@pytest.mark.parametrize("other", ALL[1:], ids=["account", "exchange", "bot"])
def test_another_account_exchange_or_bot_has_a_log_of_its_own(feed_of: FeedOf, other: Identity) -> None:
    feed_of(FIRST).publish([trade("mine")], now_ms=NOW_MS, checkpoint="c1")
    feed_of(other).publish([trade("theirs"), trade("mine")], now_ms=NOW_MS + 5, checkpoint="c2")

    first, second = feed_of(FIRST), feed_of(other)
    assert (names(first), names(second)) == (["mine"], ["theirs", "mine"])
    assert (first.position().checkpoint, second.position().checkpoint) == ("c1", "c2")
    assert first.position().epoch != second.position().epoch


def test_coming_back_goes_on_in_the_same_epoch_with_the_same_memory(feed_of: FeedOf) -> None:
    before = feed_of(FIRST).publish([trade("one")], now_ms=NOW_MS)
    feed_of(OTHER_ACCOUNT).publish([trade("one")], now_ms=NOW_MS)
    after = feed_of(FIRST).publish([trade("one"), trade("two")], now_ms=NOW_MS)

    assert (after.epoch, after.head.seq) == (before.epoch, 2)
    assert [candidate.key for _, candidate in after.entries] == ["trade:two"]


def test_an_upgrade_keeps_the_log_and_marks_it_before_anybody_publishes(feed_of: FeedOf) -> None:
    """The release before had no owners. Its log lies under the same keys."""
    before = feed_of(None).publish([trade("old")], now_ms=NOW_MS, checkpoint="c1")
    position = feed_of(FIRST).position()
    feed_of(OTHER_ACCOUNT).publish([trade("theirs")], now_ms=NOW_MS)

    assert (position.epoch, position.checkpoint) == (before.epoch, "c1")
    assert names(feed_of(FIRST)) == ["old"]


def test_a_key_that_is_set_later_takes_over_the_log_of_the_same_bot(feed_of: FeedOf) -> None:
    feed_of(identity("public")).publish([trade("old")], now_ms=NOW_MS)
    keyed = feed_of(FIRST)
    keyed.publish([trade("new")], now_ms=NOW_MS)

    assert names(keyed) == ["old", "new"]
    assert names(feed_of(OTHER_ACCOUNT)) == []


def test_a_log_of_its_own_stays_in_use_after_the_first_one_is_gone(feed_of: FeedOf, redis: Redis, prefix: str) -> None:
    feed_of(FIRST).publish([trade("mine")], now_ms=NOW_MS)
    running = feed_of(OTHER_ACCOUNT)
    running.publish([trade("one")], now_ms=NOW_MS)
    redis.command("DEL", f"{prefix}feed", f"{prefix}feed:meta", f"{prefix}feed:seen", f"{prefix}feed:known")

    assert names(feed_of(OTHER_ACCOUNT)) == ["one"]
    running.publish([trade("two")], now_ms=NOW_MS)
    feed_of(OTHER_ACCOUNT).publish([trade("three")], now_ms=NOW_MS)
    assert names(feed_of(OTHER_ACCOUNT)) == ["one", "two", "three"]


def test_the_check_of_the_owner_costs_the_first_identity_no_command(feed_of: FeedOf, redis_server: RedisServer) -> None:
    feed = feed_of(FIRST)
    feed.publish([trade("a")], now_ms=NOW_MS)
    redis_server.reset_meter()
    feed.position()
    feed.read(START)
    feed.publish([trade("a")], now_ms=NOW_MS)
    assert redis_server.meter()["total"] == 1 + 3 + 5


Act = tuple[int, str]


@given(acts=st.lists(st.tuples(st.integers(0, len(ALL) - 1), st.sampled_from("abcdef")), max_size=25))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_each_log_holds_its_own_trades_once(redis: Redis, acts: list[Act]) -> None:
    """Each act is a process of its own that publishes one trade."""
    prefix = f"identities:{datetime.now(UTC).timestamp()}:"
    expected: dict[Identity, list[str]] = {who: [] for who in ALL}
    for index, name in acts:
        Feed(redis, prefix=prefix, maxlen=1000, identity=ALL[index]).publish([trade(name)], now_ms=NOW_MS)
        if name not in expected[ALL[index]]:
            expected[ALL[index]].append(name)
    for who, published in expected.items():
        assert names(Feed(redis, prefix=prefix, maxlen=1000, identity=who)) == published


def test_a_stream_reader_finds_the_pollers_log_and_its_doorbell(
    async_redis: Connect, feed_of: FeedOf, prefix: str
) -> None:
    feed_of(FIRST).publish([trade("mine")], now_ms=NOW_MS)
    poller = feed_of(OTHER_ACCOUNT)

    async def listen() -> list[Any]:
        async with async_redis() as redis:
            reader = AsyncFeed(redis, prefix=prefix, identity=OTHER_ACCOUNT)
            async with aclosing(reader.notifications()) as first_channel:
                assert await anext(first_channel) is None
                await reader.read(START)
                assert await anext(first_channel, "ended") == "ended"
            async with aclosing(reader.notifications()) as channel:
                assert await anext(channel) is None
                await asyncio.to_thread(poller.publish, [trade("theirs")], now_ms=NOW_MS)
                notification = await anext(channel)
            assert notification is not None
            heard = [entry.data["trade_id"] for entry in notification.entries or ()]
            state = await reader.latest(5)
            return heard + [entry.data["trade_id"] for entry in state.reading.entries]

    poller.publish([trade("before")], now_ms=NOW_MS)
    assert asyncio.run(asyncio.wait_for(listen(), 30)) == ["theirs", "before", "theirs"]


# --- poller, projector, Postgres


@dataclass
class Installation:
    """Coliseum with one bot and account at a time, on one Redis and one Postgres. Each run is a new process."""

    redis: Redis
    prefix: str
    database: PostgresServer
    bots: dict[Identity, ScriptedBot]
    now: float = 1_795_000_000.0
    number: int = 0
    made: dict[Identity, list[str]] = field(default_factory=dict)

    def trade(self, who: Identity) -> None:
        """The identity's bot trades. Two bots use the same ids and times: only the owner tells the trades apart."""
        name = f"t{len(self.made.setdefault(who, []))}"
        self.made[who].append(name)
        self.bots[who].trade(row(name, at=1_795_000_000.0 + len(self.made[who]), ticker=f"T-{ALL.index(who)}"))

    def run(self, who: Identity, *, ticks: int = 2, crash: bool = False) -> None:
        """Some ticks and a projection; `crash` ends the process after Postgres stored a batch, without its answer."""
        with ExitStack() as stack:
            bot = self.bots[who]
            client = stack.enter_context(closing(Bot(status_url=bot.status_url, trades_url=bot.trades_url)))
            store = stack.enter_context(closing(self.store(who)))
            feed = Feed(self.redis, prefix=self.prefix, maxlen=1000, identity=who)
            poller = Poller(bot=client, feed=feed, exchange=None, interval=3.0, clock=lambda: int(self.now * 1000))
            for _ in range(ticks):
                self.now += 3
                poller.tick()
            if crash:
                self._lose_the_answer(store, poller, feed)
                return
            insert_balance(store, int(self.now), _balance(ALL.index(who)), source="kalshi")
            result = Projector(feed=feed, store=store).run(poller.head, time_left=lambda: math.inf)
            assert result.problem is None

    def store(self, who: Identity | None) -> Store:
        return Store(self.database.url, self.database.secret_key, identity=who)

    def _lose_the_answer(self, store: Store, poller: Poller, feed: Feed) -> None:
        with pytest.MonkeyPatch.context() as patch:
            stored = projection_records.project_batch

            def lost(store: Store, batch: Any) -> Any:
                stored(store, batch)
                raise SourceUnavailable("postgres", "the answer was lost")

            patch.setattr("coliseum.projection.projector.project_batch", lost)
            Projector(feed=feed, store=store).run(poller.head, time_left=lambda: math.inf)


def _balance(number: int) -> Balance:
    return Balance(cash=Decimal(number), portfolio_value=Decimal(0), as_of=datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def installation(redis: Redis, prefix: str, store: Store, postgres_server: PostgresServer) -> Iterator[Installation]:
    """`store` is asked for because it empties the tables."""
    with ExitStack() as stack:
        bots = {who: stack.enter_context(serving(ScriptedBot())) for who in ALL}
        yield Installation(redis, prefix, postgres_server, bots)


def stored(store: Store) -> list[tuple[str, str]]:
    rows = select_trades(store, ticker=None, since=None, after=None, limit=100)
    return sorted((row.trade.ticker, row.trade.trade_id) for row in rows)


def test_back_and_forth_with_crashes_mixes_and_loses_nothing(installation: Installation) -> None:
    for round_number in range(3):
        for who in ALL:
            installation.trade(who)
            installation.run(who, crash=round_number == 1)
    for who in ALL:
        installation.run(who)

    for number, who in enumerate(ALL):
        feed = Feed(installation.redis, prefix=installation.prefix, maxlen=1000, identity=who)
        assert names(feed) == ["t0", "t1", "t2"]
        with closing(installation.store(who)) as store:
            assert stored(store) == [(f"T-{number}", name) for name in ("t0", "t1", "t2")]
            status = newest_bot_status(store)
            assert status is not None
            assert status["mode"] == "paper"


def test_balances_belong_to_the_account_and_not_to_the_bot(installation: Installation) -> None:
    for who in ALL:
        installation.run(who)
    cash = {}
    for who in ALL:
        with closing(installation.store(who)) as store:
            rows = select_snapshots(store, since=None, until=None, after=None, limit=10)
            cash[who] = [int(row.snapshot.cash) for row in rows]
    assert cash == {FIRST: [0, 3], OTHER_BOT: [0, 3], OTHER_ACCOUNT: [1], OTHER_EXCHANGE: [2]}


def test_reading_claims_nothing(installation: Installation) -> None:
    """A misconfigured reader must not become the owner of the rows from before."""
    with closing(installation.store(None)) as old:
        insert_balance(old, 1_795_000_000, _balance(7), source="kalshi")
    for who in (OTHER_ACCOUNT, FIRST):
        with closing(installation.store(who)) as store:
            assert len(select_snapshots(store, since=None, until=None, after=None, limit=10)) == 1
    installation.run(FIRST)
    with closing(installation.store(OTHER_ACCOUNT)) as store:
        assert select_snapshots(store, since=None, until=None, after=None, limit=10) == []


def test_the_public_views_write_the_labels_out(installation: Installation) -> None:
    for who in (FIRST, OTHER_BOT):
        installation.trade(who)
        installation.run(who)
    with closing(installation.store(None)) as store:
        rows = store.select("public_trades", "account,bot", order=("event_id",))
    assert sorted((row["account"], row["bot"]) for row in rows) == [("production/a", "bot"), ("production/a", "second")]


def test_an_upgrade_gives_the_stored_rows_to_the_first_identity_that_writes(root: Path, empty: str) -> None:
    migrations = migrations_in(root / "supabase" / "migrations")
    entries = (
        '[{"ms": 5, "seq": 1, "kind": "trade", "data": {"trade_id": "old", "ticker": "T", "side": "BUY",'
        ' "quantity": 1, "price": 0.5, "timestamp": 1795000000, "source": "bot_live"}}]'
    )
    with connect(empty) as connection:
        apply(connection, tuple(one for one in migrations if one.version < LABELS))
        connection.execute("select project_entries('history', 'e1', 0, %s)", [entries])
        connection.execute(
            "insert into settlements (ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue,"
            " fee, settled_at) values ('T', 'E', 'yes', 1, 1, 0, 0, 1, 0, now())"
        )
        apply(connection, migrations)
        unclaimed = _labels(connection, "b", claim=False)
        first = _labels(connection, "a", claim=True)
        other = _labels(connection, "b", claim=True)
        position = connection.execute("select projection_position('history')").fetchone()
        visible = connection.execute("select count(*) from trades where account = '' and bot = ''").fetchone()

    assert (unclaimed["claimed"], first["account"], other["account"]) == (False, "", "production/b")
    assert position == ({"epoch": "e1", "ms": 5, "seq": 1},)
    assert visible == (1,)


def _labels(connection: psycopg.Connection[Any], account: str, *, claim: bool) -> dict[str, Any]:
    found = connection.execute(
        "select history_labels(%s, 'bot', 'production/public', %s)", [f"production/{account}", claim]
    ).fetchone()
    assert found is not None
    labels: dict[str, Any] = found[0]
    return labels
