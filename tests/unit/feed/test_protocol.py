from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import LogError
from coliseum.feed.entries import START, EntryId
from coliseum.feed.protocol import (
    FeedKeys,
    Notification,
    PollerHeartbeat,
    encode_heartbeat,
    latest_commands,
    parse_notification,
    parse_state,
    read_commands,
)

KEYS = FeedKeys("python:")
HEARTBEAT = PollerHeartbeat(owner="me", at=1000, fresh_for=9000, bot_ok_at=None, bot={"status": "online"}, until=7000)
META = ["e1", "1000", "2", "1005", '{"status":"online"}', "sandbox/a/bot"]
ROWS = [
    ["1000-1", ["d", '{"k":"trade","v":{"n":1}}']],
    ["1005-2", ["x", "y", "d", '{"k":"trade","v":{"n":2}}']],
]


def test_every_key_begins_with_the_prefix() -> None:
    names = [KEYS.stream, KEYS.meta, KEYS.seen, KEYS.known, KEYS.poller, KEYS.channel]
    assert len(set(names)) == 6
    assert all(name.startswith("python:") for name in names)


def test_a_read_starts_at_the_cursors_own_entry_and_asks_for_one_more() -> None:
    assert read_commands(KEYS, EntryId(5, 2), 10)[-1] == ("XRANGE", "python:feed", "5-2", "+", "COUNT", 11)
    assert read_commands(KEYS, START, 10)[-1] == ("XRANGE", "python:feed", "-", "+", "COUNT", 11)


def test_the_latest_are_read_backwards() -> None:
    assert latest_commands(KEYS, 3)[-1] == ("XREVRANGE", "python:feed", "+", "-", "COUNT", 3)


def test_replies_are_parsed_as_a_state() -> None:
    state = parse_state([META, HEARTBEAT.text(), ROWS])
    assert (state.reading.epoch, state.reading.base_ms, state.reading.head) == ("e1", 1000, EntryId(1005, 2))
    assert [entry.data["n"] for entry in state.reading.entries] == [1, 2]
    assert (state.heartbeat, state.bot) == (HEARTBEAT, {"status": "online"})


def test_newest_first_replies_are_reversed() -> None:
    state = parse_state([META, None, ROWS[::-1]], newest_first=True)
    assert [entry.id.seq for entry in state.reading.entries] == [1, 2]


@pytest.mark.parametrize("rows", [[], None])
def test_nothing_published_is_an_empty_state(rows: Any) -> None:
    state = parse_state([[None] * 6, None, rows])
    assert (state.reading.epoch, state.reading.head, state.reading.entries) == (None, START, ())
    assert (state.heartbeat, state.bot) == (None, None)


@pytest.mark.parametrize(
    "replies",
    [
        [], [META, None], [["e1"], None, []], [["e1", "x", "2", "3", None], None, []], [[*META[:4], "{"], None, []],
        [META, None, [["1-1", ["other", "y"]]]], [META, None, [["1-1", ["d"]]]], [META, None, [["1-1"]]],
        [META, None, [["1-1", ["d", "{}"]]]], [None, None, None],
    ],
)  # fmt: skip
def test_malformed_content_under_our_keys_is_a_log_error(replies: list[Any]) -> None:
    with pytest.raises(LogError):
        parse_state(replies)


@given(
    st.builds(
        PollerHeartbeat,
        owner=st.text(),
        at=st.integers(),
        fresh_for=st.integers(),
        bot_ok_at=st.none() | st.integers(),
        bot=st.none() | st.dictionaries(st.text(), st.text()),
    )
)
def test_a_heartbeat_is_the_same_after_encoding(heartbeat: PollerHeartbeat) -> None:
    assert PollerHeartbeat.parse(heartbeat.text()) == heartbeat
    assert parse_notification(encode_heartbeat(heartbeat)) == Notification(None, None, None, None, heartbeat)


def test_a_heartbeat_names_the_newest_entry_it_knows() -> None:
    notification = parse_notification(encode_heartbeat(HEARTBEAT, ("e1", EntryId(1005, 2))))
    assert notification == Notification("e1", None, EntryId(1005, 2), None, HEARTBEAT)


HOSTILE = [
    None, "", "x", "null", "[]", "{}", '"text"', '{"owner":1}', "[" * 100_000, "\ud800",
    '{"owner":"a","at":1e999,"fresh_for":1,"bot_ok_at":null,"bot":null}',
    '{"owner":"a","at":1,"fresh_for":1,"bot_ok_at":"soon","bot":null}',
    '{"owner":"a","at":1,"fresh_for":1,"bot_ok_at":null,"bot":7}',
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_malformed_heartbeat_is_none(text: str | None) -> None:
    assert PollerHeartbeat.parse(text) is None


def _message(**changes: Any) -> str:
    body = {"e": "e1", "p": "1000-1", "m": 1005, "s": 2, "n": 1, "d": [{"k": "trade", "v": {"a": 1}}]}
    return json.dumps({name: value for name, value in (body | changes).items() if value != "absent"})


def test_a_notification_names_its_predecessor_and_contains_its_entries() -> None:
    notification = parse_notification(_message())
    assert notification is not None
    assert (notification.epoch, notification.previous, notification.last) == ("e1", EntryId(1000, 1), EntryId(1005, 2))
    assert notification.entries is not None
    assert [(entry.id, entry.data) for entry in notification.entries] == [(EntryId(1005, 2), {"a": 1})]


def test_a_notification_of_large_entries_gives_only_their_number() -> None:
    notification = parse_notification(_message(n=40, d="absent"))
    assert notification is not None
    assert (notification.last, notification.entries) == (EntryId(1005, 41), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"p": "absent"}, {"p": "not-an-id"}, {"p": 7}, {"m": -1}, {"m": 1e999}, {"m": None}, {"s": "x"}, {"n": 0},
        {"n": -3}, {"s": 3}, {"s": 1}, {"m": 999},
        {"n": 2}, {"n": 10**15}, {"n": float("inf")}, {"d": [1]}, {"d": [{"k": 5, "v": {}}]}, {"d": 5},
        {"d": []}, {"e": "absent"},
        {"r": "x", "l": "not-an-id"},
    ],
)  # fmt: skip
def test_a_notification_in_another_form_is_none(changes: dict[str, Any]) -> None:
    assert parse_notification(_message(**changes)) is None


@pytest.mark.parametrize("text", [text for text in HOSTILE if text is not None])
def test_a_hostile_notification_is_none(text: str) -> None:
    assert parse_notification(text) is None


@given(st.text())
def test_any_text_can_be_parsed_as_a_notification(text: str) -> None:
    assert parse_notification(text) is None or json.loads(text)
