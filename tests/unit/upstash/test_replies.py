from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import (
    InvalidInput,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.upstash.replies import command_arguments, error_from_reply, parse_push_line


def test_a_command_becomes_strings_with_its_name_in_lower_case() -> None:
    assert command_arguments(("XADD", "KEY", "*", "price", 0.65, 7)) == ["xadd", "KEY", "*", "price", "0.65", "7"]


@pytest.mark.parametrize("part", [None, True, b"bytes", ["list"]])
def test_parts_that_the_sdk_would_rewrite_are_refused(part: Any) -> None:
    with pytest.raises(InvalidInput):
        command_arguments(("SET", "key", part))


def test_a_command_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidInput):
        command_arguments(())


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, b'{"error":"ERR max requests limit exceeded"}', SourceRateLimited),
        (500, b'{"error":"ERR internal"}', SourceUnavailable),
        (502, b"<html>Bad Gateway</html>", SourceUnavailable),
        (503, b"", SourceUnavailable),
        (400, b'{"error":"ERR syntax error"}', SourceRefused),
        (401, b'{"error":"WRONGPASS invalid or missing auth token"}', SourceRefused),
        (404, b"not here", SourceRefused),
        (301, b"", SourceMalformed),
        (204, b"", SourceMalformed),
    ],
)
def test_a_status_decides_which_error_it_is(status: int, body: bytes, expected: type[SourceError]) -> None:
    problem = error_from_reply(status, body, batch=False)
    assert type(problem) is expected
    assert problem.status == status


def test_the_services_own_message_is_kept() -> None:
    problem = error_from_reply(400, b'{"error":"WRONGTYPE Operation against a key"}', batch=False)
    assert problem is not None
    assert problem.problem == "WRONGTYPE Operation against a key"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error":null}', b'{"error":{"a":1}}', b"\xff", b"[" * 9_999]
)
def test_an_error_without_a_readable_reason_names_the_status(body: bytes) -> None:
    assert "HTTP 500" in str(error_from_reply(500, body, batch=False))


def test_a_long_foreign_message_is_cut() -> None:
    problem = error_from_reply(400, b'{"error":"' + b"x" * 5000 + b'"}', batch=False)
    assert len(str(problem)) < 300


def test_a_single_answer_may_be_an_object() -> None:
    assert error_from_reply(200, b'{"result":"OK"}', batch=False) is None


def test_a_batch_answered_by_one_object_was_discarded() -> None:
    assert error_from_reply(200, b'[{"result":"OK"}]', batch=True) is None
    problem = error_from_reply(200, b' {"error":"EXECABORT discarded"}', batch=True)
    assert isinstance(problem, SourceRefused)
    assert problem.problem == "EXECABORT discarded"


def test_a_payload_may_hold_commas_and_spaces() -> None:
    assert parse_push_line('data: message,a:b,{"x": 1, "y": 2}, end ', "a:b") == ("message", '{"x": 1, "y": 2}, end ')


def test_a_channel_may_hold_commas() -> None:
    assert parse_push_line("data: message,a,b,c", "a,b") == ("message", "c")


@pytest.mark.parametrize(
    "line", ["", ": ping", "event: x", "data: message,other,x", "data: message,chan", "data: unsubscribe,chan,0"]
)
def test_other_lines_are_ignored(line: str) -> None:
    assert parse_push_line(line, "chan") is None


def test_a_confirmation_is_not_a_message() -> None:
    assert parse_push_line("data: subscribe,chan,1", "chan") == ("subscribe", "1")
    assert parse_push_line("data:message,chan,", "chan") == ("message", "")


@given(channel=st.text(min_size=1), payload=st.text())
def test_every_payload_is_parsed_unchanged(channel: str, payload: str) -> None:
    assert parse_push_line(f"data: message,{channel},{payload}", channel) == ("message", payload)
