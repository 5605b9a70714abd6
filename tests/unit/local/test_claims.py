from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coliseum_local.cli import app

START = datetime(2026, 1, 1, tzinfo=UTC)
CLAIM: dict[str, Any] = {
    "agent": "good",
    "direction": "above",
    "population": {},
    "stopping": {"rule": "every_look"},
    "text": "it reads the weather",
    "registered_at": "2026-02-01T00:00:00Z",
}


def rows(*, windows: str = "none", days: int = 500) -> str:
    """A CSV file: an agent that knows more than the price, one event a day, asked two days before it is due."""
    rng, lines = random.Random(1), ["agent,market,window,p,q,y,due_at,settled_at,track,category"]
    for day in range(days):
        q = round(rng.uniform(0.3, 0.7), 2)
        p = round(q + rng.choice([-0.2, 0.2]), 2)
        due_at, asked = START + timedelta(days=day), START + timedelta(days=day - 2)
        window = {
            "none": "w",
            "iso": asked.isoformat(),
            "plain": f"{asked:%Y-%m-%d %H:%M}",
            "round": asked.strftime("r-%Y%m%dT%H%M%SZ"),
        }[windows]
        y, when = int(rng.random() < p), due_at.isoformat()
        lines.append(f"good,m{day:03},{window},{p},{q},{y},{when},{when},blind,Weather")
    return "\n".join(lines) + "\n"


def scored(folder: Path, claim: dict[str, Any] | str, content: str | None = None, *, suffix: str = ".json") -> Any:
    forecasts, file = folder / "forecasts.csv", folder / f"claim{suffix}"
    forecasts.write_text(content or rows())
    file.write_text(claim if isinstance(claim, str) else json.dumps(claim))
    return CliRunner().invoke(app, ["score", str(forecasts), "--claim", str(file), "--draws", "0", "--json"])


def decided(folder: Path, claim: dict[str, Any] | str, content: str | None = None, *, suffix: str = ".json") -> Any:
    done = scored(folder, claim, content, suffix=suffix)
    assert done.exit_code == 0, done.output
    (answer,) = json.loads(done.stdout)["claims"]
    return answer


def test_a_file_decides_a_claim(tmp_path: Path) -> None:
    answer = decided(tmp_path, CLAIM)
    assert (answer["verdict"], answer["final"]) == ("supported", True)
    assert answer["registered_at"] == "2026-02-01T00:00:00Z"
    assert answer["numbers"]["questions"] == 500 - 32  # the events due by 1 February, and those due later


def test_the_verdict_is_printed(tmp_path: Path) -> None:
    (tmp_path / "forecasts.csv").write_text(rows())
    files = []
    for name, change in (("one", {}), ("two", {"direction": "below"})):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({**CLAIM, **change}))
    options = [part for file in files for part in ("--claim", str(file))]
    done = CliRunner().invoke(app, ["score", str(tmp_path / "forecasts.csv"), "--draws", "0", *options])
    assert "(good is better than the market): supported: after" in done.stdout
    assert "(good is worse than the market): refuted: after" in done.stdout
    assert "Each claim has its own 5 %" in done.stdout


def test_toml_is_the_same_claim(tmp_path: Path) -> None:
    text = """
        agent = "good"
        direction = "above"
        text = "it reads the weather"
        registered_at = 2026-02-01T00:00:00Z
        population = {}
        stopping = {rule = "every_look"}
    """
    assert decided(tmp_path, text, suffix=".toml") == decided(tmp_path, CLAIM)


@pytest.mark.parametrize("windows", ["iso", "round", "plain"])
def test_windows_that_are_times_must_come_after_the_registration_too(tmp_path: Path, windows: str) -> None:
    answer = decided(tmp_path, CLAIM, rows(windows=windows))
    assert answer["numbers"]["questions"] == 500 - 34  # asked two days before they are due


def test_season_and_since_choose_windows(tmp_path: Path) -> None:
    content = rows(windows="round")
    second = decided(tmp_path, {**CLAIM, "population": {"season": "2026Q2", "track": "blind"}}, content)
    since = decided(tmp_path, {**CLAIM, "population": {"since": "2026-04-01T00:00:00Z"}}, content)
    assert second["numbers"]["questions"] == 91
    assert since["numbers"]["questions"] == 500 - 92


def test_the_order_of_the_lines_changes_nothing(tmp_path: Path) -> None:
    head, *lines = rows().splitlines()
    random.Random(2).shuffle(lines)
    assert decided(tmp_path, CLAIM, "\n".join([head, *lines])) == decided(tmp_path, CLAIM)


def test_a_look_at_a_date_in_the_future_is_not_made(tmp_path: Path) -> None:
    answer = decided(tmp_path, {**CLAIM, "stopping": {"rule": "date", "at": "2999-01-01T00:00:00Z"}})
    assert (answer["verdict"], answer["final"]) == ("unresolved", False)
    assert answer["reason"] == "the only look is at 2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"registered_at": None}, "registered_at, the time at which the claim was made"),
        ({"registered_at": "2026-02-01"}, "registered_at: got '2026-02-01', expected an RFC 3339 time with its zone"),
        ({"colour": "red"}, "claim: got 'colour', expected only the fields agent"),
        ({"agent": "nobody"}, "agent: got 'nobody', expected an agent of the file: good"),
        ({"against": "nobody"}, "against: got 'nobody', expected an agent of the file: good"),
        ({"population": {"track": "aware"}}, "track: got 'aware', expected no track"),
        ({"population": {"season": "2026Q1"}}, "season: got '2026Q1', expected no season"),
        ({"population": {"since": "2026-03-01T00:00:00Z"}}, "expected no since"),
        ({"population": {"slice": "outcomes:2"}}, "slice: got 'outcomes:2', expected no slice"),
        ({"population": {"slice": "liquidity:low"}}, "slice: got 'liquidity:low'"),
    ],
)
def test_a_claim_that_the_file_cannot_decide_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    done = scored(tmp_path, {**CLAIM, **change})
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("claim.json: ")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        ("{", ".json", "claim.json: this is not JSON"),
        ("agent =", ".toml", "claim.toml: this is not TOML"),
        ("[]", ".json", "claim.json: claim: got []"),
        ('{"agent": "a", "agent": "b"}', ".json", 'claim.json: the key "agent" occurs twice, with "a" and "b"'),
    ],
)
def test_a_file_without_a_claim_is_refused(tmp_path: Path, text: str, suffix: str, message: str) -> None:
    done = scored(tmp_path, text, suffix=suffix)
    assert (done.exit_code, message in done.stderr) == (1, True)


def test_without_due_times_nothing_shows_what_was_known(tmp_path: Path) -> None:
    done = scored(tmp_path, CLAIM, "agent,market,p,q,y\ngood,m,0.6,0.5,1\n")
    assert (done.exit_code, "due_at: got None, expected a column due_at" in done.stderr) == (1, True)
