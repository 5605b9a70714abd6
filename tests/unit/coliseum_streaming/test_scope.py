"""Events as ASGI scopes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from coliseum_streaming.scope import from_event


def event(**changes: Any) -> dict[str, Any]:
    return {
        "rawPath": "/a",
        "rawQueryString": "",
        "headers": {"host": "example.com"},
        "requestContext": {"http": {"method": "GET", "sourceIp": "203.0.113.7"}},
        **changes,
    }


def test_the_sample_resume_event_becomes_a_request(root: Path) -> None:
    sample = json.loads((root / "events" / "stream.function-url-resume.json").read_text())
    scope, body = from_event(sample)
    assert (scope["method"], scope["path"]) == ("GET", "/api/python/sse/trades")
    assert scope["query_string"] == b"ticker=KXHIGHNY-26NOV22-B60"
    assert (b"last-event-id", b"1763726400000-42") in scope["headers"]
    assert scope["client"] == ("203.0.113.7", 0)
    assert scope["scheme"] == "https"
    assert body == b""


def test_header_names_are_lower_case_and_cookies_come_back_as_one_header() -> None:
    scope, _ = from_event(event(headers={"X-Test": "1"}, cookies=["a=1", "b=2"]))
    assert scope["headers"] == [(b"x-test", b"1"), (b"cookie", b"a=1; b=2")]


def test_the_path_is_decoded_and_kept_raw() -> None:
    scope, _ = from_event(event(rawPath="/a%20b"))
    assert (scope["path"], scope["raw_path"]) == ("/a b", b"/a%20b")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"body": "text"}, b"text"),
        ({"body": base64.b64encode(b"\xff\x00").decode(), "isBase64Encoded": True}, b"\xff\x00"),
        ({"body": None}, b""),
        ({}, b""),
    ],
)
def test_bodies_arrive_as_bytes(fields: dict[str, Any], expected: bytes) -> None:
    assert from_event(event(**fields))[1] == expected


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({"host": "example.com"}, ("example.com", 443)),
        ({"host": "localhost:8000"}, ("localhost", 8000)),
        ({"host": "example.com", "x-forwarded-port": "8443"}, ("example.com", 8443)),
        ({}, ("", 443)),
    ],
)
def test_the_server_is_where_the_client_thinks_it_is(headers: dict[str, str], server: tuple[str, int]) -> None:
    assert from_event(event(headers=headers))[0]["server"] == server


def test_a_header_beyond_latin_1_is_sent_as_utf_8() -> None:
    scope, _ = from_event(event(headers={"x-name": "Zoë ✓"}))
    assert scope["headers"] == [(b"x-name", "Zoë ✓".encode())]


@pytest.mark.parametrize("other", [{}, {"source": "aws.scheduler"}, {"requestContext": None}, {"Records": []}])
def test_an_event_of_another_kind_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a function URL"):
        from_event(other)
