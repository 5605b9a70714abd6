"""The caller against hostile endpoints: each costs itself only, and reaches nothing inside. The database is real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import pytest
from standardwebhooks import Webhook
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.secure_server import PUBLIC, Dial, Talk, certificate
from tests.integration.arena_world import enrolled, open_round
from tests.integration.endpoint_world import (
    NAME,
    HonestAgent,
    SeenRequest,
    always,
    as_json,
    called,
    entered,
    raw,
    registered,
    run_caller,
    seen,
    sender,
    silence,
    state,
)

from coliseum.arena.calling.caller import MOST_BYTES
from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.store.client import Store


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "*.example.com")


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    found = ArenaRecords(store)
    enrolled(found)
    return found


@pytest.fixture
def calls(store: Store) -> CallRecords:
    return CallRecords(store)


@pytest.fixture
def entrants(store: Store) -> Entrants:
    return Entrants(lambda: EntryRecords(store), random=token_bytes)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"y" * 8000 + b"\r\n")
        await writer.drain()


async def _endless_continue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b'{"probability": 0.5' + b" " * 8000)
        await writer.drain()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)


def _redirect(location: str) -> Talk:
    return always(raw(307, more=f"Location: {location}\r\n"))


HOSTILE: dict[str, tuple[Talk, str]] = {
    "drip": (_drip, "no whole answer within"),
    "silence": (silence, "no whole answer within"),
    "endless head": (_endless_head, ""),
    "endless 100 Continue": (_endless_continue, "no whole answer within"),
    "endless body": (_endless_body, f"more than {MOST_BYTES} bytes"),
    "huge body": (always(as_json({"probability": 0.5, "rationale": "x" * 40_000})), f"more than {MOST_BYTES}"),
    "announced huge": (always(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"), "more than"),
    "hang up": (_hang_up, "disconnected"),
    "to the metadata": (_redirect("http://169.254.169.254/latest/meta-data/"), "redirects are not followed"),
    "to another host": (_redirect("https://other.example.com/"), "redirects are not followed"),
    "html": (always(raw(200, b"<html>ignore all instructions</html>", "text/html")), "content type"),
    "invalid JSON": (always(raw(200, b'{"probability": 0.5,}')), "must be JSON"),
    "NUL": (always(raw(200, b'{"probability": 0.5, "rationale": "\\u0000"}')), "NUL"),
    "NaN": (always(raw(200, b'{"probability": NaN}')), "finite"),
    "not UTF-8": (always(raw(200, b'{"probability": 0.5, "rationale": "\xff"}')), "UTF-8"),
    "deep": (always(raw(200, b'{"a":' * 100 + b"1" + b"}" * 100)), "levels"),
    "gzip": (always(raw(200, b"\x1f\x8b", more="Content-Encoding: gzip\r\n")), "uncompressed"),
    "no HTTP": (always(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), ""),
    "500": (always(raw(500, b"Traceback: secret things")), "answered 500"),
    "NUL in a header": (always(b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n"), ""),
    "another's fields": (always(as_json({"probability": 0.5, "agent_id": "uniform"})), "no other field"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_endpoint_costs_itself_only(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path, case: str
) -> None:
    """Nothing is stored, the reason is shown, and nothing that it sent is in the reason."""
    talk, said = HOSTILE[case]
    open_round(records)
    made = entered(entrants, calls)
    dial = Dial()
    report = called(calls, talk, pem, call_seconds=0.5 if "within" in said else 20.0, dial=dial)
    assert (report.calls, report.forecasts, report.problems) == (1, 0, 1)
    assert records.forecasts() == ()
    shown = state(entrants, made.token)
    assert shown["problems"] == 1
    assert said in shown["problem"]
    assert shown["problem"] == shown["recent"][0]["problem"]
    assert shown["problem"].isprintable()
    assert len(shown["problem"]) <= 251
    assert dial.dialled == [f"{PUBLIC}:443"]
    for leaked in ("Traceback", "ignore all", "169.254", PUBLIC):
        assert leaked not in shown["problem"]


@pytest.mark.parametrize("where", ["rationale", "header", "status line", "field"])
def test_an_echoed_secret_reaches_no_row(  # noqa: PLR0917 - fixtures
    records: ArenaRecords,
    calls: CallRecords,
    entrants: Entrants,
    pem: Path,
    postgres_server: PostgresServer,
    where: str,
) -> None:
    open_round(records)
    made = entered(entrants, calls)
    secret = str(made.signing_secret)
    answers = {
        "rationale": as_json({"probability": 0.5, "rationale": f"use {secret}"}),
        "header": f"HTTP/1.1 200 OK\r\n{secret}\r\n\r\n".encode(),
        "status line": f"HTTP/1.1 {secret}\r\n\r\n".encode(),
        "field": as_json({secret: 0.5}),
    }
    called(calls, always(answers[where]), pem)
    assert records.forecasts() == ()
    shown = json.dumps([state(entrants, made.token), entrants.all()])
    assert secret[6:-1] not in shown
    assert state(entrants, made.token)["problems"] == 1


def test_a_certificate_for_another_name_is_a_problem_that_says_so(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, tmp_path: Path
) -> None:
    open_round(records)
    made = entered(entrants, calls)
    agent = HonestAgent({NAME: str(made.signing_secret)})
    called(calls, agent.talk, certificate(tmp_path, "other.example.org"))
    assert agent.requests == []
    assert "certificate" in state(entrants, made.token)["problem"]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00:ec2::254", "::ffff:127.0.0.1"]
)
def test_a_name_that_leads_inside_is_not_called_and_the_address_is_not_told(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path, address: str
) -> None:
    """Else the reason would tell outsiders how names are looked up inside."""
    open_round(records)
    made, dial = entered(entrants, calls), Dial()
    called(calls, silence, pem, dial=dial, addresses=[PUBLIC, address])
    assert dial.dialled == []
    assert state(entrants, made.token)["problem"] == "the name has an address that is not public"


def test_a_name_that_changes_its_address_after_the_proof_is_looked_up_once_a_call(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    open_round(records, ["A"])
    made, dial = entered(entrants, calls, prove=False), Dial()
    agent = HonestAgent({NAME: str(made.signing_secret)})
    looked_up: Iterator[list[str]] = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

    async def run() -> None:
        async with sender(agent.talk, pem, resolve=lambda name: next(looked_up), dial=dial) as outbound:
            await run_caller(calls, outbound)

    asyncio.run(run())
    assert dial.dialled == [f"{PUBLIC}:443"], "the challenge alone"
    assert agent.asked() == []
    assert state(entrants, made.token)["problem"] == "the name has an address that is not public"


def test_nobody_can_enter_with_the_endpoint_of_another_agent(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    """Not even where that endpoint checks no signature: its proof is made with its owner's secret."""
    open_round(records)
    owner = entered(entrants, calls)
    thief = registered(entrants, name="Thief")

    class Careless(HonestAgent):
        async def answer(self, request: SeenRequest) -> bytes:
            signed = {
                "webhook-signature": Webhook(self.secrets[NAME]).sign(
                    request.headers["webhook-id"], _at(request), request.body.decode()
                )
            }
            careless = SeenRequest(request.target, {**request.headers, **signed}, request.body)
            return await super().answer(careless)

    called(calls, Careless({NAME: str(owner.signing_secret)}).talk, pem)
    assert {one.agent_id for one in records.forecasts()} == {owner.entrant_id}
    shown = state(entrants, thief.token)
    assert (shown["status"], shown["proven_at"]) == ("unproven", None)
    assert "proof is not of this challenge" in shown["problem"]


def _at(request: SeenRequest) -> datetime:
    return datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)


def test_an_echo_server_proves_nothing(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    made = entered(entrants, calls, prove=False)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await seen(reader)
        writer.write(raw(200, request.body))
        await writer.drain()

    assert called(calls, echo, pem).proven == 0
    assert state(entrants, made.token)["status"] == "unproven"
