"""`coliseum verify` on a served leaderboard and on saved files: it passes, and finds whatever is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract import verified_world
from tests.contract.rest_world import API
from tests.contract.verified_world import Rows, VerifiedWorld, change, run
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.streamed import StreamedAnswers
from tests.integration.arena_world import behind

from coliseum.arena.forecasts import Track, merkle_root, seal
from coliseum.arena.frozen_context import context_hash
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.scoring.report import canonical, digest_of
from coliseum_local.export import export
from coliseum_local.score import score_file
from coliseum_local.verification.board import board_rows, tables_of
from coliseum_local.verification.engines import made_again
from coliseum_local.verification.rows import CheckedReport, database_rows, row_from
from coliseum_local.verification.sources import FolderSource
from coliseum_local.verify import DIFFERENT, NOT_RECOMPUTED, UNREADABLE, VERIFIED


class Forger(httpx.BaseTransport):
    """Stands between the verification and the API, and changes one answer."""

    def __init__(self, path: str, edit: Callable[[Any], object]) -> None:
        self._path, self._edit, self._real = path, edit, httpx.HTTPTransport()
        self.forged = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)  # its answer is read in full, so the connection is free again
        content = response.read()
        if self._path in request.url.path:
            self.forged += 1
            if request.url.path.endswith(".jsonl"):
                rows = [json.loads(line) for line in content.splitlines()]
                self._edit(rows)
                content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
            else:
                body = json.loads(content)
                self._edit(body)
                content = json.dumps(body).encode()
        headers = {name: value for name, value in response.headers.items() if name == "link"}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(content))

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("track", [Track.BLIND, Track.AWARE])
def test_a_served_leaderboard_is_made_again_to_the_last_digit(
    board_server: str, verified: VerifiedWorld, track: Track, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{board_server}{API}/arena/leaderboard?track={track}", as_json=True) == VERIFIED
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["verified"], result["digest"], result["differences"]) == (True, verified.digests[track], [])
    assert (result["cells"], result["seals"]) == ({"blind": 36, "aware": 24}[track], 57)


def test_the_leaderboard_has_every_part_that_can_be_published(saved_exports: Path) -> None:
    """So that the verification of the other tests proves something."""
    report = json.loads((saved_exports / "reports.jsonl").read_text())["report"]
    assert report["leans"]["oracle"]["questions"] == 9
    operations = report["operations"]["oracle"]
    assert (operations["failure_rates"], operations["cost_usd"]) == ({"timeout": 0.25}, "0.01125")
    assert report["report"]["graded_cells"] > 0
    assert json.loads((saved_exports / "rounds.jsonl").read_text().splitlines()[0])["status"] == "open"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("track", [Track.BLIND, Track.AWARE])
def test_score_gives_the_boards_numbers_from_its_cells(
    board_server: str, tmp_path: Path, form: str, track: Track, capsys: pytest.CaptureFixture[str]
) -> None:
    cells, board = tmp_path / f"cells.{form}", tmp_path / "reports.jsonl"
    filters = {"track": track.value}
    assert export("cells", url=board_server, form=form, filters=filters, output=cells) == 0
    assert export("reports", url=board_server, form="jsonl", filters=filters, output=board) == 0
    capsys.readouterr()
    code = score_file(
        cells, outcomes=None, draws=7, own_questions=False, last_hours=False, form="json", output=None, board=board
    )
    printed = capsys.readouterr()
    scored = json.loads(printed.out.splitlines()[-1])
    published = json.loads(canonical(json.loads(board.read_text())["report"]))  # floats to twelve places, as printed
    assert (code, printed.err) == (0, "")
    assert scored["report"] == published["report"]
    assert (scored["standings"], scored["pairs"]) == (published["standings"], published["pairs"])


def test_saved_files_are_enough(saved_exports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(saved_exports / "reports.jsonl") == VERIFIED
    assert "VERIFIED: every number" in capsys.readouterr().out


def test_the_command_says_in_its_exit_code_what_it_found(board_server: str, exports_folder: Path) -> None:
    def command(*arguments: str) -> int:
        ended = subprocess.run(
            [sys.executable, "-m", "coliseum_local", "verify", *arguments], capture_output=True, text=True, check=False
        )
        return ended.returncode

    assert command(f"{board_server}{API}/arena/leaderboard?track=blind") == 0
    change(exports_folder, "cells", lambda rows: rows.pop())
    assert command(str(exports_folder / "reports.jsonl")) == 1
    assert command(f"{board_server}{API}/arena/nothing") == 2


def _of(rows: Rows, **wanted: Any) -> dict[str, Any]:
    """The first row with these values."""
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def _resealed(rows: Rows) -> None:
    """A forecast that is changed with everything that covers it, its seal included."""
    row = _aware(rows)
    row["payload"]["probability"], row["probability"] = "0.9900", 0.99
    row["seal"] = seal(row["payload"])


def _aware(rows: Rows) -> dict[str, Any]:
    """A forecast of the aware oracle."""
    return _of(rows, agent_id="oracle", track="aware")


def _other_rules(market: Any) -> None:
    """Somebody rewrites what was asked, and the hash to fit."""
    market["context"]["question"]["rules"] = "Yes if it does not rain."
    market["context_hash"] = context_hash(market["context"])


CHANGES: dict[str, tuple[str, Callable[[Rows], object], str]] = {
    "a probability of a cell": ("cells", lambda rows: rows[0].update(p=0.11), "cells/"),
    "a price of a cell": ("cells", lambda rows: rows[0].update(q=0.11), ".q: published 0.11"),
    "a result of a cell": (
        "cells",
        lambda rows: _of(rows, market="R0M0").update(y=0),
        ".y: published 0.0, recomputed 1",
    ),
    "a cluster of a cell": ("cells", lambda rows: rows[0].update(cluster="other"), ".cluster: published"),
    "a time of a cell": ("cells", lambda rows: rows[0].update(settled_at="2026-01-01T00:00:00Z"), ".settled_at:"),
    "a cell less": ("cells", lambda rows: rows.pop(3), 'published nothing, recomputed "a cell"'),
    "a cell more": ("cells", lambda rows: rows.append({**rows[0], "market": "R9M9"}), 'R9M9: published "a cell"'),
    "a cell twice": ("cells", lambda rows: rows.append(rows[0]), 'published "twice"'),
    "a probability": ("forecasts", lambda rows: _aware(rows).update(probability=0.99), ".probability: published"),
    "a sealed probability": (
        "forecasts",
        lambda rows: _aware(rows)["payload"].update(probability="0.99"),
        ".seal: published",
    ),
    "a sealed reason": (
        "forecasts",
        lambda rows: _of(rows, agent_id="oracle", track="blind")["payload"].update(rationale="x"),
        ".seal: published",
    ),
    "a forecast with its seal": ("forecasts", _resealed, "in the day's tree"),
    "a seal": ("forecasts", lambda rows: _aware(rows).update(seal="0" * 64), '.seal: published "0000'),
    "a forecast less": (
        "forecasts",
        lambda rows: rows.remove(_aware(rows)),
        'published nothing, recomputed "sealed as',
    ),
    "a late forecast": ("forecasts", lambda rows: _aware(rows).update(created_at="2026-11-30T23:59:59Z"), "seals/"),
    "a forecast of another agent": (
        "forecasts",
        lambda rows: _aware(rows).update(agent_id="market"),
        '.agent_id: published "market"',
    ),
    # of a closed round: leaves are in the order of random seals, and nobody knows those of the open one
    "a leaf less": (
        "seals",
        lambda rows: rows.remove(next(one for one in rows if "R0M0" in one["forecast_id"])),
        "seals/",
    ),
    "a result": (
        "results",
        lambda rows: _of(rows, ticker="R0M0").update(result="no"),
        ".y: published 1.0, recomputed 0",
    ),
    "a result less": (
        "results",
        lambda rows: rows.remove(_of(rows, ticker="R0M0")),
        ".y: published 1.0, recomputed null",
    ),
    "an older version of a result": (
        "results",
        lambda rows: rows.remove(_of(rows, ticker="R0M1", version=2)),
        "R0M1.y",
    ),
    "a price": (
        "markets",
        lambda rows: _of(rows, ticker="R1M1").update(probability=0.2),
        '/R1M1.probability: published "0.2"',
    ),
    "a shown price": (
        "markets",
        lambda rows: _of(rows, ticker="R1M1")["context"]["quote"].update(probability="0.2"),
        "/R1M1.context_hash",
    ),
    "a context with its hash": (
        "markets",
        lambda rows: _other_rules(_of(rows, ticker="R1M1")),
        "/R1M1/oracle/blind.payload.context_hash: published",
    ),
    "a scheduled close": (
        "markets",
        lambda rows: [row.update(close_time="2027-01-01T00:00:00Z") for row in rows],
        ".horizon:",
    ),
    "a market less": ("markets", lambda rows: rows.remove(_of(rows, ticker="R1M1")), "/R1M1"),
    "a round less": ("rounds", lambda rows: rows.pop(), "rounds/"),
    "the close of a round": (
        "rounds",
        lambda rows: rows[-1].update(closes_at=rows[-1]["opened_at"]),
        ".created_at: published",
    ),
    "a question less": (
        "decisions",
        lambda rows: rows.remove(_of(rows, agent_id="oracle", status="failed")),
        "cells/oracle/",
    ),
    "a failure's reason": (
        "decisions",
        lambda rows: _of(rows, status="failed").update(reason="filtered"),
        "board.operations.oracle.failure_rates",
    ),
    "a cost": (
        "attempts",
        lambda rows: _of(rows, cost_usd="0.00125").update(cost_usd="9.00"),
        "board.operations.oracle.cost_usd",
    ),
    "a time of an answer": ("attempts", lambda rows: [row.update(latency_ms=9) for row in rows], "latency_p50_ms"),
    "a kind of contestant": (
        "agents",
        lambda rows: _of(rows, agent_id="market").update(kind="consensus"),
        "board.report.rules.pools",
    ),
    "a rank": ("reports", lambda rows: rows[0]["report"]["standings"][0].update(rank=7), "report.digest: published"),
    "a number": (
        "reports",
        lambda rows: rows[0]["report"]["report"]["slices"]["all"]["oracle"].update(skill=0.5),
        "board.report.slices.all.oracle.skill: published 0.5",
    ),
    "a gate": (
        "reports",
        lambda rows: rows[0]["report"]["gates"].update(events=1),
        "board.gates.events: published 1, recomputed 5",
    ),
    "a lean": (
        "reports",
        lambda rows: rows[0]["report"]["leans"]["oracle"].update(alpha=0.0),
        "board.leans.oracle.alpha",
    ),
    "a hash": ("reports", lambda rows: rows[0].update(input_hash="0" * 64), 'report.input_hash: published "000'),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_every_change_of_a_file_is_found_and_named(
    exports_folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, edit, named = CHANGES[name]
    change(exports_folder, file, edit)
    assert run(exports_folder / "reports.jsonl", as_json=False) == DIFFERENT
    assert named in capsys.readouterr().out


@pytest.mark.parametrize(
    ("root", "leaves", "code"), [(None, 57, VERIFIED), ("0" * 64, 57, DIFFERENT), (None, 56, DIFFERENT)]
)
def test_the_published_root_of_a_day_must_follow_from_its_seals(
    exports_folder: Path, root: str | None, leaves: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seals = [json.loads(line) for line in (exports_folder / "seals.jsonl").read_text().splitlines()]
    day = seals[0]["created_at"][:10]
    own = [row["seal"] for row in seals if row["created_at"].startswith(day)]
    published = {"day": day, "root": root or merkle_root(own), "leaves": leaves - 57 + len(own)}
    (exports_folder / "seal-roots.jsonl").write_text(json.dumps(published) + "\n")
    assert run(exports_folder / "reports.jsonl") == code
    assert (f"seals/{day}." in capsys.readouterr().out) == (code == DIFFERENT)


def test_the_claims_about_a_leaderboard_are_decided_again(saved_exports: Path) -> None:
    """So that the verification of claims proves something: one claim is decided, and one is not."""
    rows = [json.loads(line) for line in (saved_exports / "claims.jsonl").read_text().splitlines()]
    assert [(row["verdict"], row["final"]) for row in rows if row["track"] == "aware"] == [
        ("unresolved", False),
        ("supported", True),
    ]


def test_an_event_that_an_earlier_season_asked_does_not_count_for_a_claim(
    exports_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = "r-20250101T000000Z"
    times = {"slot": "2025-01-01T00:00:00Z", "opened_at": "2025-01-01T00:00:00Z", "closes_at": "2025-01-01T01:00:00Z"}

    def asked(rows: Rows) -> None:
        rows += [{**row, "round_id": before, "season": "2025Q1"} for row in rows if row["ticker"].startswith("R0")]

    change(exports_folder, "markets", asked)
    change(exports_folder, "rounds", lambda rows: rows.append(
        {**rows[0], **times, "round_id": before, "season": "2025Q1"}))  # fmt: skip
    assert run(exports_folder / "reports.jsonl") == DIFFERENT
    out = capsys.readouterr().out
    assert '.verdict: published "supported", recomputed "unresolved"' in out
    assert "board." not in out


def test_a_folder_without_claims_is_verified_but_for_them(
    exports_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (exports_folder / "claims.jsonl").unlink()
    assert run(exports_folder / "reports.jsonl") == VERIFIED
    assert "claims.jsonl is missing, so no claim was checked" in capsys.readouterr().out


def test_a_leaderboard_that_was_invented_with_its_digest_is_found(
    exports_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def invent(rows: Rows) -> None:
        rows[0]["report"]["report"]["slices"]["all"]["oracle"]["brier"] = 0.0
        rows[0]["digest"] = digest_of(rows[0]["report"])

    change(exports_folder, "reports", invent)
    assert run(exports_folder / "reports.jsonl") == DIFFERENT
    out = capsys.readouterr().out
    assert "board.report.slices.all.oracle.brier: published 0.0, recomputed" in out
    assert "\ndigest: published" in out


def _claims(body: Any) -> Rows:
    """The claims about the oracle on a served leaderboard."""
    rows: Rows = _of(body["items"], agent_id="oracle")["claims"]
    return rows


SERVED: dict[str, tuple[str, Callable[[Any], object], str]] = {
    "a rank": ("/arena/leaderboard", lambda body: body["items"][0].update(rank=9), "leaderboard.items["),
    "a row less": ("/arena/leaderboard", lambda body: body["items"].pop(), "leaderboard.items["),
    "the order": ("/arena/leaderboard", lambda body: body["items"].reverse(), "leaderboard.items order"),
    "a score": ("/arena/leaderboard", lambda body: body["items"][0]["scores"].update(brier=0.0), ".scores.brier"),
    "a verdict of a claim": ("/arena/leaderboard", lambda body: _claims(body)[0].update(final=False), ".claims["),
    "a claim less": ("/arena/leaderboard", lambda body: _claims(body).pop(), ".claims["),
    "a claim of the export": (
        "/exports/claims",
        lambda rows: _of(rows, track="aware", final=True).update(verdict="refuted"),
        ".verdict: published",
    ),
    "a hash": (
        "/arena/leaderboard",
        lambda body: body["report"].update(input_hash="0" * 64),
        "leaderboard.report.input_hash",
    ),
    "a probability": ("/exports/cells", lambda rows: rows[0].update(p=0.2), ".p: published 0.2"),
    "a proof": ("/proof", lambda body: body["steps"][0].update(sibling="0" * 64), "/proof.steps"),
    "a root": ("/proof", lambda body: body["root"].update(root="0" * 64), "/proof.steps"),
}


@pytest.mark.parametrize("name", list(SERVED))
def test_every_change_of_an_answer_is_found_and_named(
    board_server: str, verified: VerifiedWorld, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, edit, named = SERVED[name]
    forger = Forger(path, edit)
    assert run(f"{board_server}{API}/arena/leaderboard?track=aware", transport=forger) == DIFFERENT
    assert forger.forged
    assert named in capsys.readouterr().out


@pytest.fixture
def former(
    saved_exports: Path, postgres_server: PostgresServer, verified_records: ArenaRecords
) -> Iterator[dict[str, Any]]:
    """A leaderboard that the kept engine made of the same rows, stored as the newest one."""
    report = row_from(CheckedReport, (saved_exports / "reports.jsonl").read_text(), "reports.jsonl")
    rows = board_rows(report, FolderSource(saved_exports))
    times = {"as_of": report.as_of.isoformat(), "known_at": report.known_at.isoformat()}
    key = {"season": report.season, "track": report.track, **times}
    made = made_again("1.3.0", database_rows(tables_of(rows)), {**key, "draws": 200})
    inside = made["body"]["report"]
    stored = {
        **key, "digest": made["digest"], "engine_version": "1.3.0", "rules_version": "coliseum-rules-2",
        "input_hash": inside["input_hash"], "report": made["body"],
    }  # fmt: skip
    assert verified_records.save_report(stored)
    yield stored
    remove = f"delete from arena_reports where digest = '{made['digest']}'"  # noqa: S608
    postgres_server.execute(f"set session_replication_role = replica; {remove}")


def test_a_leaderboard_of_the_former_engine_verifies_under_its_own_version(
    board_server: str, verified: VerifiedWorld, former: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (former["report"]["report"]["engine_version"], former["digest"]) != ("2.0.0", verified.digests[Track.AWARE])
    assert run(f"{board_server}{API}/arena/leaderboard?track=aware", as_json=True) == VERIFIED
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["engine_version"], result["digest"]) == ("1.3.0", former["digest"])


def test_a_changed_leaderboard_of_the_former_engine_is_found(
    board_server: str, former: dict[str, Any], exports_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def put_former(rows: Rows) -> None:
        rows[0].update(former)
        rows[0]["report"]["standings"][0]["tier"] = 5

    change(exports_folder, "reports", put_former)
    assert run(exports_folder / "reports.jsonl") == DIFFERENT
    assert ".tier: published 5, recomputed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path",
    ["leaderboard", "leaderboard?metric=brier", "calibration", "separability", "evidence", "agents/oracle",
     "exports/cells.jsonl", "exports/reports.jsonl"],
)  # fmt: skip
def test_every_route_serves_a_leaderboard_of_the_former_engine(
    board_server: str, former: dict[str, Any], path: str
) -> None:
    separator = "&" if "?" in path else "?"
    track = "" if path.startswith("agents") else f"{separator}track=aware"
    response = httpx.get(f"{board_server}{API}/arena/{path}{track}", timeout=60)
    assert response.status_code == 200
    assert former["digest"] in (response.headers.get("coliseum-report-digest"), *_texts(response))


def _texts(response: httpx.Response) -> list[str]:
    """The digest, if the text has it."""
    return [response.text[at : at + 64] for at in range(len(response.text) - 63) if response.text[at - 1 : at] == '"']


def test_an_unknown_engine_is_named_and_the_rest_is_checked(
    exports_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rename(rows: Rows) -> None:
        rows[0]["report"]["report"]["engine_version"] = rows[0]["engine_version"] = "77.0.0"
        rows[0]["digest"] = digest_of(rows[0]["report"])

    change(exports_folder, "reports", rename)
    assert run(exports_folder / "reports.jsonl") == NOT_RECOMPUTED
    assert "engine 77.0.0 is not known here" in capsys.readouterr().out
    change(exports_folder, "forecasts", lambda rows: _of(rows, agent_id="oracle")["payload"].update(rationale="x"))
    assert run(exports_folder / "reports.jsonl") == DIFFERENT


def test_late_attempts_do_not_change_what_was_known(
    board_server: str,
    verified: VerifiedWorld,
    verified_records: ArenaRecords,
    postgres_server: PostgresServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A worker that was given up reports its cost after the leaderboard was made."""
    decision = f"{verified.rounds[0]}/R0M0/oracle/aware"
    behind(
        postgres_server,
        "insert into public.arena_attempts (decision_id, attempt, started_at, latency_ms, cost_usd, cost_source,"  # noqa: S608
        f" input_tokens, output_tokens, recorded_at) values ('{decision}', 7, '2026-11-21T08:00:00Z', 99000, 5,"
        " 'billed', 1, 1, clock_timestamp())",
    )
    assert run(f"{board_server}{API}/arena/leaderboard?track=aware") == VERIFIED
    newer = verified_world.publish(verified_records, verified.season, Track.AWARE)
    assert newer != verified.digests[Track.AWARE]
    assert run(f"{board_server}{API}/arena/leaderboard?track=aware") == VERIFIED
    assert newer in capsys.readouterr().out


BAD: dict[str, tuple[Callable[[Any], httpx.Response], str]] = {
    "another host": (lambda _: httpx.Response(302, headers={"location": "http://198.51.100.1/"}), "another host"),
    "an endless redirect": (lambda request: httpx.Response(302, headers={"location": str(request.url)}), "redirects"),
    "html": (lambda _: httpx.Response(200, text="<html>"), "not JSON"),
    "a list": (lambda _: httpx.Response(200, text="[]"), "not a JSON object"),
    "nonsense": (lambda _: httpx.Response(200, text='{"items": 1, "report": {}}'), "not a leaderboard"),
    "a key twice": (lambda _: httpx.Response(200, text='{"items": [], "items": []}'), "same key twice"),
    "no number": (lambda _: httpx.Response(200, text='{"items": NaN}'), "NaN"),
    "deep nesting": (lambda _: httpx.Response(200, text="[" * 100_000), "not JSON"),
    "nothing yet": (
        lambda _: httpx.Response(200, text='{"items": [], "report": null, "reason": "none was published"}'),
        "none was published",
    ),
    "a problem": (lambda _: httpx.Response(404, json={"detail": "no such thing"}), "HTTP 404: no such thing"),
    "too much": (lambda _: httpx.Response(200, content=b" " * (40 * 1024 * 1024)), "larger than"),
    "no report": (
        lambda request: httpx.Response(
            200, text='{"items": [], "report": {"digest": "x"}}' if "leaderboard" in request.url.path else ""
        ),
        "no report with the digest",
    ),
    "pages that repeat": (
        lambda request: (
            httpx.Response(200, text='{"items": [], "report": {"digest": "x"}}')
            if "leaderboard" in request.url.path
            else httpx.Response(200, headers={"link": f'<{request.url.path}?{request.url.query.decode()}>; rel="next"'})
        ),
        "do not end",
    ),
    "pages elsewhere": (
        lambda request: (
            httpx.Response(200, text='{"items": [], "report": {"digest": "x"}}')
            if "leaderboard" in request.url.path
            else httpx.Response(200, headers={"link": '<http://198.51.100.1/x>; rel="next"'})
        ),
        "leads elsewhere",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_an_address_that_answers_nonsense_is_unreadable(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer, named = BAD[name]
    address = "http://127.0.0.1:1/api/python/arena/leaderboard"
    assert run(address, transport=StreamedAnswers(answer)) == UNREADABLE
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("http://127.0.0.1:1/api/python/arena/leaderboards", "not the address of a leaderboard"),
        ("http://user:pass@127.0.0.1/api/python/arena/leaderboard", "not an address"),
        ("https:///api/python/arena/leaderboard", "not an address"),
        ("ftp://host/arena/leaderboard", "no such file"),
        ("missing.jsonl", "no such file"),
    ],
)
def test_a_target_that_is_none_is_unreadable(target: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(target) == UNREADABLE
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "edit", "named"),
    [
        ("cells", lambda path: path.unlink(), "cells.jsonl is missing"),
        ("cells", lambda path: path.write_text("{"), "cells.jsonl:1: not JSON"),
        ("forecasts", lambda path: path.write_text('{"seal": 1}\n'), "forecasts.jsonl:1: forecast_id"),
        ("results", lambda path: path.write_bytes(b"\xff\xfe\n"), "results.jsonl:1"),
        ("reports", lambda path: path.write_text(path.read_text() * 2), "2 reports"),
        ("reports", lambda path: path.write_text(""), "0 reports"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    exports_folder: Path, file: str, edit: Callable[[Path], object], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(exports_folder / f"{file}.jsonl")
    assert run(exports_folder / "reports.jsonl") == UNREADABLE
    assert named in capsys.readouterr().err
