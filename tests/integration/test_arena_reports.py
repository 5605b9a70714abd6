from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.contract.arena_world import SAID, World, build
from tests.fixtures.postgres import _EMPTY, PostgresServer

from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import decision_id
from coliseum.arena.reporting import reports as reporting
from coliseum.arena.reporting.reports import SeasonReport
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.feed.entries import EntryKind
from coliseum.store.client import Store


@pytest.fixture(scope="module")
def records(postgres_server: PostgresServer) -> Iterator[ArenaRecords]:
    store = Store(postgres_server.url, postgres_server.secret_key)
    yield ArenaRecords(store)
    store.close()


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> World:
    """For tests that only look."""
    postgres_server.execute(_EMPTY)
    store = Store(postgres_server.url, postgres_server.secret_key)
    try:
        return build(store, postgres_server)
    finally:
        store.close()


@pytest.fixture
def fresh(store: Store, postgres_server: PostgresServer) -> World:
    """For tests that add to it."""
    return build(store, postgres_server)


def board_of(
    records: ArenaRecords,
    world: World,
    track: Track = Track.BLIND,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> SeasonReport:
    now = datetime.now(UTC)
    question = ReportKey(season=world.season, track=track, as_of=as_of or now, known_at=known_at or now)
    return reporting.make_report(records, question, draws=100)


def test_a_season_is_scored_from_its_rows(records: ArenaRecords, world: World) -> None:
    """Five settled markets of five events, one NO and four YES, at a price of 0.425; a sixth has no result."""
    blind, aware = board_of(records, world), board_of(records, world, Track.AWARE)
    sharp, modest = blind.report.scores()["sharp"], aware.report.scores()["modest"]

    assert (sharp["offered"], sharp["graded"], sharp["skill_events"]) == (6, 5, 5)
    assert sharp["brier"] == pytest.approx((0.91**2 + 4 * 0.09**2) / 5)
    assert sharp["skill"] == pytest.approx((0.425**2 + 4 * 0.575**2) / 5 - sharp["brier"])
    assert aware.report.scores()["market"]["skill"] == 0
    assert (modest["answered"], modest["coverage"]) == (5, 5 / 6)
    assert modest["brier_strict"] == pytest.approx(((0.44**2 + 3 * 0.56**2) + 0.25) / 5)
    assert set(blind.report.scores()) == {name for name in (*SAID, "shy") if name in {"sharp", "uniform", "shy"}}


def test_an_abstention_was_asked_and_not_answered(records: ArenaRecords, world: World) -> None:
    shy = board_of(records, world).report.scores()["shy"]

    assert (shy["offered"], shy["answered"], shy["coverage"], shy["brier"]) == (6, 0, 0.0, None)
    line = next(one for one in board_of(records, world).body["standings"] if one["agent"] == "shy")
    assert (line["listed"], line["rank"]) == (False, None)


def test_the_board_shows_the_cost_of_the_answers(records: ArenaRecords, world: World) -> None:
    operations = board_of(records, world).body["operations"]

    assert set(operations) == {"sharp", "uniform", "shy"}
    assert (operations["sharp"]["asked"], operations["sharp"]["answered"]) == (6, 6)
    assert operations["shy"]["failure_rates"] == {"abstained": 1.0}
    assert operations["sharp"]["frontier"] is True
    assert board_of(records, world, Track.AWARE).body["leans"] == {}  # no agent of this season plays both tracks


def test_slices_carry_what_the_round_froze(records: ArenaRecords, world: World) -> None:
    report = board_of(records, world).report

    assert report.scores("category:Weather")["sharp"]["graded"] == 3
    assert report.scores("category:Politics")["sharp"]["graded"] == 2
    assert {"horizon:1-2d", "track:blind", "price:0.40-0.60", "outcomes:1"} <= set(report.body["slices"])


def test_events_of_one_series_that_were_open_together_are_one_piece_of_evidence_once_they_are_due(
    records: ArenaRecords, fresh: World
) -> None:
    """Five are settled a day before their close; two more, one of them of a later round, are void."""
    now = datetime.now(UTC)
    for ticker in (fresh.tickers[-1], fresh.secret_ticker):
        records.record_result(ticker, status="finalized", result="void", value=Decimal("0.42"), decided_at=now)

    def evidence(hours: float) -> tuple[int, float | None]:
        then = now + timedelta(hours=hours)
        sharp = board_of(records, fresh, as_of=then, known_at=then).report.scores()["sharp"]
        return sharp["evidence_clusters"], sharp["log10_evidence"]

    assert evidence(29) == (0, None)
    gained = 4 * math.log10(0.91 / 0.425) + math.log10(0.09 / 0.575)
    clusters, log10 = evidence(31)
    assert clusters == 1
    assert log10 == pytest.approx(gained / 7)


def test_the_open_round_is_not_in_the_report(records: ArenaRecords, world: World) -> None:
    board = board_of(records, world)

    assert board.body["rounds"] == 1
    assert world.secret_ticker not in str(board.body)


def test_the_same_rows_make_the_same_digest(records: ArenaRecords, world: World) -> None:
    one, other = board_of(records, world), board_of(records, world)

    assert one.digest == other.digest
    (entry,) = reporting.save_report(records, one)
    assert (entry.kind, entry.data["digest"]) == (EntryKind.LEADERBOARD_CHANGED, one.digest)
    assert all(line.keys() == {"agent_id", "rank", "tier", "skill"} for line in entry.data["standings"])
    assert reporting.save_report(records, other) == ()


def test_a_board_of_the_past_knows_what_was_known_then(records: ArenaRecords, world: World) -> None:
    before_results = board_of(records, world, as_of=datetime.now(UTC) - timedelta(hours=1))
    before_rows = board_of(records, world, known_at=datetime.now(UTC) - timedelta(hours=3))

    assert (before_results.report.body["graded_cells"], before_results.body["rounds"]) == (0, 1)
    assert (before_rows.report.body["cells"], before_rows.body["rounds"]) == (0, 0)


def test_the_sandbox_s_gates_are_low_and_can_be_replaced(records: ArenaRecords, world: World) -> None:
    now = datetime.now(UTC)
    question = ReportKey(season=world.season, track=Track.BLIND, as_of=now, known_at=now)
    strict = reporting.make_report(records, question, draws=0, gates=Gates())

    assert [line["rank"] for line in board_of(records, world).body["standings"]] == [1, 2, None]
    assert [line["rank"] for line in strict.body["standings"]] == [None, None, None]
    assert strict.body["standings"][0]["missing"] == ("5 of 30 events", "0.0 of 10 days")


def test_an_amended_result_counts_from_when_it_was_recorded(records: ArenaRecords, fresh: World) -> None:
    before = board_of(records, fresh)
    known_at = datetime.now(UTC)
    ticker = fresh.tickers[0]
    records.record_result(ticker, status="finalized", result="yes", value=Decimal(1), decided_at=datetime.now(UTC))

    after = board_of(records, fresh)
    assert after.report.scores()["sharp"]["brier"] == pytest.approx(0.09**2)
    assert board_of(records, fresh, as_of=known_at, known_at=known_at).digest == before.digest


def test_a_void_market_counts_as_answered_and_is_not_graded(records: ArenaRecords, fresh: World) -> None:
    ticker = fresh.tickers[-1]
    records.record_result(
        ticker, status="finalized", result="void", value=Decimal("0.42"), decided_at=datetime.now(UTC)
    )
    sharp = board_of(records, fresh).report.scores()["sharp"]

    assert (sharp["offered"], sharp["answered"], sharp["graded"], sharp["coverage"]) == (6, 6, 5, 1.0)


def test_skipped_decisions_count_as_never_asked(
    records: ArenaRecords, fresh: World, postgres_server: PostgresServer
) -> None:
    skipped = decision_id(fresh.closed, "KXA1-26", "modest", Track.AWARE)
    postgres_server.execute(f"update arena_decisions set status = 'skipped' where decision_id = '{skipped}'")  # noqa: S608
    modest = board_of(records, fresh, Track.AWARE).report.scores()["modest"]

    assert (modest["offered"], modest["coverage"]) == (5, 1.0)
