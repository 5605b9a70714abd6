from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.arena.replay import recorded
from typer.testing import CliRunner, Result

from coliseum.arena.replay.recording import about_text
from coliseum.arena.scoring.report import digest_of
from coliseum_local.cli import app

FORECASTS = """agent,event,market,p,q,y,category
alice,e1,m1,0.7,0.6,1,Politics
bob,e1,m1,0.5,0.6,1,Politics
alice,e2,m2,0.2,0.3,0,Sports
bob,e2,m2,0.9,0.3,0,Sports
alice,e3,m3,0.2,,void,Sports
"""


def coliseum(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def forecasts(tmp_path: Path) -> Path:
    path = tmp_path / "forecasts.csv"
    path.write_text(FORECASTS)
    return path


def test_a_file_becomes_a_board(forecasts: Path) -> None:
    done = coliseum("score", str(forecasts))

    assert done.exit_code == 0
    assert "4 graded forecasts of 3 questions in 3 events" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "alice" in line or "bob" in line]
    assert [line.split("│")[3].strip() for line in lines] == ["alice", "bob"]
    assert "+0.0600" in lines[0]
    assert "66.7%" in lines[1]


def test_the_canonical_report_carries_its_digest(forecasts: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    done = coliseum("score", str(forecasts), "--json", "--output", str(output))
    body = json.loads(done.stdout)
    digest = body.pop("digest")

    assert digest_of(body) == digest
    assert output.read_text() == done.stdout
    assert body["report"]["slices"]["category:Politics"]["alice"]["graded"] == 1


def test_agents_are_asked_for_what_others_answered_unless_told_otherwise(forecasts: Path) -> None:
    def coverage(*options: str) -> float:
        body = json.loads(coliseum("score", str(forecasts), "--json", *options).stdout)
        return float(body["report"]["slices"]["all"]["bob"]["coverage"])

    assert coverage() == pytest.approx(2 / 3)
    assert coverage("--own-questions") == 1


def test_outcomes_come_from_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"agent":"a","market":"m","p":0.5}\n')
    (tmp_path / "o.csv").write_text("market,y\nm,yes\n")
    plain = coliseum("score", str(tmp_path / "f.jsonl"))
    joined = coliseum("score", str(tmp_path / "f.jsonl"), "--outcomes", str(tmp_path / "o.csv"))

    assert "Nothing is graded" in plain.stdout
    assert "0.2500" in joined.stdout
    assert "Nobody is ranked" in joined.stdout


def test_everything_wrong_with_a_file_goes_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("agent,market,p\na,m,2\n,m,0.5\n")
    done = coliseum("score", str(path))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        'bad.csv:2: p: got "2", expected a probability between 0 and 1',
        'bad.csv:3: agent: got "", expected a name',
    ]


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"agent,market,p\n\xff,m,0.5\n")

    assert coliseum("score", str(path)).stderr == "bad.csv:2: not UTF-8 text\n"


def test_what_only_the_engine_sees_is_told_as_well(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("agent,market,p,category\n" + "".join(f"a,m{i},0.5,c{i}\n" for i in range(300)))
    done = coliseum("score", str(path))

    assert done.exit_code == 1
    assert "at most 200 different ones" in done.stderr


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("agent,market,p\n[red]x[/red],m,0.5\n")

    assert "[red]x[/red]" in coliseum("score", str(path)).stdout


def test_a_recording_is_replayed_to_a_board_and_a_digest(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    (folder / "about.json").write_text(about_text("sandbox"))
    for kind, text in recorded.files(recorded.rows(8)).items():
        (folder / f"{kind}.jsonl").write_text(text + '{"at": "2026-')  # cut off while it was written
    arguments = ("replay", str(folder), "--every", "10800", "--open-for", "600", "--draws", "50")
    told, body = coliseum(*arguments), json.loads(coliseum(*arguments, "--json").stdout)

    assert told.exit_code == 0
    assert "blind track" in told.stdout
    assert "/noise/flat" in told.stdout
    assert f"digest {body['digest']}" in told.stdout
    assert body["markets"] == 8


def test_a_folder_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    done = coliseum("replay", str(tmp_path))

    assert done.exit_code == 1
    assert "about.json" in done.stderr


def test_the_command_line_imports_no_numpy_before_it_scores() -> None:
    code = "import sys, coliseum_local.cli; print('numpy' in sys.modules, 'rich.table' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("False")
