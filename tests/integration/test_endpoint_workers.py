"""Many calls at once, and workers that die: nobody waits for others, and no question is lost. The database is real."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.secure_server import certificate
from tests.integration.arena_world import Killed, enrolled, open_round
from tests.integration.endpoint_world import (
    NAME,
    ROUND,
    HonestAgent,
    SeenRequest,
    as_json,
    called,
    entered,
    leases_end,
    run_caller,
    seen,
    sender,
    state,
)

from coliseum.arena.calling.caller import CHALLENGES_AT_ONCE, EndpointCaller
from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import SourceUnavailable
from coliseum.outbound.client import OutboundAnswer, OutboundRequest
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
