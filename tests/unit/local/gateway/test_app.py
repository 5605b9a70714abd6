"""The gateway's own answers, and how a handler's answer becomes HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from coliseum_local.gateway.app import MAX_BODY_BYTES, LambdaGateway
from coliseum_local.template import Template

HANDLER = """
import base64, json

def handler(event, context):
    match event["rawPath"]:
        case "/api/fail":
            raise ValueError("a secret in a message")
        case "/api/slow":
            import time
            time.sleep(1.4)
        case "/api/plain":
            return {"just": "data"}
        case "/api/binary":
            body = base64.b64encode(b"\\xff\\x00").decode()
            return {"statusCode": 201, "headers": {"Content-Type": "image/x"}, "cookies": ["a=1", "b=2"],
                    "body": body, "isBase64Encoded": True}
        case "/api/nonsense":
            return {"statusCode": "many"}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
STREAM = """
async def handler(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"].endswith("broken"):
        raise ValueError("as asked")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": scope["query_string"] + b"|" + (await receive())["body"]})
"""
Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks a gateway in front of a small template, and lets it end."""
    for name, code in (("one", HANDLER), ("stream", STREAM)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(code)
    events = {"All": {"Type": "HttpApi", "Properties": {"Path": "/api/{proxy+}", "Method": "ANY"}}}
    url = {"AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM"}
    edge = {
        "Origins": [{"Id": "stream", "DomainName": {"Fn::GetAtt": ["StreamFunctionUrl", "FunctionUrl"]}}],
        "CacheBehaviors": [{"PathPattern": "/api/sse/*", "TargetOriginId": "stream"}],
    }
    resources: dict[str, Any] = {
        "OneFunction": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "one", "Events": events}},
        "StreamFunction": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": "stream", "FunctionUrlConfig": url},
        },
        "Edge": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": edge}},
    }
    document: dict[str, Any] = {
        "Globals": {"Function": {"Handler": "app.handler", "Timeout": 600, "MemorySize": 128}},
        "Resources": resources,
    }

    def asked(method: str, path: str, *, timeout_seconds: int = 600, **more: Any) -> httpx.Response:
        document["Globals"]["Function"]["Timeout"] = timeout_seconds

        async def exchange() -> httpx.Response:
            gateway = LambdaGateway(Template.parse(document, root=tmp_path))
            await gateway.start()
            transport = httpx.ASGITransport(app=gateway)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                answer = await client.request(method, path, **more)
            await gateway.stop()
            return answer

        return asyncio.run(exchange())

    return asked


def test_a_handler_gets_the_request_as_an_event(ask: Ask) -> None:
    event = ask("POST", "/api/a%20b?x=1", content=b"hello", headers={"content-type": "text/plain"}).json()
    assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/api/a b", "x=1", "hello")
    assert event["requestContext"]["http"]["method"] == "POST"


def test_an_answer_without_a_status_is_a_json_body(ask: Ask) -> None:
    answer = ask("GET", "/api/plain")
    assert (answer.status_code, answer.json()) == (200, {"just": "data"})


def test_binary_bodies_and_cookies_come_out_as_they_were(ask: Ask) -> None:
    answer = ask("GET", "/api/binary")
    assert (answer.status_code, answer.content) == (201, b"\xff\x00")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_head_request_gets_no_body(ask: Ask) -> None:
    assert ask("HEAD", "/api/plain").content == b""


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/api/fail", 502), ("/api/nonsense", 502), ("/api/slow", 504), ("/api/sse/broken", 502)],
)
def test_what_goes_wrong_is_a_problem_document_without_its_cause(ask: Ask, path: str, status: int) -> None:
    answer = ask("GET", path, timeout_seconds=1 if path == "/api/slow" else 600)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == path
    assert "secret" not in answer.text


def test_a_body_over_ten_megabytes_is_refused(ask: Ask) -> None:
    assert ask("POST", "/api/plain", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


def test_the_edges_pattern_reaches_the_streaming_app(ask: Ask) -> None:
    answer = ask("POST", "/api/sse/x?since=1", content=b"body")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == "since=1|body"


def test_the_status_page_counts(ask: Ask) -> None:
    status = ask("GET", "/_local/status").json()
    assert [function["function"] for function in status["functions"]] == ["one"]
    assert status["streams"] == [{"function": "stream", "open": 0, "total": 0, "errors": 0}]
