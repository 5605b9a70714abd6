"""Requests, schedules and messages as the events AWS hands to a function. Pure.

HTTP API 2.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
Function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
Scheduler:    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
SQS:          https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

ACCOUNT, REGION = "123456789012", "us-east-1"
Event = dict[str, Any]


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came in; `path` is still percent-encoded, headers are lower-case pairs in their order."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    client: str
    port: int


def http_api(
    request: HttpRequest, *, route_key: str, parameters: dict[str, str], request_id: str, at: datetime
) -> Event:
    """The event of an HTTP API route. API Gateway decodes the path."""
    event = _payload(request, path=unquote(request.path), request_id=request_id, at=at)
    event["routeKey"] = event["requestContext"]["routeKey"] = route_key
    event["requestContext"] |= {"apiId": "local", "domainName": _host(request), "domainPrefix": "local"}
    if parameters:
        event["pathParameters"] = parameters
    return event


def function_url(request: HttpRequest, *, request_id: str, at: datetime) -> Event:
    """The event of a function URL. The path stays as the client wrote it."""
    event = _payload(request, path=request.path, request_id=request_id, at=at)
    domain = f"local.lambda-url.{REGION}.on.aws"
    event["requestContext"] |= {"apiId": "local", "domainName": domain, "domainPrefix": "local"}
    return event


def scheduler(*, name: str, event_id: str, at: datetime) -> Event:
    """The event of an EventBridge Scheduler schedule without an input of its own."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}"],
        "detail": "{}",
    }


def sqs(messages: Sequence[Mapping[str, Any]], *, queue_arn: str) -> Event:
    """The event of a batch; `messages` as ReceiveMessage gives them."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": dict(message.get("Attributes", {})),
                "messageAttributes": dict(message.get("MessageAttributes", {})),
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def queue_arn(url: str) -> str:
    """The queue's ARN, from its address."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}"


def _payload(request: HttpRequest, *, path: str, request_id: str, at: datetime) -> Event:
    headers = _headers(request)
    body, encoded = _body(request.body, headers.get("content-type", ""))
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": at.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(at.timestamp() * 1000),
        },
        "isBase64Encoded": encoded,
    }
    cookies = [cookie.strip() for name, value in request.headers if name == "cookie" for cookie in value.split(";")]
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if body:
        event["body"] = body
    return event


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = _joined([pair for pair in request.headers if pair[0] not in {"cookie", "connection"}])
    earlier = headers.get("x-forwarded-for")
    return headers | {
        # As API Gateway does: the address that called is added behind what the caller sent.
        "x-forwarded-for": f"{earlier}, {request.client}" if earlier else request.client,
        "x-forwarded-port": str(request.port),
        "x-forwarded-proto": "http",
    }


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Payload 2.0 joins what was sent twice with a comma."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    textual = content_type.startswith(("text/", "application/json", "application/xml", "application/javascript"))
    if textual or not body:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # announced as text and is none
    return base64.b64encode(body).decode(), True


def _host(request: HttpRequest) -> str:
    return next((value for name, value in request.headers if name == "host"), "127.0.0.1")
