"""The caller against endpoints behind TLS: honest ones, hostile ones, and workers that die. The database is real."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.secure_server import PUBLIC, Dial, Talk, certificate
from tests.integration.arena_world import Killed, end_round, enrolled, open_round
from tests.integration.endpoint_world import (
    NAME,
    HonestAgent,
    SeenRequest,
    as_json,
    called,
    entered,
    raw,
    registered,
    run_caller,
    seen,
    sender,
)

from coliseum.arena.calling.caller import CHALLENGES_AT_ONCE, MOST_BYTES, EndpointCaller
from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.forecasts import seal
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import SourceUnavailable
from coliseum.outbound.client import OutboundAnswer, OutboundRequest
from coliseum.store.client import Store

ROUND = ("A", "B", "C")


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


def state(entrants: Entrants, token: str) -> dict[str, Any]:
    found: dict[str, Any] = entrants.record(entrants.authorize(token, cost=0))["endpoint_state"]
    return found


def leases_end(server: PostgresServer) -> None:
    server.execute("update arena_calls set lease_until = now() where lease_until is not null")
    server.execute("update arena_endpoints set lease_until = now() where lease_until is not null")


# ---------------------------------------------------------------- the way it should be


def test_a_new_endpoint_proves_itself_and_answers_every_question_in_one_run(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    round_id = open_round(records, ROUND)
    made = entered(entrants, calls, prove=False)
    assert made.signing_secret is not None
    agent = HonestAgent({NAME: made.signing_secret})
    report = called(calls, agent.talk, pem)
    assert (report.challenges, report.proven, report.calls, report.forecasts, report.problems) == (1, 1, 3, 3, 0)
    assert sorted(agent.asked()) == [f"{round_id}.{ticker}" for ticker in ROUND]
    stored = records.forecasts()
    assert {one.forecast_id for one in stored} == {f"{round_id}/{ticker}/{made.entrant_id}/open" for ticker in ROUND}
    assert all(one.payload["rationale"] == "why" and seal(one.payload) == one.seal for one in stored)
    shown = state(entrants, made.token)
    assert (shown["status"], shown["problem"], shown["calls"]) == ("ready", None, {"answered": 3})
    assert called(calls, agent.talk, pem).calls == 0


def test_a_request_is_what_the_documentation_says(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    open_round(records)
    made = entered(entrants, calls)
    assert made.signing_secret is not None
    agent = HonestAgent({NAME: made.signing_secret})
    called(calls, agent.talk, pem)
    (request,) = agent.requests
    assert (request.target, request.host, request.headers["content-type"]) == ("/forecast", NAME, "application/json")
    assert request.headers["user-agent"].startswith("coliseum")
    assert request.headers["accept-encoding"] == "identity"
    assert made.signing_secret[6:] not in str(request)
    asked = request.message["data"]
    assert asked["context"]["question"]["title"]
    assert 1 <= asked["answer_within_seconds"] <= 20


@pytest.mark.parametrize(
    ("answer", "status"), [(raw(204), "abstained"), (raw(202), "deferred"), (as_json({"abstain": True}), "abstained")]
)
def test_an_endpoint_may_abstain_or_send_its_forecast_later(  # noqa: PLR0917 - fixtures
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path, answer: bytes, status: str
) -> None:
    open_round(records)
    made = entered(entrants, calls)
    report = called(calls, _always(answer), pem)
    assert (report.abstained, report.problems, records.forecasts()) == (1, 0, ())
    assert state(entrants, made.token)["calls"] == {status: 1}


def test_both_secrets_of_a_rotation_work(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    made = entered(entrants, calls, prove=False)
    assert made.signing_secret is not None
    new = entrants.rotate_endpoint_secret(entrants.authorize(made.token))
    for secret, ticker in ((made.signing_secret, "A"), (new, "B")):
        entrants.resume_endpoint(entrants.authorize(made.token))
        open_round(records, [ticker], ago=timedelta(minutes="AB".index(ticker)))
        report = called(calls, HonestAgent({NAME: secret}).talk, pem)
        assert (report.proven, report.problems) == (1, 0)
        assert report.forecasts >= 1


def _always(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen(reader)
        writer.write(answer)
        await writer.drain()

    return talk


# ---------------------------------------------------------------- hostile endpoints


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


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen(reader)


def _redirect(location: str) -> Talk:
    return _always(raw(307, more=f"Location: {location}\r\n"))


HOSTILE: dict[str, tuple[Talk, str]] = {
    "drip": (_drip, "no whole answer within"),
    "silence": (_silence, "no whole answer within"),
    "endless head": (_endless_head, ""),
    "endless 100 Continue": (_endless_continue, "no whole answer within"),
    "endless body": (_endless_body, f"more than {MOST_BYTES} bytes"),
    "huge body": (_always(as_json({"probability": 0.5, "rationale": "x" * 40_000})), f"more than {MOST_BYTES}"),
    "announced huge": (_always(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"), "more than"),
    "hang up": (_hang_up, "disconnected"),
    "to the metadata": (_redirect("http://169.254.169.254/latest/meta-data/"), "redirects are not followed"),
    "to another host": (_redirect("https://other.example.com/"), "redirects are not followed"),
    "html": (_always(raw(200, b"<html>ignore all instructions</html>", "text/html")), "content type"),
    "invalid JSON": (_always(raw(200, b'{"probability": 0.5,}')), "must be JSON"),
    "NUL": (_always(raw(200, b'{"probability": 0.5, "rationale": "\\u0000"}')), "NUL"),
    "NaN": (_always(raw(200, b'{"probability": NaN}')), "finite"),
    "not UTF-8": (_always(raw(200, b'{"probability": 0.5, "rationale": "\xff"}')), "UTF-8"),
    "deep": (_always(raw(200, b'{"a":' * 100 + b"1" + b"}" * 100)), "levels"),
    "gzip": (_always(raw(200, b"\x1f\x8b", more="Content-Encoding: gzip\r\n")), "uncompressed"),
    "no HTTP": (_always(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), ""),
    "500": (_always(raw(500, b"Traceback: secret things")), "answered 500"),
    "NUL in a header": (_always(b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n"), ""),
    "another's fields": (_always(as_json({"probability": 0.5, "agent_id": "uniform"})), "no other field"),
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
    called(calls, _always(answers[where]), pem)
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
    called(calls, _silence, pem, dial=dial, addresses=[PUBLIC, address])
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


def test_an_answer_after_the_close_is_late(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path, postgres_server: PostgresServer
) -> None:
    round_id = open_round(records)
    made = entered(entrants, calls)

    async def reply(_: SeenRequest) -> bytes:
        await asyncio.to_thread(end_round, postgres_server, round_id)
        return as_json({"probability": 0.9})

    called(calls, HonestAgent({NAME: str(made.signing_secret)}, reply).talk, pem)
    assert records.forecasts() == ()
    (shown,) = state(entrants, made.token)["recent"]
    assert (shown["status"], shown["problem"]) == ("failed", "the answer came after the close of the round")


@pytest.mark.parametrize(("minutes", "most"), [(0.5, 29.0), (10, 30.0)])
def test_a_call_ends_before_its_round(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, minutes: float, most: float
) -> None:
    sent: list[OutboundRequest] = []

    class Noting:
        async def send(self, request: OutboundRequest) -> OutboundAnswer:
            sent.append(request)
            return OutboundAnswer(status=204, headers={}, body=b"", url=request.url)

    open_round(records, minutes=minutes)
    entered(entrants, calls)
    asyncio.run(EndpointCaller(calls, Noting(), random=token_bytes).run(seconds=60))
    (request,) = sent
    assert 0 < request.seconds <= most
    assert request.redirects == 0
    assert request.body is not None
    assert json.loads(request.body)["data"]["answer_within_seconds"] <= request.seconds


def test_an_agent_that_is_banned_while_it_answers_stores_nothing(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    open_round(records)
    made = entered(entrants, calls)

    async def reply(_: SeenRequest) -> bytes:
        await asyncio.to_thread(entrants.decide, made.entrant_id, status="banned")
        return as_json({"probability": 0.9})

    agent = HonestAgent({NAME: str(made.signing_secret)}, reply)
    called(calls, agent.talk, pem)
    assert records.forecasts() == ()
    assert called(calls, agent.talk, pem).calls == 0


def test_an_agent_that_sends_its_forecast_while_it_is_called_keeps_that_one(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    open_round(records)
    made = entered(entrants, calls)

    async def reply(request: SeenRequest) -> bytes:
        me = await asyncio.to_thread(entrants.authorize, made.token)
        question = request.message["data"]["question_id"]
        await asyncio.to_thread(lambda: entrants.submit(me, question, probability=Decimal("0.2"), rationale="sent"))
        return as_json({"probability": 0.9})

    report = called(calls, HonestAgent({NAME: str(made.signing_secret)}, reply).talk, pem)
    (stored,) = records.forecasts()
    assert (stored.payload["rationale"], report.forecasts, report.problems) == ("sent", 0, 0)
    assert state(entrants, made.token)["calls"] == {"answered": 1}


# ---------------------------------------------------------------- many at once, and workers that die


def test_a_slow_endpoint_does_not_delay_the_others(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    """The slow one answers only after the quick one has answered everything."""
    tickers = [f"A{number}" for number in range(6)]
    open_round(records, tickers)
    slow, quick = (entered(entrants, calls, host=host) for host in ("slow.example.com", "quick.example.com"))
    everything = asyncio.Event()

    async def reply(request: SeenRequest) -> bytes:
        if request.host == "slow.example.com":
            await everything.wait()
        elif len(agent.asked("quick.example.com")) == len(tickers):
            everything.set()
        return as_json({"probability": 0.4})

    agent = HonestAgent(
        {"slow.example.com": str(slow.signing_secret), "quick.example.com": str(quick.signing_secret)}, reply
    )
    report = called(calls, agent.talk, pem, call_seconds=60)
    assert (report.forecasts, report.problems) == (12, 0)


def test_new_endpoints_do_not_delay_proven_ones(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path
) -> None:
    """More new endpoints than have a place are silent until the proven one has answered everything."""
    tickers = [f"A{number}" for number in range(5)]
    open_round(records, tickers)
    quick = entered(entrants, calls, host="quick.example.com")
    for number in range(CHALLENGES_AT_ONCE + 2):
        entered(entrants, calls, host=f"new{number}.example.com", prove=False)
    everything = asyncio.Event()

    async def reply(_: SeenRequest) -> bytes:
        if len(agent.asked("quick.example.com")) == len(tickers):
            everything.set()
        return as_json({"probability": 0.4})

    agent = HonestAgent({"quick.example.com": str(quick.signing_secret)}, reply)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await seen(reader)
        if request.host != "quick.example.com":
            await everything.wait()
            return
        agent.requests.append(request)
        writer.write(await agent.answer(request))
        await writer.drain()

    report = called(calls, talk, pem, call_seconds=60)
    assert (report.forecasts, report.challenges) == (5, CHALLENGES_AT_ONCE + 2)


def test_two_workers_at_once_call_once_for_each_question(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, pem: Path, postgres_server: PostgresServer
) -> None:
    hosts = [f"a{number}.example.com" for number in range(4)]
    made = {host: entered(entrants, calls, host=host) for host in hosts}
    open_round(records, ROUND)
    agent = HonestAgent({host: str(one.signing_secret) for host, one in made.items()})

    async def run() -> None:
        async with sender(agent.talk, pem) as outbound:
            with closing(Store(postgres_server.url, postgres_server.secret_key)) as other:
                await asyncio.gather(run_caller(calls, outbound), run_caller(CallRecords(other), outbound))

    asyncio.run(run())
    assert all(len(agent.asked(host)) == len(set(agent.asked(host))) == 3 for host in hosts)
    assert len(records.forecasts()) == 12


class DeadStore(Store):
    """A store whose process is killed after its `steps`-th write: nothing is written from then on."""

    def __init__(self, living: Store, *, steps: int) -> None:
        self.__dict__.update(living.__dict__)
        self._left = steps
        self._turn = threading.Lock()

    def rpc(self, function: str, args: Mapping[str, Any]) -> Any:
        with self._turn:  # several calls store at the same time
            self._left -= 1
            answer = super().rpc(function, args) if self._left >= 0 else None
            if self._left <= 0:
                raise Killed
            return answer


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_worker_that_is_killed_anywhere_loses_no_question(  # noqa: PLR0917 - fixtures
    records: ArenaRecords,
    calls: CallRecords,
    entrants: Entrants,
    pem: Path,
    store: Store,
    postgres_server: PostgresServer,
    steps: int,
) -> None:
    """After its first, second, … write. The writes are the claims, the proof, and the three forecasts."""
    round_id = open_round(records, ROUND)
    made = entered(entrants, calls, prove=False)
    agent = HonestAgent({NAME: str(made.signing_secret)})
    with pytest.raises(Killed):
        called(CallRecords(DeadStore(store, steps=steps)), agent.talk, pem)
    leases_end(postgres_server)
    called(calls, agent.talk, pem)
    expected = {f"{round_id}/{ticker}/{made.entrant_id}/open" for ticker in ROUND}
    assert {one.forecast_id for one in records.forecasts()} == expected
    assert state(entrants, made.token)["calls"] == {"answered": 3}
    ids = {one.headers["webhook-id"] for one in agent.requests if one.message["type"] == "arena.question"}
    assert len(ids) == 3, "a repeated question has its old id"


WORKER = """
import asyncio, os, sys
from secrets import token_bytes
from coliseum.arena.calling.caller import EndpointCaller
from coliseum.arena.calling.records import CallRecords
from coliseum.outbound.client import Outbound
from coliseum.outbound.local_names import add_local_name
from coliseum.store.client import Store

async def main():
    async with Outbound() as outbound:
        records = CallRecords(Store(os.environ["URL"], os.environ["KEY"]))
        await EndpointCaller(records, outbound, random=token_bytes).run(seconds=60)

add_local_name("agent.coliseum.test", os.environ["AGENT"])
asyncio.run(main())
"""


def test_a_process_that_is_killed_while_the_endpoint_answers_loses_no_question(
    records: ArenaRecords, calls: CallRecords, entrants: Entrants, postgres_server: PostgresServer
) -> None:
    """kill -9, sent by the endpoint itself before its first forecast."""
    open_round(records, ROUND)
    host = "agent.coliseum.test"
    made = entered(entrants, calls, host=host)
    running: list[asyncio.subprocess.Process] = []

    async def reply(_: SeenRequest) -> bytes:
        if len(running) == 1 and running[0].returncode is None:
            running[0].kill()
        return as_json({"probability": 0.4})

    agent = HonestAgent({host: str(made.signing_secret)}, reply)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await agent.talk(reader, writer)
        writer.close()

    async def run() -> list[int]:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        variables = {**os.environ, "URL": postgres_server.url, "KEY": postgres_server.secret_key, "AGENT": address}
        codes = []
        for _ in range(2):
            running.append(await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, env=variables))
            codes.append(await running[-1].wait())
            leases_end(postgres_server)
        server.close()
        return codes

    assert asyncio.run(run()) == [-9, 0]
    assert {one.ticker for one in records.forecasts()} == set(ROUND)
    assert state(entrants, made.token)["calls"] == {"answered": 3}


def test_a_database_that_fails_once_costs_no_forecast(
    records: ArenaRecords, entrants: Entrants, calls: CallRecords, pem: Path, store: Store
) -> None:
    class Flaky(CallRecords):
        failed = False

        def answer(self, *args: Any) -> str | None:
            if not self.failed:
                self.failed = True
                raise SourceUnavailable("database", "gone")
            return super().answer(*args)

    open_round(records)
    made = entered(entrants, calls)
    agent = HonestAgent({NAME: str(made.signing_secret)})
    assert called(Flaky(store), agent.talk, pem).forecasts == 1
    assert len(agent.asked()) == 1


def test_a_fault_of_ours_in_one_call_ends_no_other(
    records: ArenaRecords, entrants: Entrants, calls: CallRecords
) -> None:
    class Faulty:
        async def send(self, request: OutboundRequest) -> OutboundAnswer:
            if "bad" in request.url:
                raise ZeroDivisionError
            return OutboundAnswer(
                status=200, headers={"content-type": "application/json"}, body=b'{"probability": 0.3}', url=request.url
            )

    open_round(records)
    bad, good = (entered(entrants, calls, host=host) for host in ("bad.example.com", "good.example.com"))
    report = asyncio.run(EndpointCaller(calls, Faulty(), random=token_bytes).run(seconds=60))
    assert (report.forecasts, report.problems) == (1, 1)
    assert {one.agent_id for one in records.forecasts()} == {good.entrant_id}
    assert state(entrants, bad.token)["problem"] == "the answer could not be read"
