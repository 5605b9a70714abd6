"""What we write is what every client reads, whatever the text and wherever the bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.streaming.whatwg import Interpreter

from coliseum.client import Parser
from coliseum.feed.entries import EntryId
from coliseum.streaming.encode import KEEPALIVE, event, framed, trades_json

TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["\r\n\r\n", "\n\ndata: x\nid: 9-9\n\n", "\0", "  ", "\x85", "﻿", "id: 1-1", ": ", "\r"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=4)
NAME = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True)
ID = st.builds(EntryId, st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))


@given(st.lists(st.tuples(NAME, OBJECT, st.none() | ID, st.none() | st.integers(0, 10**6)), max_size=5))
def test_any_text_in_any_field_comes_back_as_it_went(events: list[tuple[str, dict[str, Any], Any, int | None]]) -> None:
    """SSE-010, SSE-011, SSE-012."""
    stream = b"".join(event(name, data, event_id=at, retry_ms=retry) + KEEPALIVE for name, data, at, retry in events)
    read = Interpreter().read(stream)
    assert [(each.type, json.loads(each.data)) for each in read.dispatched] == [(e[0], e[1]) for e in events]
    ids = [str(at) for _, _, at, _ in events if at is not None]
    assert read.last_event_id == (ids[-1] if ids else "")


@settings(max_examples=15)
@given(NAME, OBJECT, ID, OBJECT, ID)
def test_a_cut_anywhere_gives_whole_events_and_their_ids_or_nothing(
    name: str, first: dict[str, Any], first_id: EntryId, second: dict[str, Any], second_id: EntryId
) -> None:
    """SSE-013."""
    whole = event(name, first, event_id=first_id)
    stream = whole + event(name, second, event_id=second_id, retry_ms=5)
    for cut in range(len(stream) + 1):
        read = Interpreter().read(stream[:cut])
        expected = (cut >= len(whole)) + (cut >= len(stream))
        assert len(read.dispatched) == expected
        assert read.last_event_id == ("", str(first_id), str(second_id))[expected]


@given(st.lists(st.tuples(NAME, OBJECT, st.none() | ID), max_size=4), st.lists(st.integers(0, 400), max_size=20))
def test_our_python_client_reads_the_same_however_the_bytes_are_split(
    events: list[tuple[str, dict[str, Any], EntryId | None]], cuts: list[int]
) -> None:
    stream = b"".join(event(name, data, event_id=at) for name, data, at in events)
    parser = Parser()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    read = [each for piece in pieces for each in parser.feed(piece)]
    assert [(e.name, e.data, e.id) for e in read] == [(n, d, None if at is None else str(at)) for n, d, at in events]


@given(st.lists(st.sampled_from([b"data: x", b"event: a", b"id: 1-1", b": c", b"id: \0", b"retry: 7", b"data", b""])))
def test_our_python_client_agrees_with_the_standard_on_every_line_end(lines: list[bytes]) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        stream = b"\xef\xbb\xbf" + end.join(lines) + end
        parser = Parser()
        ours = [each for at in range(len(stream)) for each in parser.feed(stream[at : at + 1])]
        standard = Interpreter().read(stream).dispatched
        read = [(each.name, each.data if isinstance(each.data, str) else json.dumps(each.data)) for each in ours]
        assert read == [(each.type, each.data) for each in standard]


@given(NAME, OBJECT, ID)
def test_an_event_is_ascii_with_line_feeds_only_one_data_line_and_the_id_last(
    name: str, data: dict[str, Any], at: EntryId
) -> None:
    """SSE-010, SSE-012."""
    text = event(name, data, event_id=at, retry_ms=1500).decode("ascii")
    assert "\r" not in text
    assert [line.partition(":")[0] for line in text.splitlines()] == ["event", "retry", "data", "id", ""]


def test_a_keepalive_is_a_bare_comment_line_that_no_client_takes_for_an_event() -> None:
    """SSE-014."""
    assert KEEPALIVE == b":\n"
    assert Interpreter().read(KEEPALIVE * 3).dispatched == []


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "A", "1a", "a:b", "a\0"])
def test_an_event_name_that_could_break_the_frame_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        framed(name, b"{}")


def test_not_a_number_is_refused_rather_than_written_as_broken_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        event("a", {"x": float("nan")})


def test_trades_are_joined_without_being_encoded_again() -> None:
    """SSE-030."""
    joined = json.loads(trades_json([b'{"trade_id":"a"}', b'{"trade_id":"b"}'], "bot_live"))
    assert joined == {"trades": [{"trade_id": "a"}, {"trade_id": "b"}], "count": 2, "source": "bot_live"}
