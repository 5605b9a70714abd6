from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import LogError
from coliseum.polling.checkpoint import (
    EMPTY_CHECKPOINT,
    REMEMBERED_TRADES,
    Checkpoint,
    KnownTrade,
    SourceGap,
    decode,
    encode,
    keep_newest,
    reported_ids,
    supplied_since_list,
)

names = st.text(min_size=1, max_size=20)
numbers = st.integers(0, 2**40)
maybe = st.none() | numbers
gaps = st.builds(
    SourceGap,
    reason=st.sampled_from(["overflow", "restart"]),
    key=names,
    from_ms=numbers,
    to_ms=numbers,
    lost=maybe,
    at_least=numbers,
    backfilled=numbers,
    before_ids=st.lists(names, max_size=3).map(tuple),
    after_ids=st.lists(names, max_size=3).map(tuple),
)
trades = st.builds(KnownTrade, digest=names, executed_at=st.floats(0, 4e9), from_earlier_run=st.booleans())
checkpoints = st.builds(
    Checkpoint,
    run=names,
    trade_count=maybe,
    list_length=numbers,
    known=st.dictionaries(
        names,
        st.builds(KnownTrade, digest=names, executed_at=st.floats(0, 4e9), from_earlier_run=st.booleans()),
        max_size=5,
    ),
    answered_ms=maybe,
    status=st.none() | st.just({"status": "online", "since": "2026-11-21T00:00:00Z", "trades": 3, "detail": None}),
    gaps=st.lists(gaps, max_size=3).map(tuple),
    oldest_first=st.none() | st.booleans(),
)


@given(checkpoints)
def test_a_checkpoint_is_the_same_after_encoding_with_its_trades_in_order(checkpoint: Checkpoint) -> None:
    read = decode(encode(checkpoint))

    assert read == checkpoint
    assert list(read.known) == list(checkpoint.known)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        encode(EMPTY_CHECKPOINT).replace('"version":1', '"version":2'),
        encode(EMPTY_CHECKPOINT).replace('"known":[]', '"known":[["a"]]'),
        encode(EMPTY_CHECKPOINT).replace('"known":[]', '"known":{"a":1}'),
        encode(EMPTY_CHECKPOINT).replace('"listed":0', '"listed":"many"'),
        encode(EMPTY_CHECKPOINT).replace('"hole":null', '"hole":{"reason":"overflow"}'),
        encode(EMPTY_CHECKPOINT).replace('"status":null', '"status":7'),
    ],
)
def test_a_text_that_this_version_did_not_write_is_an_error(text: str) -> None:
    with pytest.raises(LogError, match="checkpoint"):
        decode(text)


def test_three_hundred_remembered_trades_take_less_than_25_kb() -> None:
    full = {
        f"0199d1c2-7d1f-7000-8000-{number:012d}": KnownTrade("0123456789abcdef", 1.7e9 + number)
        for number in range(300)
    }
    text = encode(
        Checkpoint(run="2026-11-21T00:00:00Z", trade_count=300, list_length=100, known=full, answered_ms=1, status=None)
    )

    assert len(text) < 25_000
    assert "\n" not in text
    assert json.loads(text)["version"] == 1


def test_only_the_newest_trades_are_remembered() -> None:
    many = {str(number): KnownTrade("", 0.0) for number in range(REMEMBERED_TRADES + 5)}

    assert list(keep_newest(many)) == [str(number) for number in range(5, REMEMBERED_TRADES + 5)]
    assert len(keep_newest(many, at_least=REMEMBERED_TRADES + 2)) == REMEMBERED_TRADES + 2
    assert keep_newest({}) == {}


STORED = (
    '{"version":1,"run":"2026-11-21T00:00:00Z","count":7,"listed":5,"known":[["a","d1",1.5],["b","",2.0,1]],'
    '"ok_ms":1700000000000,"status":{"status":"online"},"hole":{"reason":"overflow","key":"k","from_ms":1,"to_ms":2,'
    '"told_ms":3,"lost":null,"at_least":4,"backfilled":5}}'
)
"""A checkpoint as release 0.1 stored it. A poller of this release may find it in Redis."""


def test_a_checkpoint_of_an_earlier_release_is_read() -> None:
    """It recorded the bot's time of its newest trade, which is not used any more."""
    assert decode(STORED) == Checkpoint(
        run="2026-11-21T00:00:00Z",
        trade_count=7,
        list_length=5,
        known={"a": KnownTrade("d1", 1.5), "b": KnownTrade("", 2.0, from_earlier_run=True)},
        answered_ms=1_700_000_000_000,
        status={"status": "online"},
        gaps=(SourceGap(reason="overflow", key="k", from_ms=1, to_ms=2, lost=None, at_least=4, backfilled=5),),
    )


def test_an_earlier_release_can_read_a_checkpoint_of_this_one() -> None:
    """It builds a gap from all keys of `hole`, so no key may be new there."""
    gap = SourceGap(reason="overflow", key="k", from_ms=1, to_ms=2, lost=None, before_ids=("a",), after_ids=("b",))
    stored = json.loads(encode(replace(EMPTY_CHECKPOINT, gaps=(gap, gap), oldest_first=False)))

    assert stored["hole"].keys() <= json.loads(STORED)["hole"].keys()
    assert (stored["hole_ids"], stored["oldest_first"]) == ([["a"], ["b"]], False)


def test_ids_of_the_bot_and_what_only_the_exchange_reported_since_are_told_apart() -> None:
    known = {
        "filled": KnownTrade("", 1.0),
        "a": KnownTrade("d", 9.0),
        "!bad:1": KnownTrade("d", 0.0),
        "b": KnownTrade("d", 5.0),
        "later": KnownTrade("", 6.0),
    }

    assert reported_ids(known) == ("a", "b")
    assert supplied_since_list(known) == 1
    assert supplied_since_list({}) == 0
