"""Builds commands for Upstash's REST protocol and parses its answers and subscription lines. Pure."""

from __future__ import annotations

import json

from coliseum.errors import (
    InvalidInput,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)

SOURCE = "redis"
_SHOWN = 200
"""Characters of the service's message that our error repeats."""


def command_arguments(parts: tuple[str | int | float, ...]) -> list[str]:
    """The command as strings, its name in lower case. Raises InvalidInput for an empty command and for other types.

    The SDK converts the replies of upper-case names (SET to True, HGETALL to a dict, different in each version); with a
    lower-case name every reply stays as Redis sent it. The SDK would also send None as "null" and True as a JSON
    boolean, so both are refused.
    """
    if not parts:
        raise InvalidInput("redis command", parts, "at least the command's name")
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, str | int | float):
            raise InvalidInput("redis command", part, "strings and numbers")
    name, *arguments = map(str, parts)
    return [name.lower(), *arguments]


def error_from_reply(status: int, body: bytes, *, batch: bool) -> SourceError | None:
    """The error for an HTTP answer; None where the SDK can parse the answer.

    `batch` stands for a pipeline or transaction. Its answer is a list; an object means that all of it was discarded.
    """
    if status == 429:
        return SourceRateLimited(SOURCE, _message(status, body), status=status)
    if status >= 500:
        return SourceUnavailable(SOURCE, _message(status, body), status=status)
    if status >= 400:
        return SourceRefused(SOURCE, _message(status, body), status=status)
    if status != 200:
        return SourceMalformed(SOURCE, f"answered HTTP {status}", field="status", status=status)
    if batch and body.lstrip()[:1] == b"{":
        return SourceRefused(SOURCE, _message(status, body), status=status)
    return None


def _message(status: int, body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        error = None
    return error[:_SHOWN] if isinstance(error, str) and error else f"answered HTTP {status} without a reason"


def parse_push_line(line: str, channel: str) -> tuple[str, str] | None:
    """A line of a subscription as (kind, payload); None for lines that are not about `channel`.

    Kind is `subscribe` (confirmed) or `message`. A line is `data: message,<channel>,<payload>`; channel and payload
    may both contain commas.
    """
    if not line.startswith("data:"):
        return None
    text = line[5:].removeprefix(" ")
    for kind in ("message", "subscribe"):
        start = f"{kind},{channel},"
        if text.startswith(start):
            return kind, text[len(start) :]
    return None
