"""HTTP requests of Upstash's REST protocol as Redis commands. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote_to_bytes

from coliseum_local.redis.resp import Command

BODY_LIMIT = 10 * 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})


class MalformedRequest(Exception):
    """The request cannot be read as commands; the text is the error the caller gets."""


@dataclass(frozen=True, slots=True)
class CommandBatch:
    """Commands of one request."""

    kind: Literal["single", "pipeline", "transaction"]
    commands: tuple[Command, ...]


def batch_in(method: str, raw_path: bytes, query: bytes, body: bytes) -> CommandBatch:
    """The commands of a request. Raises MalformedRequest."""
    segments = [unquote_to_bytes(segment) for segment in raw_path.removeprefix(b"/").split(b"/")]
    match segments:
        case [b""]:
            return CommandBatch("single", (_command(_json(body)),))
        case [b"pipeline"]:
            return CommandBatch("pipeline", _commands(body))
        case [b"multi-exec"]:
            return CommandBatch("transaction", _commands(body))
    # In the path form a body is the last argument, and query parameters follow it.
    value = [body] if method in {"POST", "PUT"} and body else []
    return CommandBatch("single", (tuple(segments + value + _options(query)),))


def _options(query: bytes) -> list[bytes]:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    flat = [part for name, value in pairs if name != "_token" for part in (name, value) if part]
    return [part.encode() for part in flat]


def _commands(body: bytes) -> tuple[Command, ...]:
    rows = _json(body)
    if not isinstance(rows, list):
        raise MalformedRequest("ERR failed to parse pipeline request: expected an array of arrays")
    if not rows:
        raise MalformedRequest("ERR empty pipeline request")
    return tuple(map(_command, rows))


def _json(body: bytes) -> object:
    try:
        # Numbers are arguments as they were written: 1.50 stays 1.50, and no integer is too long.
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise MalformedRequest("ERR failed to parse command: expected a JSON array") from None


def _command(row: object) -> Command:
    if not isinstance(row, list) or not row:
        raise MalformedRequest("ERR failed to parse command: expected a JSON array that starts with a command's name")
    return tuple(map(_argument, row))


def _argument(value: object) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return value.encode(errors="replace")
    raise MalformedRequest("ERR failed to parse command: arguments are strings and numbers")
