"""What Redis' REST answers and subscription lines mean, and the words of a command. Pure."""

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
"""Characters of a foreign message that our own may carry."""


def command_arguments(parts: tuple[str | int | float, ...]) -> list[str]:
    """The command as strings, its name in lower case.

    The SDK casts replies by upper-case name (SET to True, HGETALL to a dict, differently for each client
    version); a lower-case name keeps every reply as Redis gave it. It would also send None as "null" and
    True as a JSON boolean, so both are refused.
    """
    if not parts:
        raise InvalidInput("redis command", parts, "at least the command's name")
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, str | int | float):
            raise InvalidInput("redis command", part, "strings and numbers")
    name, *arguments = map(str, parts)
    return [name.lower(), *arguments]


def error_from_reply(status: int, body: bytes, *, batch: bool) -> SourceError | None:
    """The error an HTTP answer stands for; None where the SDK may read it.

    `batch` tells a pipeline or transaction: its answer is a list, and one object means that all of it was
    discarded.
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
    """A line of a subscription as (kind, payload); None for anything not about `channel`.

    Kind is `subscribe` (confirmed) or `message`. Lines look like `data: message,<channel>,<payload>`; channel
    and payload may both hold commas.
    """
    if not line.startswith("data:"):
        return None
    text = line[5:].removeprefix(" ")
    for kind in ("message", "subscribe"):
        start = f"{kind},{channel},"
        if text.startswith(start):
            return kind, text[len(start) :]
    return None
