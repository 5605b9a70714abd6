"""Endpoints of outside agents on this machine: honest and hostile ones, behind TLS, and the caller that asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, Literal

from standardwebhooks import Webhook
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.secure_server import PUBLIC, Dial, Talk, secure_server
from tests.integration.arena_world import now

from coliseum.arena import forecasts
from coliseum.arena.calling.caller import CallingReport, EndpointCaller
from coliseum.arena.calling.messages import challenge_proof
from coliseum.arena.calling.records import CallRecords, ClaimedCalls, QuestionCall
from coliseum.arena.entry.entrants import Entrants, Registration
from coliseum.arena.entry.sealing import entrant_payload
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


ROUND = ("A", "B", "C")
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


def claim(calls: CallRecords, *, questions: int = 64, challenges: int = 16, each: int = 2) -> ClaimedCalls:
    """What a caller with all its places free would lease."""
    return calls.claim(questions=questions, challenges=challenges, each=each, call_seconds=30)


def proven(entrants: Entrants, calls: CallRecords, name: str = "Pull") -> tuple[str, str]:
    """(Entrant id, token) of an agent whose endpoint has given its proof."""
    made = registered(entrants, name=name)
    for asked in claim(calls, questions=0).challenges:
        assert calls.end_challenge(asked, problem=None)
    return made.entrant_id, made.token


def sealed(call: QuestionCall, **change: Any) -> tuple[dict[str, Any], str]:
    """The payload of a call's forecast and its seal; `change` makes it one of something else."""
    row: Mapping[str, Any] = {
        "round_id": call.round_id, "ticker": call.ticker, "context_hash": call.context_hash, **change
    }  # fmt: skip
    payload = entrant_payload(
        change.get("entrant_id", call.entrant_id),
        row,
        probability=Decimal("0.4"),
        rationale="",
        made_at=now(),
        nonce=token_bytes(16),
    )
    return payload, forecasts.seal(payload)


def state(entrants: Entrants, token: str) -> dict[str, Any]:
    """`endpoint_state` as the agent sees it."""
    found: dict[str, Any] = entrants.record(entrants.authorize(token, cost=0))["endpoint_state"]
    return found


def pass_time(server: PostgresServer, seconds: int) -> None:
    """Let leases and waits be so many seconds older."""
    for column in ("next_call_at", "lease_until", "asked_at", "problem_at"):
        server.execute(f"update arena_endpoints set {column} = {column} - interval '{seconds} s'")  # noqa: S608
    for column in ("lease_until", "called_at"):
        server.execute(f"update arena_calls set {column} = {column} - interval '{seconds} s'")  # noqa: S608


def always(answer: bytes) -> Talk:
    """A server that gives the same answer to everything."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen(reader)
        writer.write(answer)
        await writer.drain()

    return talk


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that never answers."""
    await reader.read()


def leases_end(server: PostgresServer) -> None:
    """Let every lease be over."""
    server.execute("update arena_calls set lease_until = now() where lease_until is not null")
    server.execute("update arena_endpoints set lease_until = now() where lease_until is not null")
