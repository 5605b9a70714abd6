"""The caller and endpoints behind TLS: how it should be, and answers that come too late. The database is real."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from secrets import token_bytes

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.secure_server import certificate
from tests.integration.arena_world import end_round, enrolled, open_round
from tests.integration.endpoint_world import (
    NAME,
    ROUND,
    HonestAgent,
    SeenRequest,
    always,
    as_json,
    called,
    entered,
    raw,
    state,
)

from coliseum.arena.calling.caller import EndpointCaller
from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.forecasts import seal
from coliseum.arena.records.all_tables import ArenaRecords
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
    report = called(calls, always(answer), pem)
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
