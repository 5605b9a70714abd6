"""The queue between the bot and the log: what waits, in which order, and with which checkpoints."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from coliseum.feed.entries import Candidate, EntryKind
from coliseum.polling.candidates import trade_candidate
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, KnownTrade
from coliseum.polling.diff import BotObservation, ListDifference, compare
from coliseum.polling.publications import Publication, list_publication
from coliseum.polling.unpublished import UnpublishedQueue, batches, extend_order, republish_before_list
from coliseum.trading.trades import Side, Trade


def trade(name: str, at: float = 1.0) -> Trade:
    return Trade(
        trade_id=name,
        ticker="ALPHA",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(1),
        price=Decimal("0.5"),
        timestamp=at,
    )


def entries(*trades: Trade) -> tuple[Candidate, ...]:
    return tuple(trade_candidate(one, run="r") for one in trades)


def checkpoint(*trades: Trade) -> Checkpoint:
    known = {one.trade_id: KnownTrade(one.digest(), one.timestamp) for one in trades}
    return replace(EMPTY_CHECKPOINT, run="r", list_length=len(trades), known=known)


def publication(*trades: Trade) -> Publication:
    return Publication(entries(*trades), checkpoint(*trades))


def ids(publications: tuple[Publication, ...]) -> list[list[str]]:
    return [[entry.data["trade_id"] for entry in one.entries] for one in publications]


A, B, C = trade("a", 1.0), trade("b", 2.0), trade("c", 3.0)


def test_a_new_queue_is_empty_and_knows_nothing() -> None:
    queue = UnpublishedQueue()

    assert not queue
    assert queue.entry_count == 0
    assert queue.memory is EMPTY_CHECKPOINT


def test_the_memory_includes_what_waits() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A))
    queue.add(publication(A, B))

    assert (queue.entry_count, list(queue.memory.known)) == (3, ["a", "b"])


def test_a_publication_without_entries_changes_the_memory_only() -> None:
    queue = UnpublishedQueue()
    queue.add(Publication((), checkpoint(A)))

    assert not queue
    assert list(queue.memory.known) == ["a"]


def test_the_last_batch_stores_the_newest_memory() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A))
    queue.remember(checkpoint(A, B))
    (batch,) = queue.prepare_batches()

    assert ids((batch,)) == [["a"]]
    assert batch.checkpoint == checkpoint(A, B)


def test_a_batch_leaves_the_queue_only_when_it_is_confirmed() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A))
    queue.add(publication(B))
    assert ids(queue.prepare_batches(size=1))[:2] == [["a"], ["b"]]
    queue.confirm_first()

    assert queue.entry_count == 1
    assert ids(queue.prepare_batches(size=1))[0] == ["b"]


def test_nothing_waits_once_every_batch_is_confirmed() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A))
    queue.prepare_batches()
    queue.confirm_all()

    assert not queue
    assert list(queue.memory.known) == ["a"]


def test_another_pollers_checkpoint_replaces_memory_and_queue() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A))
    queue.restart_from(checkpoint(B))

    assert not queue
    assert list(queue.memory.known) == ["b"]


def test_only_the_new_trades_of_a_list_are_published() -> None:
    assert UnpublishedQueue().trades_to_publish((A, B), new=(B,)) == (B,)


def test_an_emptied_log_gets_the_whole_list_once_behind_what_only_the_queue_has() -> None:
    queue = UnpublishedQueue()
    queue.add(publication(A, B))
    queue.log_was_emptied()

    assert queue.trades_to_publish((B, C), new=(C,)) == (B, C)
    assert ids(queue.prepare_batches()) == [["a"]]
    assert queue.trades_to_publish((B, C), new=()) == ()


def test_another_pollers_checkpoint_means_that_the_log_is_not_empty() -> None:
    queue = UnpublishedQueue()
    queue.log_was_emptied()
    queue.restart_from(checkpoint(A))

    assert queue.trades_to_publish((A, B), new=(B,)) == (B,)


def test_batches_do_not_split_publications_and_keep_their_own_checkpoints() -> None:
    checkpoints = [replace(EMPTY_CHECKPOINT, list_length=number) for number in range(4)]
    waiting = [
        Publication(entries(A, B), checkpoints[0]),
        Publication(entries(C), checkpoints[1]),
        Publication(entries(*(trade(name) for name in "defg")), checkpoints[2]),
        Publication((), checkpoints[3]),
    ]
    made = batches(waiting, size=3)

    assert [len(batch.entries) for batch in made] == [3, 4, 0]
    assert [batch.checkpoint.list_length for batch in made] == [1, 2, 3]


@given(st.lists(st.integers(0, 7), max_size=20), st.integers(1, 10))
def test_no_batch_claims_trades_of_a_later_batch(sizes: list[int], size: int) -> None:
    """Each batch's checkpoint names the number of trades up to its end."""
    waiting: list[Publication] = []
    total = 0
    for number in sizes:
        new = entries(*(trade(f"t{total + index}") for index in range(number)))
        total += number
        waiting.append(Publication(new, replace(EMPTY_CHECKPOINT, trade_count=total)))
    sent = 0
    for batch in batches(waiting, size=size):
        sent += len(batch.entries)
        assert batch.checkpoint.trade_count == sent

    assert sent == total


def test_an_emptied_log_gets_what_the_list_has_dropped_in_the_order_of_the_lists() -> None:
    """The bot used the id `1` again after a restart, and its clock went back between the two."""
    earlier, later, listed = trade("1", 9.0), trade("1", 5.0), trade("listed")
    made = republish_before_list(
        (publication(later), publication(earlier), publication(listed)),
        (listed,),
        EMPTY_CHECKPOINT,
        {("trade:1", "9.0"): 0, ("trade:1", "5.0"): 1},
    )

    assert [entry.at for entry in made.entries] == ["9.0", "5.0"]


def test_trades_of_one_moment_keep_the_order_in_which_they_became_known() -> None:
    first, second = trade("z", 5.0), trade("a", 5.0)
    queue = UnpublishedQueue()
    queue.add(publication(first))
    queue.add(Publication(entries(second, first), checkpoint(first, second)))
    queue.log_was_emptied()
    queue.trades_to_publish((), new=())

    assert ids(queue.prepare_batches()) == [["z", "z", "a"]]


def test_an_entry_that_is_no_trade_stays_behind_the_one_that_it_came_after() -> None:
    gap = Candidate(kind=EntryKind.SOURCE_GAP, key="gap", digest="", data={"trade_id": "gap"})
    waiting = (Publication((*entries(B), gap, *entries(C, A)), EMPTY_CHECKPOINT),)
    order = extend_order({}, checkpoint(A, B, C).known)
    made = republish_before_list(waiting, (), EMPTY_CHECKPOINT, order)

    assert ids((made,)) == [["a", "b", "gap", "c"]]


def observation(total: int, *, length: int) -> BotObservation:
    """The bot's list of at most `length` trades, after `total` trades of its run."""
    listed = tuple(trade(f"t{number}", float(number + 1)) for number in range(max(0, total - length), total))
    return BotObservation(
        trades=listed, rejected=(), run="r", trade_count=total, trade_count_after=total, at_ms=total * 1000
    )


def poll(queue: UnpublishedQueue, seen: BotObservation) -> None:
    """Queue what a poll of the bot adds, as the poller does."""
    difference = compare(queue.memory, seen)
    trades = queue.trades_to_publish(seen.trades, new=difference.trades)
    queue.add(list_publication(difference, None, trades=trades))


def lost_by_a_crash(published: set[str], stored: Checkpoint, seen: BotObservation) -> list[str]:
    """Listed trades that the log lacks, and that a poller with the stored checkpoint would not publish."""
    found = {one.trade_id for one in compare(stored, seen).trades}
    return [one.trade_id for one in seen.trades if one.trade_id not in published | found]


def difference_after_a_crash(batch: Publication, seen: BotObservation) -> ListDifference:
    """What the next poller finds where this batch was the last one that reached the log."""
    return compare(batch.checkpoint, seen)


def test_a_crash_between_the_batches_for_an_emptied_log_loses_no_listed_trade() -> None:
    queue = UnpublishedQueue()
    for total in range(100, 700, 100):
        poll(queue, observation(total, length=100))
    seen = observation(600, length=100)
    queue.log_was_emptied()
    poll(queue, seen)
    first, second = queue.prepare_batches(size=500)
    after = difference_after_a_crash(first, seen)

    assert [len(first.entries), len(second.entries)] == [500, 100]
    assert not first.checkpoint.known.keys() & {one.trade_id for one in seen.trades}
    assert (after.trades, after.gap) == (seen.trades, None)
    assert after.checkpoint == second.checkpoint == queue.memory


def test_what_an_emptied_log_gets_before_the_bots_list_does_not_claim_the_list() -> None:
    """The bot does not answer after the log was emptied, so only its status is published."""
    queue = UnpublishedQueue()
    poll(queue, observation(250, length=100))
    queue.prepare_batches()
    queue.confirm_all()
    queue.log_was_emptied()
    status = Candidate(kind=EntryKind.BOT_STATUS, key="offline", digest="", data={})
    queue.add(Publication((status,), queue.memory))
    queue.prepare_batches()
    (batch,) = queue.prepare_batches()
    after = difference_after_a_crash(batch, observation(250, length=100))

    assert (len(after.trades), after.gap) == (100, None)
    assert len(queue.memory.known) == 100


growths = st.lists(st.integers(1, 9), max_size=4)


@given(earlier=growths.filter(bool), waiting=growths, later=growths, emptied=..., status=..., size=st.integers(1, 12))
def test_whatever_part_of_the_queue_reaches_the_log_the_next_poller_publishes_the_rest(
    *, earlier: list[int], waiting: list[int], later: list[int], emptied: bool, status: bool, size: int
) -> None:
    """Three phases, each with polls of a growing list: published, then waiting, then after the log was emptied."""
    queue = UnpublishedQueue()
    published: set[str] = set()
    total = 0

    def publish_all(seen: BotObservation) -> None:
        for batch in queue.prepare_batches(size=size):
            published.update(entry.data["trade_id"] for entry in batch.entries if entry.kind is EntryKind.TRADE)
            assert lost_by_a_crash(published, batch.checkpoint, seen) == []
        queue.confirm_all()

    def poll_all(steps: list[int]) -> BotObservation:
        nonlocal total
        for growth in steps:
            total += growth
            poll(queue, observation(total, length=8))
        return observation(total, length=8)

    publish_all(poll_all(earlier))
    seen = poll_all(waiting)
    if emptied:
        published.clear()
        queue.log_was_emptied()
    if status:
        entry = Candidate(kind=EntryKind.BOT_STATUS, key="offline", digest="", data={})
        queue.add(Publication((entry,), queue.memory))
        publish_all(seen)
    publish_all(poll_all([*later, 0]))

    assert published >= {one.trade_id for one in observation(total, length=8).trades}
