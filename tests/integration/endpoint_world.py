"""Endpoints of outside agents on this machine: honest and hostile ones, behind TLS, and the caller that asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, Literal

from standardwebhooks import Webhook
from tests.fixtures.secure_server import PUBLIC, Dial, Talk, secure_server

from coliseum.arena.calling.caller import CallingReport, EndpointCaller
from coliseum.arena.calling.messages import challenge_proof
from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants, Registration
from coliseum.outbound.client import Outbound, Resolve

NAME = "agent.example.com"
URL = f"https://{NAME}/forecast"


@dataclass(frozen=True)
class SeenRequest:
    """A request as the endpoint got it. Header names are in lower case."""

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        return self.headers["host"]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Answer = Callable[[SeenRequest], Awaitable[bytes]]
"""The whole raw answer to a request."""


async def seen(reader: asyncio.StreamReader) -> SeenRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return SeenRequest(first.split()[1], headers, await reader.readexactly(int(headers["content-length"])))


def raw(status: int, body: bytes = b"", kind: str = "application/json", more: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def as_json(value: Any, status: int = 200) -> bytes:
    return raw(status, json.dumps(value).encode())


@dataclass
class HonestAgent:
    """Verifies signatures, proves itself, and answers 0.4 (or what `reply` says)."""

    secrets: dict[str, str] = field(default_factory=dict)
    """Host to signing secret."""
    reply: Answer | None = None
    requests: list[SeenRequest] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await seen(reader)
        self.requests.append(request)
        writer.write(await self.answer(request))
        await writer.drain()

    async def answer(self, request: SeenRequest) -> bytes:
        secret = self.secrets[request.host]
        message = Webhook(secret).verify(request.body, dict(request.headers))
        if message["type"] == "arena.challenge":
            return as_json({"proof": challenge_proof(secret, message["data"]["challenge"])})
        return await self.reply(request) if self.reply else as_json({"probability": 0.4, "rationale": "why"})

    def asked(self, host: str = NAME) -> list[str]:
        """The questions that came, in order."""
        found = [one.message for one in self.requests if one.host == host]
        return [one["data"]["question_id"] for one in found if one["type"] == "arena.question"]


def registered(
    entrants: Entrants, *, name: str, endpoint: str | None = URL, mode: Literal["invite", "open"] = "open"
) -> Registration:
    """A new agent from a network address of its own."""
    network = sha256(name.encode()).hexdigest()
    return entrants.register(
        name=name, contact="a@b.org", endpoint=endpoint, mode=mode, network=network, per_network=10
    )


def entered(entrants: Entrants, calls: CallRecords, *, host: str = NAME, prove: bool = True) -> Registration:
    """An active agent with an endpoint; with `prove` the endpoint is ready."""
    made = registered(entrants, name=host, endpoint=f"https://{host}/forecast")
    if prove:
        (asked,) = calls.claim(questions=0, challenges=1, each=1, call_seconds=30).challenges
        assert calls.end_challenge(asked, problem=None)
    return made


@asynccontextmanager
async def sender(
    talk: Talk, pem: Path, *, resolve: Resolve | None = None, dial: Dial | None = None
) -> AsyncIterator[Outbound]:
    """The client for endpoints, whose connections lead to `talk` behind the certificate `pem`."""
    async with secure_server(talk, pem) as port:
        way = dial or Dial()
        way.port, way.trusted = port, way.trusted or pem
        async with Outbound(resolve=resolve or (lambda name: [PUBLIC]), transport=way) as outbound:
            yield outbound


async def run_caller(calls: CallRecords, outbound: Outbound, *, call_seconds: float = 20.0) -> CallingReport:
    return await EndpointCaller(calls, outbound, random=token_bytes, call_seconds=call_seconds).run(seconds=60)


def called(
    calls: CallRecords,
    talk: Talk,
    pem: Path,
    *,
    call_seconds: float = 20.0,
    dial: Dial | None = None,
    addresses: Sequence[str] = (PUBLIC,),
) -> CallingReport:
    """One run of the caller against one server."""

    async def run() -> CallingReport:
        async with sender(talk, pem, resolve=lambda name: addresses, dial=dial) as outbound:
            return await run_caller(calls, outbound, call_seconds=call_seconds)

    return asyncio.run(run())
