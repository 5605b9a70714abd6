"""Signed requests to Coliseum (Standard Webhooks 1.0.0, https://www.standardwebhooks.com), and when to try again."""

from __future__ import annotations

import base64
import binascii
import email.utils
import hashlib
import hmac
import http.client
import json
import random
import uuid
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 30.0
ABSENT_SECONDS = 600.0
"""How long a receiver that has no such route is left alone."""
RETRY_AFTER_MAX_SECONDS = 300.0
TIMEOUT_SECONDS = 10.0
CLOCK_TOLERANCE_SECONDS = 60.0

# Sockets load this codec late. A process that is forked in that moment could never load it again.
"localhost".encode("idna")


class PushSettingError(ValueError):
    """The address or the secret of the push cannot be used. The text shows no secret."""


class PushResult(Enum):
    """What became of a body."""

    PUBLISHED = "published"
    LEFT = "left"
    """The poller takes it, or it was refused for good: it is not sent again."""
    FAILED = "failed"
    """It is to be sent again after `wait_seconds`."""


class SignedPush:
    """Sends signed bodies to Coliseum over one connection (Standard Webhooks 1.0.0). One thread uses it.

    It concludes from each answer when to try again; it waits for nothing but the answer itself.
    """

    def __init__(self, url: str, secret: str, *, clock: Callable[[], float]) -> None:
        """`url` is the address of the deployment. `secret` may be several, separated by commas: each signs."""
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            raise PushSettingError("url: expected an address such as https://example.com") from None
        is_near = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme not in ({"http", "https"} if is_near else {"https"}) or not parts.hostname:
            raise PushSettingError("url: expected an https address, or http on this machine")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise PushSettingError("url: expected an address without a user, a password or a query")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.host = parts.hostname
        self._connection = kind(parts.hostname, port, timeout=TIMEOUT_SECONDS)
        self._path = parts.path.rstrip("/")
        if not self._path.endswith("/api/python"):
            self._path += "/api/python"
        self._keys = [_key(each.strip()) for each in secret.split(",")]
        self._clock = clock
        self._ahead_seconds = 0.0
        """How far Coliseum's clock is ahead of ours, where it refused the time of a request."""
        self._unanswered: tuple[str, bytes, str] | None = None
        self.failures = 0
        self.problem: str | None = None
        self.wait_seconds = 0.0
        """Before the next request."""

    def send(self, route: str, body: bytes) -> PushResult:
        """Send once. `route` is trades or status."""
        if self._unanswered is None or self._unanswered[:2] != (route, body):
            self._unanswered = (route, body, f"msg_{uuid.uuid4().hex}")  # a repetition keeps its id
        try:
            status, headers, answer = self._exchange(f"{self._path}/bot/{route}", body, self._unanswered[2])
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try needs a new connection
            self.disconnect()
            return self._failed(f"{self.host} does not answer ({type(error).__name__})")
        if 200 <= status < 300:
            self._unanswered, self.failures, self.wait_seconds, self.problem = None, 0, 0.0, None
            return PushResult.LEFT if status == 202 else PushResult.PUBLISHED
        reason = f"{self.host} answered {status}{_detail(answer)}"
        if status in {404, 405, 410}:
            self._failed(f"{reason}. Push is not set up there; the bot is polled instead")
            self.wait_seconds = ABSENT_SECONDS
            return PushResult.FAILED
        if status in {401, 403}:
            return self._failed(self._refused_signature(reason, headers.get("Date")))
        if status in {429, 503} or status >= 500 or status in {408, 425} or 300 <= status < 400:
            result = self._failed(reason)
            self.wait_seconds = max(self.wait_seconds, _retry_after(headers.get("Retry-After")))
            return result
        self._failed(reason)  # it would be refused again, so this body is left to the poller
        self._unanswered = None
        return PushResult.LEFT

    def disconnect(self) -> None:
        self._connection.close()

    def _exchange(self, path: str, body: bytes, webhook_id: str) -> tuple[int, Any, bytes]:
        reused = getattr(self._connection, "sock", None) is not None
        try:
            return self._request(path, body, webhook_id)
        except (ConnectionError, http.client.HTTPException):
            self.disconnect()
            if not reused:
                raise
        return self._request(path, body, webhook_id)  # the receiver had closed the idle connection

    def _request(self, path: str, body: bytes, webhook_id: str) -> tuple[int, Any, bytes]:
        seconds = str(int(self._clock() + self._ahead_seconds))
        signed = f"{webhook_id}.{seconds}.".encode() + body
        digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in self._keys)
        headers = {
            "content-type": "application/json",
            "user-agent": "coliseum-reporter/1",
            "webhook-id": webhook_id,
            "webhook-timestamp": seconds,
            "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
        }
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = response.read(65_536)
        if not response.isclosed():
            self.disconnect()  # more than any answer of Coliseum
        return response.status, response.headers, answer

    def _failed(self, problem: str) -> PushResult:
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self.failures, 20))
        self.failures += 1
        self.wait_seconds = longest * random.uniform(0.5, 1.0)
        self.problem = problem
        return PushResult.FAILED

    def _refused_signature(self, reason: str, date: str | None) -> str:
        try:
            theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError):
            return reason
        ahead = theirs - self._clock()
        if abs(ahead) <= CLOCK_TOLERANCE_SECONDS:
            self._ahead_seconds = 0.0
            return f"{reason}. The clocks agree, so check the secret"
        self._ahead_seconds = ahead
        side = "behind" if ahead > 0 else "ahead of"
        return f"{reason}. This machine's clock is {abs(ahead):.0f} s {side} that of {self.host}; pushes now use theirs"


def _key(secret: str) -> bytes:
    form = "secret: expected whsec_ and the base64 of 24 to 64 random bytes"
    try:
        key = base64.b64decode(secret[6:], validate=True)
    except (ValueError, binascii.Error):
        raise PushSettingError(form) from None
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise PushSettingError(form)
    return key


def _detail(answer: bytes) -> str:
    """What a problem document says, in one printable line."""
    try:
        said = str(json.loads(answer)["detail"])[:200]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return ": " + "".join(character if character.isprintable() else " " for character in said)


def _retry_after(value: str | None) -> float:
    """The seconds of the header; 0 where it has none."""
    text = (value or "").strip()
    return min(RETRY_AFTER_MAX_SECONDS, float(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
