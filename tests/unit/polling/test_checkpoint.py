from __future__ import annotations

import json

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
)

names = st.text(min_size=1, max_size=20)
numbers = st.integers(0, 2**40)
maybe = st.none() | numbers
holes = st.builds(
    SourceGap,
    reason=st.sampled_from(["overflow", "restart"]),
    key=names,
    from_ms=numbers,
    to_ms=numbers,
    lost=maybe,
    at_least=numbers,
    backfilled=numbers,
)
checkpoints = st.builds(
    Checkpoint,
    run=names,
    count=maybe,
    listed=numbers,
    known=st.dictionaries(
        names, st.builds(KnownTrade, digest=names, at=st.floats(0, 4e9), past=st.booleans()), max_size=5
    ),
    ok_ms=maybe,
    status=st.none() | st.just({"status": "online", "since": "2026-11-21T00:00:00Z", "trades": 3, "detail": None}),
    hole=st.none() | holes,
)


@given(checkpoints)
def test_a_checkpoint_survives_its_text_with_the_order_of_what_is_known(checkpoint: Checkpoint) -> None:
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
def test_a_foreign_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(LogError, match="checkpoint"):
        decode(text)


def test_three_hundred_remembered_trades_make_a_small_text() -> None:
    full = {
        f"0199d1c2-7d1f-7000-8000-{number:012d}": KnownTrade("0123456789abcdef", 1.7e9 + number)
        for number in range(300)
    }
    text = encode(Checkpoint(run="2026-11-21T00:00:00Z", count=300, listed=100, known=full, ok_ms=1, status=None))

    assert len(text) < 25_000
    assert "\n" not in text
    assert json.loads(text)["version"] == 1


def test_the_newest_are_kept() -> None:
    many = {str(number): KnownTrade("", 0.0) for number in range(REMEMBERED_TRADES + 5)}

    assert list(keep_newest(many)) == [str(number) for number in range(5, REMEMBERED_TRADES + 5)]
    assert len(keep_newest(many, at_least=REMEMBERED_TRADES + 2)) == REMEMBERED_TRADES + 2
    assert keep_newest({}) == {}
