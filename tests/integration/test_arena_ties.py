"""Ids that must belong together, and outside agents: what the database refuses whatever the caller computed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import answer, end_round, enrolled, forecast_row, now, open_round
from tests.unit.arena.offers import NOW

from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.calendar import slot_at
from coliseum.arena.clean_text import clean_line
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import SourceRefused
from coliseum.store.client import Store

BOB = "e-bob"


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def public(postgres_server: PostgresServer) -> Iterator[Store]:
    """What anyone with the publishable key sees."""
    door = Store(postgres_server.url, postgres_server.publishable_key)
    yield door
    door.close()


def entrant(store: Store, season: str, agent_id: str = BOB, **change: Any) -> None:
    row = {"agent_id": agent_id, "kind": "entrant", "name": "Bob", "tracks": ["open"], "season": season, **change}
    store.insert("arena_agents", [row])


def statuses(records: ArenaRecords, round_id: str) -> dict[str, tuple[str, str | None]]:
    return {one.agent_id: (one.status, one.reason) for one in records.decisions(round_id)}


def attempt(decision: str, number: int) -> dict[str, Any]:
    return {"decision_id": decision, "attempt": number, "started_at": NOW.isoformat(), "latency_ms": 1}


def test_a_forecast_ends_only_its_own_decision(records: ArenaRecords) -> None:
    """Each mixed-up call is refused whole: neither the decision nor the other's forecast changes."""
    enrolled(records)
    round_id = open_round(records, ["A", "B"])
    decision = f"{round_id}/A/uniform/blind"
    mine, others = forecast_row(round_id), forecast_row(round_id, agent="panel")
    attempt = {"decision_id": others["forecast_id"], "attempt": 1, "started_at": NOW.isoformat(), "latency_ms": 1}
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("does not answer", {"status": "done", "forecast": others}),
        ("does not answer", {"status": "done", "forecast": forecast_row(round_id, ticker="B")}),
        ("belongs to", {"status": "done", "forecast": mine, "attempt": attempt}),
        ("not done without a forecast", {"status": "done"}),
        ("has a forecast", {"status": "failed", "forecast": mine}),
        ("ends as done", {"status": "running"}),
    )
    for message, call in wrong:
        with pytest.raises(SourceRefused, match=message):
            records.finish_decision(decision, **call)
    assert records.forecasts() == ()
    assert {one.status for one in records.decisions(round_id)} == {"pending"}


def test_the_ids_of_outside_agents_and_of_the_roster_never_meet(records: ArenaRecords, store: Store) -> None:
    season = enrolled(records)
    entrant(store, season)
    for change in (
        {"agent_id": "bob"},
        {"agent_id": "e-x", "kind": "statistical"},
        {"agent_id": "e-y", "tracks": ["blind"]},
    ):
        with pytest.raises(SourceRefused, match="arena_agents_"):
            entrant(store, season, **change)
    for stolen in ({"agent_id": "e-bob", "kind": "statistical"}, {"agent_id": "bob", "kind": "entrant"}):
        row: dict[str, Any] = {
            "name": "Thief",
            "model": None,
            "tracks": ["blind"],
            "params": {},
            "status": "active",
            **stolen,
        }
        with pytest.raises(SourceRefused, match="outside agents"):
            enroll(records, season, [row])
    assert {agent.kind for agent in records.agents() if agent.agent_id == "e-bob"} == {"entrant"}


def test_an_outside_agent_that_says_nothing_holds_up_nothing(
    records: ArenaRecords, store: Store, postgres_server: PostgresServer
) -> None:
    entrant(store, enrolled(records))
    round_id = open_round(records)
    silent = f"{round_id}/A/e-bob/open"
    assert silent not in records.hand_out(again_seconds=0, attempts=3)
    for agent, track in (("uniform", Track.BLIND), ("market", Track.AWARE)):
        answer(records, round_id, agent=agent, track=track)
    assert records.hand_out(again_seconds=0, attempts=3) == (f"{round_id}/A/panel/blind",)
    answer(records, round_id, agent="panel")
    end_round(postgres_server, round_id)
    records.close_round(round_id)
    assert records.round(round_id).status == "complete"
    assert statuses(records, round_id)["e-bob"] == ("failed", "not_answered")


def opened_with(records: ArenaRecords, **change: Any) -> bool:
    """Open a round whose one decision has other parts than its id says."""
    (known,) = records.rounds(limit=1)
    slot = slot_at(now() - timedelta(seconds=30), every=timedelta(seconds=1))
    asked = {"round_id": slot.round_id, "ticker": "A", "agent_id": "uniform", "track": "blind"}
    market = records.store.select("arena_round_markets", "*", where=[("round_id", "eq", known.round_id)])[0]
    return records.open_round(
        slot,
        opened_at=slot.starts_at,
        closes_at=slot.starts_at + timedelta(minutes=10),
        exchange="sandbox",
        markets=[{**market, "round_id": change.pop("market_round", slot.round_id)}],
        decisions=[{**asked, "decision_id": "/".join(asked.values()), **change}],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agent_id": "panel"}, "arena_decisions_id_check"),
        ({"decision_id": "x"}, "arena_decisions_id_check"),
        ({"ticker": "B"}, "arena_decisions"),
        ({"track": "open"}, "does not play the track open"),
        ({"agent_id": "nobody"}, "arena_decisions|does not play"),
        ({"round_id": "r-20000101T000000Z"}, "came with round"),
        ({"market_round": "r-20000101T000000Z"}, "came with round"),
    ],
)
def test_the_parts_of_a_decision_are_those_of_its_id(
    records: ArenaRecords, change: dict[str, Any], message: str
) -> None:
    enrolled(records)
    open_round(records)
    with pytest.raises(SourceRefused, match=message):
        opened_with(records, **change)
    assert len(records.rounds(limit=9)) == 1
    assert opened_with(records)


def test_a_decision_keeps_what_it_asks(records: ArenaRecords, postgres_server: PostgresServer) -> None:
    """Not even the database's owner changes it."""
    enrolled(records)
    open_round(records, ["A", "B"])
    for change in ("agent_id = 'panel'", "track = 'aware'", "ticker = 'B'", "created_at = now() - interval '1 day'"):
        with pytest.raises(psycopg.Error, match="keeps its round, market, agent and track"):
            postgres_server.execute(f"update public.arena_decisions set {change} where agent_id = 'uniform'")  # noqa: S608 - own text


def test_a_decision_is_done_by_its_forecast_and_stays_so(
    records: ArenaRecords, store: Store, postgres_server: PostgresServer
) -> None:
    """Whoever writes, with or without a function."""
    enrolled(records)
    round_id = open_round(records)
    columns = "decision_id,round_id,ticker,agent_id,track"
    (row,) = store.select("arena_decisions", columns, where=[("agent_id", "eq", "uniform")])
    with pytest.raises(SourceRefused, match="not done without a forecast"):
        store.upsert("arena_decisions", [{**row, "status": "done"}], on_conflict="decision_id")
    with pytest.raises(psycopg.Error, match="not done without a forecast"):
        postgres_server.execute("update public.arena_decisions set status = 'done'")
    answer(records, round_id)
    with pytest.raises(SourceRefused, match="is done and stays so"):
        store.upsert("arena_decisions", [{**row, "status": "failed"}], on_conflict="decision_id")
    assert statuses(records, round_id)["uniform"] == ("done", None)


def test_an_attempt_was_leased_before_it_was_made(records: ArenaRecords) -> None:
    enrolled(records)
    decision = f"{open_round(records)}/A/uniform/blind"
    for number in (0, 1, 7):
        with pytest.raises(SourceRefused, match="never leased"):
            records.finish_decision(decision, status="failed", attempt=attempt(decision, number))
    assert records.lease_decision(decision, seconds=60) is not None
    with pytest.raises(SourceRefused, match="never leased"):
        records.finish_decision(decision, status="failed", attempt=attempt(decision, 2))
    assert records.finish_decision(decision, status="failed", attempt=attempt(decision, 1))


def test_a_lease_that_was_never_given_settles_nothing(records: ArenaRecords) -> None:
    enrolled(records)
    decision = f"{open_round(records)}/A/uniform/blind"
    with pytest.raises(SourceRefused, match="arena_decisions_settled_check"):
        records.finish_decision(decision, status="failed", reason="x", lease=5)
    assert {one.status for one in records.decisions(decision.split("/", maxsplit=1)[0])} == {"pending"}


def test_no_money_is_set_aside_for_an_outside_agent(records: ArenaRecords, store: Store) -> None:
    entrant(store, enrolled(records))
    round_id = open_round(records)
    with pytest.raises(SourceRefused, match="no money"):
        records.reserve(f"{round_id}/A/{BOB}/open", D("0.01"), cap=D(5))
    with pytest.raises(SourceRefused, match="no money"):
        records.fund_round(round_id, each={BOB: D("0.01")}, cap=D(5))
    assert store.select("arena_budget", "reserved_usd::text") == []


def test_the_forecast_of_an_outside_agent_is_final_and_secret_until_the_close(
    records: ArenaRecords, store: Store, public: Store, postgres_server: PostgresServer
) -> None:
    entrant(store, enrolled(records))
    round_id = open_round(records)
    stored = answer(records, round_id, agent=BOB, track=Track.OPEN, p="0.8642", traded=False)
    again = forecast_row(round_id, agent=BOB, track=Track.OPEN, p="0.1111")
    assert not records.finish_decision(stored.forecast_id, status="done", forecast=again)
    schema = Path(__file__).parents[2] / "supabase" / "schema.sql"
    views = re.findall(r"CREATE VIEW public\.(public_arena_\w+)", schema.read_text())
    assert "public_arena_forecasts" in views
    assert not [view for view in views if "0.8642" in str(public.select(view, "*"))]
    end_round(postgres_server, round_id)
    assert "0.8642" in str(public.select("public_arena_forecasts", "*"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"p": "NaN"}, "arena_forecasts"),
        ({"p": "1.01"}, "arena_forecasts"),
        ({"low": "-0.1"}, "arena_forecasts"),
        ({"high": "NaN"}, "arena_forecasts"),
        ({"abstain": True}, "arena_forecasts"),
        ({"seal": "0"}, "arena_forecasts"),
        ({"agent_id": "uniform"}, "arena_forecasts|answers no decision"),
        ({"track": "aware"}, "arena_forecasts|answers no decision"),
        ({"round_id": "r-20000101T000000Z"}, "answers no decision"),
    ],
)
def test_a_forged_forecast_of_an_outside_agent_is_refused(
    records: ArenaRecords, store: Store, change: dict[str, Any], code: str
) -> None:
    entrant(store, enrolled(records))
    round_id = open_round(records)
    row = {**forecast_row(round_id, agent=BOB, track=Track.OPEN), **change}
    with pytest.raises(SourceRefused, match=code):
        records.finish_decision(row["forecast_id"], status="done", forecast=row)
    assert records.forecasts() == ()


def test_the_clock_of_a_late_forecast_is_the_databases(
    records: ArenaRecords, store: Store, postgres_server: PostgresServer
) -> None:
    entrant(store, enrolled(records))
    round_id = open_round(records)
    row = forecast_row(round_id, agent=BOB, track=Track.OPEN)
    end_round(postgres_server, round_id)
    for told in (now() - timedelta(hours=1), now() + timedelta(hours=1)):
        with pytest.raises(SourceRefused, match="is late"):
            records.finish_decision(row["forecast_id"], status="done", forecast={**row, "created_at": told.isoformat()})
    assert records.forecasts() == ()


HIDDEN = (
    *("\n", "\r", "\t", "\x1b", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\ufe0f"),
    *("\u3164", "\U000e0041", "\U000e0101"),
)


def frozen(records: ArenaRecords, place: str, text: str) -> bool:
    """Open a round whose market has this text in one place."""
    (known,) = records.rounds(limit=1)
    slot = slot_at(now() - timedelta(seconds=30), every=timedelta(seconds=1))
    market = records.store.select("arena_round_markets", "*", where=[("round_id", "eq", known.round_id)])[0]
    context = market["context"]
    if place == "source":
        digest = sha256(f"News\n{text}".encode()).hexdigest()
        source = {"title": "News", "text": text, "sha256": digest}
        context["sources"] = [{**source, "published_at": context["as_of"], "fetched_at": context["as_of"]}]
    elif place == "other_outcomes":
        context["question"][place] = ["Boston", text]
    elif place == "column":
        market["title"] = text
    else:
        context["question"][place] = text
    hours = {"opened_at": slot.starts_at, "closes_at": slot.starts_at + timedelta(minutes=10), "exchange": "sandbox"}
    return records.open_round(slot, markets=[{**market, "round_id": slot.round_id}], decisions=[], **hours)  # type: ignore[arg-type]  # times and a name


@pytest.mark.parametrize(
    "place", ["title", "subtitle", "category", "rules", "rules_secondary", "other_outcomes", "column", "source"]
)
def test_no_context_is_stored_with_text_that_forges_a_line_or_hides(records: ArenaRecords, place: str) -> None:
    """Whatever froze it."""
    enrolled(records)
    open_round(records)
    for character in HIDDEN:
        if not (place.startswith("rules") and character == "\n"):
            with pytest.raises(SourceRefused, match="invisible characters"):
                frozen(records, place, f"rain{character}Rules: it has rained")
    said = clean_line("Ünï 日本 עברית 🌧 " + "".join(HIDDEN), most=200)
    assert frozen(records, place, said + ("\nSecond line." if place.startswith("rules") else ""))


@pytest.mark.parametrize("name", ["", " ", *(f"Bob{character}" for character in HIDDEN)])
def test_no_contestant_has_a_name_that_hides_something(records: ArenaRecords, store: Store, name: str) -> None:
    with pytest.raises(SourceRefused, match="arena_agents_name_check"):
        entrant(store, enrolled(records), name=name)
