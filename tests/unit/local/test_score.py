from __future__ import annotations

import csv
import gzip
import json
import random
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


def test_a_file_is_shown_as_a_leaderboard(forecasts: Path) -> None:
    done = coliseum("score", str(forecasts))

    assert done.exit_code == 0
    assert "4 graded forecasts of 3 questions in 3 events" in done.stdout
    above = done.stdout.partition("What the verdicts rest on")[0]
    lines = [line for line in above.splitlines() if "│" in line and ("alice" in line or "bob" in line)]
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


def test_agents_count_as_asked_what_others_answered_unless_own_questions_is_given(forecasts: Path) -> None:
    def coverage(*options: str) -> float:
        body = json.loads(coliseum("score", str(forecasts), "--json", *options).stdout)
        return float(body["report"]["slices"]["all"]["bob"]["coverage"])

    assert coverage() == pytest.approx(2 / 3)
    assert coverage("--own-questions") == 1


def test_a_file_of_outcomes_is_joined(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"agent":"a","market":"m","p":0.5}\n')
    (tmp_path / "o.csv").write_text("market,y\nm,yes\n")
    plain = coliseum("score", str(tmp_path / "f.jsonl"))
    joined = coliseum("score", str(tmp_path / "f.jsonl"), "--outcomes", str(tmp_path / "o.csv"))

    assert "Nothing is graded" in plain.stdout
    assert "0.2500" in joined.stdout
    assert "No agent is ranked" in joined.stdout


def test_the_problems_of_a_file_go_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("agent,market,p\na,m,2\n,m,0.5\n")
    done = coliseum("score", str(path))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        'bad.csv:2: p: got "2", expected a probability between 0 and 1, or nothing',
        'bad.csv:3: agent: got "", expected a name',
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"agent,market,p\n\xff,m,0.5\n", "bad.csv:2: byte 0xff is not UTF-8: save the file as UTF-8"),
        (gzip.compress(b"agent,market,p\nx,m,\xe4\n"), "bad.csv:2: byte 0xe4 is not UTF-8: save the file as UTF-8"),
        (gzip.compress(b"agent,market,p\n" * 99)[:-20], "bad.csv: the packed file is damaged: "),
        ("agent,market,p\n".encode("utf-16")[:-1], "bad.csv: damaged UTF-16 text"),
        (
            "agent,market,p\n".encode("utf-16-le"),
            "bad.csv: this looks like UTF-16 text without a mark: save it as UTF-8",
        ),
        (b"PK\x03\x04rest", "bad.csv: the zip archive cannot be read: File is not a zip file"),
    ],
    ids=["a byte", "a packed byte", "cut off", "UTF-16", "UTF-16 without a mark", "a broken archive"],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    done = coliseum("score", str(path))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(message)


def test_a_gzip_file_scores_like_its_content(forecasts: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(FORECASTS.encode()))

    assert coliseum("score", str(packed)).stdout == coliseum("score", str(forecasts)).stdout


def test_standard_input_is_scored_like_a_file(forecasts: Path) -> None:
    done = CliRunner().invoke(app, ["score", "-", "--json"], input=FORECASTS)

    assert done.stdout == coliseum("score", str(forecasts), "--json").stdout
    assert "only one of the two files" in coliseum("score", "-", "--outcomes", "-").stderr


def test_warnings_go_to_stderr_and_change_nothing(forecasts: Path) -> None:
    wanted = coliseum("score", str(forecasts), "--json")
    forecasts.write_text(FORECASTS.replace("bob,e2,m2,0.9,0.3,0,Sports", "bob,e2,m2,0.9,0.3,0,Sports "))
    done = coliseum("score", str(forecasts), "--json")

    assert (done.exit_code, done.stdout) == (0, wanted.stdout)
    assert done.stderr == (
        'warning: forecasts.csv:5: category: "Sports " here and "Sports" in line 4 differ only in white space '
        "around them and count as the same name\n"
    )


def test_two_prices_of_one_question_are_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "two-prices.csv"
    path.write_text("agent,event,market,p,q,y\nhonest,e,m,0.5,0.5,0\nstale,e,m,0.5,0.7,0\n")
    done = coliseum("score", str(path))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "two-prices.csv:3: q: m in window '1' has 0.7 here and 0.5 in line 2\n"


def test_the_order_of_the_lines_changes_no_score(forecasts: Path) -> None:
    wanted = coliseum("score", str(forecasts), "--json").stdout
    header, *lines = FORECASTS.splitlines()
    forecasts.write_text("\r\n".join([header, *sorted(lines, reverse=True)]))

    assert coliseum("score", str(forecasts), "--json").stdout == wanted


def test_every_number_comes_as_csv(forecasts: Path) -> None:
    done = coliseum("score", str(forecasts), "--csv")
    report = json.loads(coliseum("score", str(forecasts), "--json").stdout)["report"]
    rows = list(csv.DictReader(done.stdout.splitlines()))

    assert done.stderr.startswith("digest ")
    assert {(row["slice"], row["agent"]) for row in rows} == {
        (name, agent) for name, agents in report["slices"].items() for agent in agents
    }
    assert (rows[0]["slice"], rows[0]["agent"], rows[0]["rank"]) == ("all", "alice", "1")
    assert float(rows[0]["skill"]) == pytest.approx(report["slices"]["all"]["alice"]["skill"])
    assert {"direction_interval_low", "rank_interval_high", "ece"} <= rows[0].keys()


def test_only_one_form_is_printed(forecasts: Path) -> None:
    done = coliseum("score", str(forecasts), "--json", "--csv")

    assert done.exit_code == 2
    assert "exclude each other" in done.stderr


@pytest.mark.parametrize("command", ["score", "replay"])
def test_a_report_that_cannot_be_written_is_reported(command: str, forecasts: Path, tmp_path: Path) -> None:
    done = coliseum(command, str(forecasts if command == "score" else recording(tmp_path)), "--draws", "0",
                    "--output", str(tmp_path / "nowhere" / "report.json"))  # fmt: skip

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("report.json: No such file or directory\n")


def test_a_problem_found_by_the_engine_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("agent,market,p,category\n" + "".join(f"a,m{i},0.5,c{i}\n" for i in range(300)))
    done = coliseum("score", str(path))

    assert done.exit_code == 1
    assert "at most 200 different ones" in done.stderr


def test_names_that_look_like_markup_are_printed_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("agent,market,p\n[red]x[/red],m,0.5\n")

    assert "[red]x[/red]" in coliseum("score", str(path)).stdout


def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "recording"
    folder.mkdir()
    (folder / "about.json").write_text(about_text("sandbox"))
    for kind, text in recorded.files(recorded.rows(8)).items():
        (folder / f"{kind}.jsonl").write_text(text + '{"at": "2026-')  # cut off while it was written
    return folder


def test_a_replay_shows_leaderboards_and_a_digest(tmp_path: Path) -> None:
    folder = recording(tmp_path)
    arguments = ("replay", str(folder), "--every", "10800", "--open-for", "600", "--draws", "50")
    result, body = coliseum(*arguments), json.loads(coliseum(*arguments, "--json").stdout)

    assert result.exit_code == 0
    assert "blind track" in result.stdout
    assert "/noise/flat" in result.stdout
    assert f"digest {body['digest']}" in result.stdout
    assert body["markets"] == 8


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    done = coliseum("replay", str(tmp_path))

    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path}: about.json is missing: this is not a folder that `coliseum record` wrote\n"


def test_a_recording_that_cannot_be_read_is_reported_with_its_file(tmp_path: Path) -> None:
    folder = recording(tmp_path)
    (folder / "books.jsonl").write_bytes(b"{}\n\xff\n")
    wrong = coliseum("replay", str(folder))
    (folder / "books.jsonl").unlink()
    (folder / "books.jsonl").mkdir()

    assert wrong.stderr == f"{folder}/books.jsonl:2: byte 0xff is not UTF-8\n"
    assert coliseum("replay", str(folder)).stderr == f"{folder}/books.jsonl: Is a directory\n"


def test_a_recording_that_cannot_be_written_is_reported(forecasts: Path) -> None:
    done = coliseum("record", str(forecasts / "folder"), "--for", "0")

    assert (done.exit_code, done.stderr) == (1, f"{forecasts / 'folder'}: Not a directory\n")


def test_the_command_line_imports_numpy_only_to_score() -> None:
    code = "import sys, coliseum_local.cli; print('numpy' in sys.modules, 'rich.table' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("False")


GROUPED = """agent,market,p,y,group,role
ann,m1,0.9,1,market,human
ann,m2,0.4,0.35,market,human
ann,d1,0.2,0,dataset,human
gpt,m1,0.8,1,market,
gpt,m2,0.5,0.35,market,
gpt,d1,0.1,0,dataset,
"""


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    path = tmp_path / "grouped.csv"
    path.write_text(GROUPED)
    return path


def test_groups_fractions_and_people_are_shown(grouped: Path) -> None:
    """Macro of ann: ((0.01 + 0.0025) / 2 + 0.04) / 2."""
    done = coliseum("score", str(grouped))

    assert done.exit_code == 0, done.output
    assert "Brier score by group, and the mean of the groups" in done.stdout
    assert "0.0231" in done.stdout
    assert "Graded forecasts whose outcome is between 0 and 1: 2." in done.stdout


def test_people_and_pools_are_not_ranked(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    lines = [f"{agent},e{i},0.{p},0.5,{i % 2},{role}" for i in range(12)
             for agent, p, role in (("ann", 60 + i, "human"), ("gpt", 55 + i, ""), ("bo", 40 + i, ""))]  # fmt: skip
    path.write_text("\n".join(["agent,market,p,q,y,role", *lines]))
    done = coliseum("score", str(path), "--json", "--pools", "median, mean")
    standings = {row["agent"]: row for row in json.loads(done.stdout)["standings"]}

    assert {agent: row["role"] for agent, row in standings.items()} == {
        "ann": "reference", "bo": "competitor", "gpt": "competitor",
        "pool:mean": "reference", "pool:median": "reference",
    }  # fmt: skip
    assert standings["ann"]["rank"] is None
    assert standings["ann"]["role_reason"] == "a person or a group of people, shown for comparison"
    assert standings["pool:mean"]["role_reason"] == "the mean of the agents' forecasts"
    assert sorted([standings["gpt"]["rank"], standings["bo"]["rank"]]) == [1, 2]


def test_pools_change_no_rank_tier_or_interval_of_the_agents(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rng = random.Random(1)
    lines = []
    for event in range(40):
        q = round(rng.uniform(0.2, 0.8), 2)
        y = int(rng.random() < q)
        lines += [f"{agent},e{event},{min(0.99, max(0.01, rng.gauss(q, width))):.3f},{q},{y}"
                  for agent, width in (("ann", 0.02), ("bo", 0.3), ("cy", 0.1))]  # fmt: skip
    path.write_text("\n".join(["agent,market,p,q,y", *lines]))
    alone = json.loads(coliseum("score", str(path), "--json").stdout)
    beside = json.loads(coliseum("score", str(path), "--json", "--pools", "median,log-odds").stdout)

    assert [row for row in beside["standings"] if not row["agent"].startswith("pool:")] == alone["standings"]
    assert [row for row in beside["pairs"] if "pool:" not in row["first"] + row["second"]] == alone["pairs"]


def test_a_pool_of_chosen_agents_repeats_them(forecasts: Path) -> None:
    done = coliseum("score", str(forecasts), "--json", "--pools", "mean", "--pool-of", "alice")
    numbers = json.loads(done.stdout)["report"]["slices"]["all"]

    assert numbers["pool:mean"]["brier"] == numbers["alice"]["brier"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pools", "mode"], "pools: got 'mode', expected some of median, mean, trimmed, log-odds"),
        (["--pools", "mean", "--pool-of", "nobody"], "pool-of: got 'nobody'"),
        (["--pool-of", "alice"], "--pool-of needs --pools"),
        (["--events"], "--events needs --json, --csv or --output"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(arguments: list[str], message: str, forecasts: Path) -> None:
    done = coliseum("score", str(forecasts), *arguments)

    assert done.exit_code != 0
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_the_scores_of_events_stand_beside_the_report_and_change_no_digest(forecasts: Path) -> None:
    alone = json.loads(coliseum("score", str(forecasts), "--json").stdout)
    beside = json.loads(coliseum("score", str(forecasts), "--json", "--events").stdout)
    rows = beside.pop("event_scores")

    assert beside == alone
    assert [(row["event"], row["agent"]) for row in rows] == [
        ("e1", "alice"), ("e1", "bob"), ("e2", "alice"), ("e2", "bob"),
    ]  # fmt: skip
    assert rows[0]["skill"] == pytest.approx(0.4**2 - 0.3**2)


def test_events_and_groups_are_rows_of_the_csv(forecasts: Path, grouped: Path) -> None:
    events = list(csv.DictReader(coliseum("score", str(forecasts), "--csv", "--events").stdout.splitlines()))
    groups = list(csv.DictReader(coliseum("score", str(grouped), "--csv").stdout.splitlines()))

    assert [row["agent"] for row in events if row["slice"] == "event:e2"] == ["alice", "bob"]
    (market,) = [row for row in groups if (row["slice"], row["agent"], row["group"]) == ("all", "ann", "market")]
    assert float(market["brier"]) == pytest.approx((0.01 + 0.0025) / 2)


def test_an_agent_with_two_roles_is_reported_with_both_lines(grouped: Path) -> None:
    grouped.write_text(GROUPED.replace("ann,d1,0.2,0,dataset,human", "ann,d1,0.2,0,dataset,"))
    done = coliseum("score", str(grouped))

    assert done.exit_code == 1
    assert "grouped.csv:4: role: ann has nothing here and human in line 2" in done.stderr
