"""A season with everything that a leaderboard shows: both tracks, a consensus, failures, costs, a void market."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fixtures.postgres import _EMPTY, PostgresServer
from tests.integration.arena_world import answer, behind, end_round, enrolled, open_round

from coliseum.arena.claims import chain_after, claim_from
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import decision_id
from coliseum.arena.reporting.claims import look_at_claims
from coliseum.arena.reporting.reports import make_report, save_report
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.store.client import Store
from coliseum_local.verification.claims import FIRST_LINK
from coliseum_local.verify import verify

Rows = list[dict[str, Any]]
"""The rows of an export."""
ROUNDS = 3
MARKETS = 4
ORACLE = ("0.8200", "0.3100", "0.6400", "0.1200")


@dataclass(frozen=True)
class VerifiedWorld:
    """Ids of what the season contains."""

    season: str
    rounds: tuple[str, ...]
    open_round: str
    digests: dict[Track, str]


def build(server: PostgresServer) -> VerifiedWorld:
    """Play the season in an emptied database."""
    server.execute(_EMPTY)
    store = Store(server.url, server.secret_key)
    try:
        return _played(ArenaRecords(store), server)
    finally:
        store.close()


def publish(records: ArenaRecords, season: str, track: Track) -> str:
    """Make and store the newest leaderboard. Returns its digest."""
    now = datetime.now(UTC)
    report = make_report(records, ReportKey(season=season, track=track, as_of=now, known_at=now), draws=200)
    save_report(records, report)
    records.save_claim_looks(look_at_claims(records, report))
    return report.digest


def _register(records: ArenaRecords, server: PostgresServer, season: str) -> None:
    """Two claims for each track. The first was registered before the first round, and is true of every agent."""
    for track in (Track.BLIND, Track.AWARE):
        for threshold, text in ((-0.9, "nobody is so bad"), (0.0, "it is better")):
            claim = claim_from({
                "agent": "oracle", "direction": "above", "threshold": threshold, "text": text,
                "population": {"season": season, "track": track.value}, "stopping": {"rule": "every_look"},
            })  # fmt: skip
            records.register_claim(claim)
    chain = FIRST_LINK
    for row in records.store.select("public_arena_claims", "number,seal,registered_at", order=("number",)):
        registered_at = datetime.fromisoformat(row["registered_at"])
        if row["number"] % 2:
            registered_at -= timedelta(days=1)
        previous, chain = chain, chain_after(chain, row["seal"], registered_at)
        behind(
            server,
            f"update arena_claims set registered_at = '{registered_at.isoformat()}', previous = '{previous}', "  # noqa: S608
            f"chain = '{chain}' where number = {row['number']}",
        )


def _played(records: ArenaRecords, server: PostgresServer) -> VerifiedWorld:
    season = enrolled(records, model=True)
    behind(server, """update arena_agents set params = '{"rule": "market"}' where agent_id = 'market'""")
    _register(records, server, season)
    rounds = []
    for number in range(ROUNDS):
        tickers = [f"R{number}M{market}" for market in range(MARKETS)]
        ago = timedelta(minutes=30 * (ROUNDS - number))
        rounds.append(open_round(records, tickers, ago=ago, minutes=60 * ROUNDS))
        for ticker, p in zip(tickers, ORACLE, strict=True):
            _answer_all(records, rounds[-1], ticker, p)
    for round_id in rounds:
        end_round(server, round_id)
        records.close_round(round_id)
    now = datetime.now(UTC)
    results = (("yes", 1), ("no", 0), ("yes", 1), ("void", 0))
    for number in range(ROUNDS):
        for market, (result, value) in enumerate(results[number % 2 :]):
            name = f"R{number}M{market}"
            records.record_result(name, status="finalized", result=result, value=Decimal(value), decided_at=now)
    due = "close_time = snapshot_at + interval '1 millisecond'"
    behind(server, f"update arena_round_markets set {due} where round_id = '{rounds[0]}'")  # noqa: S608
    records.record_result("R0M1", status="finalized", result="yes", value=Decimal(1), decided_at=now)
    digests = {track: publish(records, season, track) for track in (Track.BLIND, Track.AWARE)}
    still_open = open_round(records, ["SECRET"], minutes=60)
    answer(records, still_open, ticker="SECRET", p="0.7700", traded=False)
    return VerifiedWorld(season, tuple(rounds), still_open, digests)


def _answer_all(records: ArenaRecords, round_id: str, ticker: str, p: str) -> None:
    """The market's copy, the consensus, and the model on both tracks; it times out on the last market's price."""
    answer(records, round_id, agent="market", ticker=ticker, track=Track.AWARE, p="0.5100", traded=False)
    answer(records, round_id, agent="uniform", ticker=ticker, p="0.5000", traded=False)
    answer(records, round_id, agent="panel", ticker=ticker, p="0.6100", traded=False)
    for track in (Track.BLIND, Track.AWARE):
        decision = decision_id(round_id, ticker, "oracle", track)
        leased = records.lease_decision(decision, seconds=60)
        assert leased is not None
        attempt = {
            "decision_id": decision, "attempt": leased.attempt, "started_at": datetime.now(UTC).isoformat(),
            "latency_ms": 1200, "model_requested": "delphi/oracle-1",
        }  # fmt: skip
        if track is Track.AWARE and ticker.endswith("M3"):
            failed = {**attempt, "error_class": "timeout"}
            assert records.finish_decision(decision, status="failed", reason="timeout", attempt=failed)
            continue
        billed = {"cost_usd": "0.001250", "cost_source": "billed", "input_tokens": 900, "output_tokens": 120}
        said = p if track is Track.BLIND else str((Decimal(p) + Decimal("0.5000")) / 2)
        records.finish_decision(decision, status="pending", attempt={**attempt, **billed}, lease=0)
        twice = (Decimal(said) - Decimal("0.01"), Decimal(said) + Decimal("0.01"))
        answer(
            records,
            round_id,
            agent="oracle",
            ticker=ticker,
            track=track,
            p=said,
            traded=False,
            replicates=twice if track is Track.BLIND else None,
        )


def run(target: str | Path, **more: Any) -> int:
    """The exit code of `coliseum verify`."""
    options: dict[str, Any] = {"exports": None, "save": None, "digest": None, "proofs": 5, "as_json": False}
    return verify(str(target), **{**options, **more})


def change(folder: Path, name: str, edit: Callable[[Rows], object]) -> None:
    """Let `edit` change the rows of a file."""
    path = folder / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    edit(rows)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
