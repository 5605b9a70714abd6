"""The two routes of the bot's push, as a Lambda function behind an HTTP API. Without a web framework, to start fast."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coliseum.bot.signatures import SignatureCheck
from coliseum.errors import ColiseumError, InvalidInput, NotFound, NotPermitted
from coliseum.http.correlation_ids import HEADER, correlation_of
from coliseum.http.problems import MEDIA_TYPE, ProblemKind, ProblemResponse, problem_from
from coliseum.observability import logger
from coliseum.polling.push_receiver import PushAnswer, PushReceiver

MAX_BODY_BYTES = 64 * 1024
"""Room for the bot's 100 newest trades."""
REMEMBERED_PUSHES = 256
"""Answers that are given again when a push is repeated."""
UNSIGNED = ProblemKind(401, "unsigned", "The request is not signed with a secret that is known here")
BODY_TOO_LARGE = ProblemKind(413, "body-too-large", "The body is larger than this route takes")

JsonObject = dict[str, Any]


class _BodyTooLarge(ColiseumError):
    """The body is larger than `MAX_BODY_BYTES`."""


class PushEndpoint:
    """Checks each request before it costs a Redis command: the size, then the signature, then the form of the body."""

    def __init__(self, receiver: PushReceiver | None, secrets: Sequence[str]) -> None:
        """Without a receiver or without secrets the routes do not exist."""
        self._check = SignatureCheck(secrets)
        self._takers: dict[str, Callable[[bytes], PushAnswer]] = {}
        if receiver is not None and secrets:
            self._takers = {"trades": receiver.take_trades, "status": receiver.take_status}
        self._answered: OrderedDict[tuple[str, str, bytes], PushAnswer] = OrderedDict()

    def answer(self, event: Mapping[str, Any]) -> JsonObject:
        """The answer to an event of an HTTP API (payload format 2.0)."""
        began = time.monotonic()
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        correlation_id, path = correlation_of(_Titled(headers), event), str(event.get("rawPath", ""))
        try:
            pushed = self._take(path, headers, event)
            status, body = (200 if pushed.waits_for is None else 202), _body(pushed)
            response = _response(status, body, "application/json", {})
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a problem
            if not isinstance(error, ColiseumError):
                logger().exception("unexpected error", correlation_id=correlation_id, path=path)
            problem = _problem(error, path=path, correlation_id=correlation_id)
            status = problem.status
            response = _response(status, problem.body(), MEDIA_TYPE, problem.headers())
        response["headers"][HEADER] = correlation_id
        milliseconds = round((time.monotonic() - began) * 1000, 1)
        logger().info("push", correlation_id=correlation_id, path=path, status=status, milliseconds=milliseconds)
        return response

    def _take(self, path: str, headers: Mapping[str, str], event: Mapping[str, Any]) -> PushAnswer:
        name = path.rstrip("/").rpartition("/")[2]
        if name not in self._takers:
            raise NotFound("route", path)
        body = _body_bytes(event)
        if headers.get("content-encoding", "identity") != "identity":
            raise InvalidInput("content-encoding", headers["content-encoding"], "an uncompressed body")
        webhook_id = self._check.require(headers, body)
        key = (name, webhook_id, hashlib.sha256(body).digest())
        if key not in self._answered:
            pushed = self._takers[name](body)
            if pushed.waits_for is not None:
                return pushed  # a repetition may find more
            self._answered[key] = pushed
            while len(self._answered) > REMEMBERED_PUSHES:
                self._answered.popitem(last=False)
        return self._answered[key]


class _Titled(dict[str, str]):
    """Headers in lower case that are found under any case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def _body_bytes(event: Mapping[str, Any]) -> bytes:
    """The request's body as it was signed. Raises when it is too large, before all of it is decoded."""
    text = event.get("body") or ""
    is_base64 = bool(event.get("isBase64Encoded"))
    if len(text) > (MAX_BODY_BYTES * 3 // 2 if is_base64 else MAX_BODY_BYTES):
        raise _BodyTooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes")
    try:
        body = base64.b64decode(text, validate=True) if is_base64 else text.encode()
    except (ValueError, binascii.Error):
        raise InvalidInput("body", "a body", "UTF-8 text, or base64 where the event says so") from None
    if len(body) > MAX_BODY_BYTES:
        raise _BodyTooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes, got {len(body)}")
    return body


def _body(pushed: PushAnswer) -> JsonObject:
    body: JsonObject = {"published": pushed.published}
    return body if pushed.waits_for is None else {**body, "waits_for_poll": pushed.waits_for}


def _problem(error: Exception, *, path: str, correlation_id: str) -> ProblemResponse:
    if isinstance(error, _BodyTooLarge):
        return ProblemResponse(BODY_TOO_LARGE, str(error), path, correlation_id)
    if isinstance(error, NotPermitted):
        return ProblemResponse(UNSIGNED, str(error), path, correlation_id)
    return problem_from(error, path=path, correlation_id=correlation_id)


def _response(status: int, body: JsonObject, media_type: str, headers: Mapping[str, str]) -> JsonObject:
    own = {"content-type": media_type, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return {"statusCode": status, "headers": {**own, **headers}, "body": json.dumps(body), "isBase64Encoded": False}
