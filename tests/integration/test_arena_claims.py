"""Claims from the registration to the verdict, decided by the settler over a real Postgres."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import until
from tests.integration.arena_world import answer, behind, end_round, enrolled, now, open_round

from coliseum.arena.claims import claim_from
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.reporting.reports import make_report, save_report
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.arena.settling.leaderboards import make_due_leaderboards
from coliseum.store.client import Store


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def season(records: ArenaRecords) -> str:
    return enrolled(records)


def registered(records: ArenaRecords, season: str, **changes: Any) -> str:
    """A claim that is true whatever happens: no skill can be below -0.9."""
    body = {"agent": "uniform", "direction": "above", "threshold": -0.9, "text": "x",
            "population": {"season": season, "track": "blind"}, "stopping": {"rule": "every_look"}}  # fmt: skip
    claim_id, new = records.register_claim(claim_from({**body, **changes}))
    assert new
    second = now().replace(microsecond=0)
    until(lambda: now().replace(microsecond=0) > second)  # slots begin at whole seconds
    return claim_id


def play(records: ArenaRecords, server: PostgresServer, ticker: str, *, ago: float = 0) -> None:
    """One market that is asked, answered, due and settled."""
    round_id = open_round(records, (ticker,), ago=timedelta(seconds=ago))
    answer(records, round_id, ticker=ticker)
    end_round(server, round_id)
    due = "close_time = snapshot_at + interval '1 millisecond'"
    behind(server, f"update arena_round_markets set {due} where round_id = '{round_id}'")  # noqa: S608 - a test's own id
    records.record_result(ticker, status="finalized", result="yes", value=Decimal(1), decided_at=now())


def shown(records: ArenaRecords, claim_id: str) -> dict[str, Any]:
    columns = "claim_id,verdict,final,reason,numbers,digest"
    (row,) = records.store.select("public_arena_claims", columns, where=[("claim_id", "eq", claim_id)])
    return row


def blind_digest(records: ArenaRecords) -> str:
    (row,) = records.store.select(
        "arena_reports", "digest", where=[("track", "eq", "blind")], order=("created_at.desc",), limit=1
    )
    return str(row["digest"])


def test_the_settler_decides_a_claim_by_the_events_after_it(
    records: ArenaRecords, season: str, postgres_server: PostgresServer
) -> None:
    play(records, postgres_server, "BEFORE", ago=5)
    claim_id = registered(records, season)
    make_due_leaderboards(records, now=now())
    assert shown(records, claim_id)["reason"] == "no question that counts was answered by uniform at a price yet"

    play(records, postgres_server, "AFTER")
    entries = make_due_leaderboards(records, now=now())
    row = shown(records, claim_id)

    assert (row["verdict"], row["final"], row["digest"]) == ("supported", True, blind_digest(records))
    assert (row["numbers"]["questions"], row["numbers"]["events"]) == (1, 1)
    assert [entry.data["claims"] for entry in entries if entry.data["track"] == "blind"] == [
        [{"claim_id": claim_id, "verdict": "supported"}]
    ]


def test_an_event_that_was_asked_before_never_counts(
    records: ArenaRecords, season: str, postgres_server: PostgresServer
) -> None:
    play(records, postgres_server, "TWICE", ago=5)
    claim_id = registered(records, season)
    play(records, postgres_server, "TWICE")
    make_due_leaderboards(records, now=now())
    assert shown(records, claim_id)["numbers"]["questions"] == 0


def test_a_round_that_says_it_opened_later_than_the_database_saw_does_not_count(
    records: ArenaRecords, season: str
) -> None:
    """The opener's clock goes ahead: the round was made before the claim."""
    open_round(records, ("AHEAD",), ago=timedelta(minutes=-5))
    claim_id = registered(records, season)
    (claim,) = records.open_claims(season, Track.BLIND)
    assert claim.claim_id == claim_id
    assert records.claim_events(claim) == frozenset()


def test_claims_are_looked_at_again_if_a_run_was_killed_after_its_leaderboard(
    records: ArenaRecords, season: str, postgres_server: PostgresServer
) -> None:
    claim_id = registered(records, season)
    play(records, postgres_server, "A")
    save_report(records, make_report(records, ReportKey(season=season, track=Track.BLIND, as_of=now(), known_at=now())))
    assert shown(records, claim_id)["digest"] is None
    assert not records.report_due(season, Track.BLIND)

    make_due_leaderboards(records, now=now())
    assert (shown(records, claim_id)["verdict"], records.claims_due(season, Track.BLIND)) == ("supported", False)


def test_a_claim_with_a_date_is_looked_at_when_the_date_has_passed(
    records: ArenaRecords, season: str, postgres_server: PostgresServer
) -> None:
    at = (now() + timedelta(seconds=8)).isoformat()
    claim_id = registered(records, season, stopping={"rule": "date", "at": at})
    play(records, postgres_server, "A")
    make_due_leaderboards(records, now=now())
    before = shown(records, claim_id)

    until(lambda: records.claims_due(season, Track.BLIND))
    make_due_leaderboards(records, now=now())
    after = shown(records, claim_id)

    assert (before["final"], before["reason"][:16]) == (False, "the only look is")
    assert (after["verdict"], after["final"]) == ("unresolved", True)
    assert after["reason"].startswith("the only look has no interval: ")
    assert not records.claims_due(season, Track.BLIND)


def test_a_claim_of_the_other_track_is_left_alone(
    records: ArenaRecords, season: str, postgres_server: PostgresServer
) -> None:
    claim_id = registered(
        records, season, agent="market", against="uniform", population={"season": season, "track": "aware"}
    )
    play(records, postgres_server, "A")
    make_due_leaderboards(records, now=now())
    assert (shown(records, claim_id)["final"], shown(records, claim_id)["digest"]) != (True, blind_digest(records))
