"""Bot, pollers, log, stream and viewers together, the faults that may happen to them, and what must hold anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from tests.chaos.direct import DirectRedis
from tests.chaos.truth import TICKERS, TruthfulBot
from tests.chaos.viewers import StreamProcess, Viewer

from coliseum.bot.client import Bot
from coliseum.config import Settings
from coliseum.errors import LogError, SourceError, SourceUnavailable
from coliseum.feed.entries import START, Entry, EntryKind
from coliseum.feed.feed import Feed
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT
from coliseum.polling.poller import Poller
from coliseum.polling.push_receiver import PushReceiver
from coliseum.streaming.subscription import EVENT_NAMES
from coliseum.upstash.client import Redis

Fault = Callable[[str], None]


class Crash(BaseException):
    """The poller's process ends at this point."""


@dataclass
class LoggedEntry:
    """One entry as it was appended, with the index of its trade in `TruthfulBot.truth`."""

    epoch: str
    entry: Entry
    index: int | None


@dataclass
class World:
    """The whole system. `pollers` are two containers that may run at the same time."""

    redis: DirectRedis
    bot: TruthfulBot = field(default_factory=TruthfulBot)
    log: list[LoggedEntry] = field(default_factory=list)
    restarts: int = 0
    began_ms: int = 0
    """Times before this belong to an earlier log: only its time tells to which epoch an id belongs."""
    forgotten: bool = False
    """Redis has lost the log, and the next one has not begun."""
    forgiven: int = 0
    """Trades before this index may be missing: no poller ran, or log and checkpoint were lost together."""

    def __post_init__(self) -> None:
        identity = Settings(_env_file=None).identity
        self.feed = Feed(cast(Redis, self.redis), prefix=f"{uuid4().hex[:8]}:", maxlen=100_000, identity=identity)
        self.skew = [0.0, 0.0]
        self.pollers = [self.container(0), self.container(1)]
        self.pushers = [self._receiver(), self._receiver()]
        self.bodies: list[bytes] = []
        """What was pushed so far: any of it may arrive again."""
        self.stream = StreamProcess(self.redis, self.feed.keys.prefix)
        self.viewers = [Viewer(self.stream, None), Viewer(self.stream, TICKERS[0]), Viewer(self.stream, "NEVER")]

    def container(self, number: int) -> Poller:
        return Poller(
            bot=cast(Bot, self.bot),
            feed=self.feed,
            exchange=None,
            interval=3.0,
            clock=lambda: max(self.began_ms, int((self.bot.time + self.skew[number]) * 1000)),
        )

    def _receiver(self) -> PushReceiver:
        return PushReceiver(
            bot=cast(Bot, self.bot),
            feed=self.feed,
            exchange_name=None,
            clock=lambda: max(self.began_ms, int(self.bot.time * 1000)),
            monotonic=lambda: self.bot.time,
        )

    # What happens

    def push(self, number: int, body: bytes, fault: Fault | None = None) -> None:
        """The bot's push reaches a receiver. When the fault raises Crash, a new receiver takes its place."""
        self.bodies.append(body)
        self.redis.fault = fault or (lambda moment: None)
        try:
            self.pushers[number].take_trades(body)
        except Crash:
            self.pushers[number] = self._receiver()
        except (SourceError, LogError):
            pass  # the bot repeats the push, or the next poll finds what it holds
        finally:
            self.redis.fault = lambda moment: None
        self._audit()

    def poll(self, number: int = 0, fault: Fault | None = None) -> None:
        """Run one tick of a container. When the fault raises Crash, a new container takes its place."""
        self.bot.time += 3.0
        self.redis.fault = fault or (lambda moment: None)
        try:
            self.tick(number)
        except Crash:
            self.pollers[number] = self.container(number)
        finally:
            self.redis.fault = lambda moment: None
        self._audit()

    def tick(self, number: int) -> None:
        if self.pollers[number].memory is EMPTY_CHECKPOINT and self.feed.position().checkpoint is None:
            self.forgiven = len(self.bot.truth)  # first contact: what was before is unknown
        self.pollers[number].tick()

    def sleep_while(self, number: int, happens: Callable[[], None]) -> None:
        """A container reads the bot, freezes before it publishes, and goes on after `happens`."""

        def frozen(moment: str) -> None:
            if moment == "before":
                self.redis.fault = lambda moment: None
                happens()
                self._audit()

        self.poll(number, frozen)

    def restart_bot(self, *, keeps_list: bool) -> None:
        self.restarts += 1
        self.bot.restart(keeps_list=keeps_list)

    def trim(self, keep: int) -> None:
        self.redis.command("XTRIM", self.feed.keys.stream, "MAXLEN", keep)

    def lose_stream(self) -> None:
        self.redis.command("DEL", self.feed.keys.stream)

    def flush(self) -> None:
        """Delete everything in Redis. Pollers and viewers may remember it."""
        keys = self.feed.keys
        self.forgotten = True
        self.began_ms = max(self.began_ms, self.feed.position().head.ms + 1)
        self.redis.command("DEL", keys.stream, keys.meta, keys.seen, keys.known, keys.poller)

    def settle(self) -> None:
        """Poll without faults until nothing waits to be published."""
        for _ in range(12):  # after failures a poller pauses for at most ten ticks
            self.poll(0)

    # What must hold

    def _audit(self) -> None:
        """Record what was appended since the last call, and check the rules of the log on it."""
        last = self.log[-1] if self.log else None
        position = self.feed.position()
        if position.epoch is None:
            return
        after = last.entry.id if last is not None and last.epoch == position.epoch else START
        rows = self.redis.command("XRANGE", self.feed.keys.stream, f"({after}" if after != START else "-", "+")
        for entry_id, fields in rows:
            self._record(position.epoch, _entry(entry_id, fields))

    def _record(self, epoch: str, entry: Entry) -> None:
        last = self.log[-1] if self.log else None
        if last is not None and last.epoch != epoch:
            assert self.forgotten, "a new epoch began although Redis had lost nothing"
            self.forgotten = False
        due = last.entry.id.seq + 1 if last is not None and last.epoch == epoch else 1
        assert entry.id.seq == due, f"entry {entry.id}: expected sequence number {due}"
        assert last is None or last.epoch != epoch or entry.id.ms >= last.entry.id.ms, (
            f"entry {entry.id} is older than the one before, {last}"
        )
        index = None
        if entry.kind in {EntryKind.TRADE, EntryKind.TRADE_CORRECTED}:
            index = self._truth_of(entry)
        known = [one.index for one in self.log if one.epoch == epoch and one.entry.kind is EntryKind.TRADE]
        if entry.kind is EntryKind.TRADE_CORRECTED:
            assert index in known, f"trade {index} was corrected before it was published"
        if entry.kind is EntryKind.TRADE:
            assert index not in known, f"trade {index} was published twice"
            self._check_order(entry, cast(int, index), published=known)
        self.log.append(LoggedEntry(epoch, entry, index))

    def _check_order(self, entry: Entry, index: int, *, published: Sequence[int | None]) -> None:
        """`published`: the trades before it in the same log."""
        assert not published or index > cast(int, published[-1]), f"{entry} came after trade {published[-1]}"

    def _truth_of(self, entry: Entry) -> int:
        for index, row in enumerate(self.bot.truth):
            if row["timestamp"] == entry.data["timestamp"] and row["trade_id"] == entry.data["trade_id"]:
                return index
        raise AssertionError(f"{entry} is no trade of the bot")

    def check_losses(self) -> None:
        """Check that every trade that was never published lies in an announced gap, and that every gap is real.

        A new log begins with the bot's list. It may announce trades of an earlier log as missing, or not.
        """
        ever: set[int] = set()
        epoch, here, base = "", -1, -1
        announced: list[dict[str, Any]] = []
        for one in self.log:
            if one.epoch != epoch:
                epoch, base = one.epoch, max(ever, default=-1)
                here = base
            if one.entry.kind is EntryKind.SOURCE_GAP:
                announced.append(one.entry.data)
            elif one.entry.kind is EntryKind.TRADE:
                index = cast(int, one.index)
                self._check_gap(here + 1, index, announced, ever, exact=here > base or base == -1)
                ever.add(index)
                here, announced = index, []
        self._check_gap(here + 1, len(self.bot.truth), announced, ever, exact=here > base or base == -1)
        restarts = Counter(
            one.epoch
            for one in self.log
            if one.entry.kind is EntryKind.SOURCE_GAP and one.entry.data["reason"] == "restart"
        )
        assert max(restarts.values(), default=0) <= self.restarts, f"{restarts} restarts of {self.restarts}"

    def _check_gap(self, start: int, end: int, announced: list[dict[str, Any]], ever: set[int], *, exact: bool) -> None:
        missing = [index for index in range(max(start, self.forgiven), end) if index not in ever]
        if missing:
            assert announced, f"trades {missing} are missing without an announced gap"
        if start < self.forgiven or not exact:
            return
        sizes = [data["lost"] for data in announced]
        if sizes and None not in sizes:
            assert sum(sizes) == len(missing), f"gaps of {sizes} trades were announced, but {missing} are missing"
        for data in announced:
            # A full list after an empty one may be just complete. The bot's count cannot tell in this one case.
            undecided = data["lost"] is None and data["at_least"] == 0
            assert missing or data["reason"] == "restart" or undecided, (
                f"a gap was announced where nothing is missing: {data}"
            )

    def check_clock(self) -> None:
        """Check that a clock that is ahead was announced once in each run and log, and no status without a change."""
        announced = 0
        before: tuple[str, dict[str, Any]] = ("", {})
        for one in self.log:
            if one.entry.kind is EntryKind.BOT_STATUS:
                assert (one.epoch, one.entry.data) != before, f"{one.entry} says nothing new"
                ahead, known = one.entry.data["clock_ahead_seconds"], before[1].get("clock_ahead_seconds")
                # Another status may say how much the difference has grown: that is no announcement of its own.
                same_status = before[1].get("since") == one.entry.data["since"]
                announced += ahead is not None and ahead != known and (known is None or same_status)
                before = (one.epoch, one.entry.data)
        logs = len({one.epoch for one in self.log})
        assert announced <= self.restarts + logs, f"{announced} announcements in {self.restarts + 1} runs"

    def check_current(self) -> None:
        """Check that the log's newest price of each listed trade is the bot's."""
        if not self.log:
            return
        epoch = self.log[-1].epoch
        prices = {
            one.index: one.entry.data["price"] for one in self.log if one.epoch == epoch and one.index is not None
        }
        for index in self.bot.window:
            assert prices.get(index) == self.bot.truth[index]["price"], (
                f"trade {index} has price {prices.get(index)} in the log"
            )

    def check_viewers(self) -> None:
        """Check that what each viewer received, filtered out or lost is the log: in order, complete, nothing twice."""
        self.stream.away = False
        position = self.feed.position()
        for viewer in self.viewers:
            viewer.catch_up()
            assert viewer.last_id == str(position.head)
            for epoch in {one.epoch for one in self.log}:
                self._check_received(viewer, epoch, whole=epoch == position.epoch)

    def _check_received(self, viewer: Viewer, epoch: str, *, whole: bool) -> None:
        received = [(name, data) for of, _, name, data in viewer.received if of == epoch]
        lost, begin = viewer.lost.get(epoch, set()), viewer.begins.get(epoch, 0)
        kept = [one.entry for one in self.log if one.epoch == epoch]
        kept = [entry for entry in kept if entry.id.seq > begin and entry.id.seq not in lost]
        due = [
            (EVENT_NAMES[entry.kind], entry.data)
            for entry in kept
            if viewer.ticker is None or not entry.tickers or viewer.ticker in entry.tickers
        ]
        assert received == (due if whole else due[: len(received)])
        ids = [entry_id for of, entry_id, _, _ in viewer.received if of == epoch]
        assert ids == sorted(ids)

    def check_caught_up(self, viewer: Viewer, *, restarts: bool) -> None:
        """Check that a viewer that has received everything sees no gap when it returns, whatever was trimmed."""
        self.stream.away = False
        viewer.catch_up()
        self.trim(0)
        if restarts:
            self.stream.restart()
        before = viewer.troubles
        viewer.connect()
        viewer.catch_up()
        assert viewer.troubles == before, "a gap was announced although the viewer had everything"


def crash_before(moment: str) -> None:
    """The poller ends after it read the bot and before it publishes."""
    if moment == "before":
        raise Crash


def crash_after(moment: str) -> None:
    """The poller ends after the publish and before it gets the reply."""
    if moment == "after":
        raise Crash


def refuse(moment: str) -> None:
    """Redis is away."""
    if moment == "before":
        raise SourceUnavailable("redis", "is away")


def lose_reply(moment: str) -> None:
    """The publish happens and its reply is lost."""
    if moment == "after":
        raise SourceUnavailable("redis", "the reply was lost")


FAULTS: dict[str, Fault | None] = {
    "none": None,
    "after_fetch": crash_before,
    "after_publish": crash_after,
    "redis_away": refuse,
    "reply_lost": lose_reply,
}


def _entry(entry_id: str, fields: list[str]) -> Entry:
    from coliseum.feed.entries import parse_entry

    return parse_entry(entry_id, fields[1])
