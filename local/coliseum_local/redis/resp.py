"""RESP2, the protocol between gateway and Valkey. Error codes and binary values pass through unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

Command = tuple[bytes, ...]


class SimpleString(bytes):
    """A simple string such as OK, PONG or QUEUED."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RespError:
    """An error reply. Its text begins with the code, such as `WRONGTYPE`."""

    text: str


Reply = SimpleString | bytes | int | None | RespError | list["Reply"]


def encode(commands: Iterable[Command]) -> bytes:
    """The commands as one run of bytes."""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        parts.extend(b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in command)
    return b"".join(parts)


def encode_reply(reply: Reply) -> bytes:
    """A reply as Valkey would have sent it."""
    match reply:
        case None:
            return b"$-1\r\n"
        case RespError(text):
            return b"-%b\r\n" % text.encode()
        case SimpleString():
            return b"+%b\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case int():
            return b":%d\r\n" % reply
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(encode_reply, reply))


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """The next reply. Raises EOFError where the connection ended."""
    line = await reader.readuntil(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    match kind:
        case b"+":
            return SimpleString(rest)
        case b"-":
            return RespError(rest.decode(errors="replace"))
        case b":":
            return int(rest)
        case b"$":
            length = int(rest)
            return None if length < 0 else (await reader.readexactly(length + 2))[:-2]
        case b"*":
            count = int(rest)
            return None if count < 0 else [await read_reply(reader) for _ in range(count)]
    raise EOFError(f"not RESP2: {line[:40]!r}")
