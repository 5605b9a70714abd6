"""Requests and schedules in AWS's shapes, compared with the samples in events/."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coliseum_local.gateway.events import HttpRequest, function_url, http_api, scheduler

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def request(**changes: Any) -> HttpRequest:
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/a",
        "query": "",
        "headers": [("host", "localhost:8000")],
        "body": b"",
        "client": "127.0.0.1",
        "port": 8000,
    }
    return HttpRequest(**(values | changes))


def api_event(**changes: Any) -> dict[str, Any]:
    return http_api(request(**changes), route_key="ANY /a", parameters={}, request_id="1", at=AT)


def test_headers_sent_twice_are_joined_and_cookies_stand_apart() -> None:
    event = api_event(headers=[("x-a", "1"), ("x-a", "2"), ("cookie", "s=1; t=2"), ("connection", "close")])
    assert event["headers"]["x-a"] == "1,2"
    assert event["cookies"] == ["s=1", "t=2"]
    assert not {"cookie", "connection"} & event["headers"].keys()


def test_the_query_is_given_raw_and_decoded() -> None:
    event = api_event(query="ticker=A&ticker=B&since=&q=%C3%A9")
    assert event["rawQueryString"] == "ticker=A&ticker=B&since=&q=%C3%A9"
    assert event["queryStringParameters"] == {"ticker": "A,B", "since": "", "q": "é"}


def test_the_http_api_decodes_the_path_and_the_function_url_does_not() -> None:
    encoded = "/api/python/markets/A%20B"
    assert api_event(path=encoded)["rawPath"] == "/api/python/markets/A B"
    assert function_url(request(path=encoded), request_id="1", at=AT)["rawPath"] == encoded


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json", b'{"a":1}', False),
        ("text/plain", b"hello", False),
        ("text/plain", b"\xff", True),
        ("application/octet-stream", b"hello", True),
    ],
)
def test_a_body_that_is_not_text_is_base64(content_type: str, body: bytes, encoded: bool) -> None:
    event = api_event(method="POST", headers=[("content-type", content_type)], body=body)
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_a_request_without_a_body_has_no_body_field() -> None:
    assert "body" not in api_event()


def sample(root: Path, name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((root / "events" / f"{name}.json").read_text())
    return event


def shape(event: dict[str, Any]) -> dict[str, Any]:
    """Field names and types, headers aside."""
    return {
        name: shape(value) if isinstance(value, dict) and name == "requestContext" else type(value).__name__
        for name, value in event.items()
    }


def test_the_gateways_events_have_the_shape_of_the_samples(root: Path) -> None:
    expected = sample(root, "portfolio.http-fills")
    made = http_api(
        request(query="limit=5"), route_key="ANY /a", parameters={"proxy": "portfolio/fills"}, request_id="1", at=AT
    )
    assert shape(made) == shape(expected)
    assert shape(function_url(request(), request_id="1", at=AT)) == shape(sample(root, "stream.function-url"))


def test_a_schedules_event_is_the_schedulers_own(root: Path) -> None:
    made = scheduler(name="EveryMinute", event_id="1", at=AT)
    expected = sample(root, "poller.schedule")
    assert shape(made) == shape(expected)
    assert (made["time"], made["detail"]) == ("2026-11-21T12:00:00Z", "{}")
