from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from coliseum_local.cli import app
from coliseum_local.forecastbench import converted
from coliseum_local.text_files import UnreadableFile

FORECASTS: list[dict[str, Any]] = [
    {"id": "m1", "source": "manifold", "forecast": 0.9, "resolution_date": None, "direction": None, "user_id": "ann"},
    {"id": "m2", "source": "metaculus", "forecast": 0.4, "resolution_date": None, "direction": None, "user_id": "ann"},
    {"id": "d1", "source": "fred", "forecast": 0.2, "resolution_date": "2024-07-28", "direction": None,
     "user_id": "ann"},
    {"id": "d1", "source": "fred", "forecast": 0.3, "resolution_date": "2030-01-01", "direction": None,
     "user_id": "ann"},
    {"id": "d9", "source": "fred", "forecast": 0.3, "resolution_date": "2024-07-28", "direction": None,
     "user_id": "ann"},
]  # fmt: skip
RESOLUTIONS: list[dict[str, Any]] = [
    {"id": "m1", "source": "manifold", "direction": None, "resolution_date": "2024-09-01", "resolved_to": 1.0,
     "resolved": True},
    {"id": "m2", "source": "metaculus", "direction": None, "resolution_date": "2024-09-01", "resolved_to": 0.35,
     "resolved": False},
    {"id": "d1", "source": "fred", "direction": None, "resolution_date": "2024-07-28", "resolved_to": 0.0,
     "resolved": True},
    {"id": "d1", "source": "fred", "direction": None, "resolution_date": "2030-01-01", "resolved_to": 0.5,
     "resolved": False},
]  # fmt: skip


def coliseum(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def rows(
    folder: Path, forecasts: list[dict[str, Any]], resolutions: list[dict[str, Any]], **about: str
) -> list[dict[str, str]]:
    given = written(folder, "f.json", {"model": "gpt", "forecasts": forecasts, **about})
    known = written(folder, "r.json", {"resolutions": resolutions})
    return list(csv.DictReader(converted([given], known).splitlines()))


def test_every_forecast_is_one_row_with_its_group_and_its_outcome(tmp_path: Path) -> None:
    found = rows(tmp_path, FORECASTS, RESOLUTIONS)

    assert [(row["market"], row["y"], row["group"], row["category"]) for row in found] == [
        ("manifold/m1", "1.0", "market", "resolved"),
        ("metaculus/m2", "0.35", "market", "unresolved"),
        ("fred/d1@2024-07-28", "0.0", "dataset", "resolved"),
        ("fred/d1@2030-01-01", "", "dataset", "unresolved"),
        ("fred/d9@2024-07-28", "", "dataset", "unresolved"),
    ]
    assert {(row["agent"], row["role"]) for row in found} == {("ann", "human")}
    assert [row["cluster"] for row in found[2:4]] == ["fred/d1", "fred/d1"]


def test_a_set_without_users_is_that_of_a_model(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, [{"id": "m1", "source": "manifold", "forecast": 0.9}], RESOLUTIONS)

    assert (row["agent"], row["role"], row["p"]) == ("gpt", "", "0.9")


@pytest.mark.parametrize(("direction", "wanted"), [([1, 1], "1.0"), ([1, -1], "0.0"), (None, "1.0")])
def test_combinations_are_joined_with_their_directions(
    direction: list[int] | None, wanted: str, tmp_path: Path
) -> None:
    pair = {"id": ["a", "b"], "source": "fred", "resolution_date": "2024-07-28"}
    resolutions = [
        {**pair, "direction": [1, 1], "resolved_to": 1.0, "resolved": True},
        {**pair, "direction": [1, -1], "resolved_to": 0.0, "resolved": True},
    ]
    (row,) = rows(tmp_path, [{**pair, "direction": direction, "forecast": 0.5}], resolutions)

    assert row["y"] == wanted


def test_the_questions_give_markets_their_price_and_datasets_none(tmp_path: Path) -> None:
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    resolutions = written(tmp_path, "r.json", {"resolutions": RESOLUTIONS})
    questions = written(tmp_path, "q.json", {"questions": [
        {"id": "m1", "source": "manifold", "freeze_datetime_value": "0.75"},
        {"id": "m2", "source": "metaculus", "freeze_datetime_value": "N/A"},
        {"id": "d1", "source": "fred", "freeze_datetime_value": "0.5"},
    ]})  # fmt: skip
    found = csv.DictReader(converted([forecasts], resolutions, questions).splitlines())

    assert [row["q"] for row in found] == ["0.75", "", "", "", ""]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", "[1]", "r.json: expected an object with a list `resolutions`"),
        ("r.json", "{", "r.json: not JSON"),
        ("r.json", '{"resolutions": []}', "r.json: no rows"),
        ("r.json", '{"resolutions": [{"id": "m1"}]}', "r.json: row 1 has no question"),
        ("r.json", '{"resolutions": [{"id": "m1", "source": "infer", "resolved_to": 1.5}]}',
         "r.json: question m1: got '1.5', expected a value between 0 and 1"),
        ("r.csv", "question,source,resolved,resolved_to\n1,infer,1,1\n1,infer,1,0\n",
         "r.csv: two different resolutions of infer 1"),
    ],
)  # fmt: skip
def test_unreadable_files_are_refused(name: str, content: str, message: str, tmp_path: Path) -> None:
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableFile) as caught:
        converted([forecasts], tmp_path / name)

    assert message in str(caught.value)


def test_the_command_writes_a_file_that_can_be_scored(tmp_path: Path) -> None:
    """By hand: markets (0.1^2 + 0.05^2) / 2, the dataset 0.2^2, overall the mean of both."""
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    resolutions = written(tmp_path, "r.json", {"resolutions": RESOLUTIONS})
    output = tmp_path / "forecasts.csv"
    done = coliseum(
        "convert", "forecastbench", str(forecasts), "--resolutions", str(resolutions), "--output", str(output)
    )
    assert done.exit_code == 0, done.output
    numbers = json.loads(coliseum("score", str(output), "--json").stdout)["report"]["slices"]["all"]["ann"]

    assert numbers["brier_macro"] == pytest.approx(((0.01 + 0.0025) / 2 + 0.04) / 2)
    assert numbers["fractional"] == 1


def test_what_is_wrong_goes_to_stderr(tmp_path: Path) -> None:
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    done = coliseum("convert", "forecastbench", str(forecasts), "--resolutions", str(forecasts))

    assert done.exit_code == 1
    assert done.stderr == "f.json: expected an object with a list `resolutions`, as ForecastBench publishes it\n"


def test_the_six_published_scores_come_out_of_one_command(shared_data: Path, tmp_path: Path) -> None:
    """The superforecasters' medians of July 2024, as ForecastBench published them, with their numbers of questions."""
    folder = shared_data / "forecastbench-2024-07-21"
    wanted = json.loads((folder / "expected.json").read_text())
    file = tmp_path / "forecastbench.csv"
    arguments = [str(folder / "forecasts.csv"), "--resolutions", str(folder / "resolutions.csv")]
    assert coliseum("convert", "forecastbench", *arguments, "--output", str(file)).exit_code == 0

    report = json.loads(coliseum("score", str(file), "--pools", "median", "--draws", "0", "--json").stdout)["report"]
    slices = {name: agents["pool:median"] for name, agents in report["slices"].items() if "pool:median" in agents}
    resolved = slices["category:resolved"]
    found = {
        "dataset": (slices["group:dataset"]["brier"], slices["group:dataset"]["graded"]),
        "market_resolved": (resolved["groups"]["market"]["brier"], resolved["groups"]["market"]["graded"]),
        "market_unresolved": (slices["category:unresolved"]["brier"], slices["category:unresolved"]["graded"]),
        "market_all": (slices["group:market"]["brier"], slices["group:market"]["graded"]),
        "overall_resolved": (resolved["brier_macro"], resolved["graded"]),
        "overall": (slices["all"]["brier_macro"], slices["all"]["graded"]),
    }
    assert found.keys() == wanted["published_3dp"].keys()
    for name, (brier, graded) in found.items():
        published = wanted["published_3dp"][name]
        assert (round(brier, 3), graded) == (published["brier"], published["n"]), name
        assert brier == pytest.approx(wanted["recomputed"][name], abs=1e-11), name


PRICELESS = "id,source,question\nm1,manifold,Will it rain?\nm2,metaculus,Will it snow?\n"


def test_questions_without_a_price_are_refused_with_what_was_expected(tmp_path: Path) -> None:
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    resolutions = written(tmp_path, "r.json", {"resolutions": RESOLUTIONS})
    (tmp_path / "q.csv").write_text(PRICELESS)
    with pytest.raises(UnreadableFile, match=r"q.csv: no market has a price: expected freeze_datetime_value"):
        converted([forecasts], resolutions, tmp_path / "q.csv")


@pytest.mark.parametrize("name", ["r", "q"])
def test_a_file_about_other_questions_is_refused(tmp_path: Path, name: str) -> None:
    other = [{**row, "id": f"other-{row['id']}", "freeze_datetime_value": "0.5"} for row in RESOLUTIONS]
    own = [{**row, "freeze_datetime_value": "0.5"} for row in RESOLUTIONS]
    forecasts = written(tmp_path, "f.json", {"forecasts": FORECASTS})
    resolutions = written(tmp_path, "r.json", {"resolutions": other if name == "r" else own})
    questions = written(tmp_path, "q.json", {"questions": other if name == "q" else own})
    with pytest.raises(UnreadableFile, match=rf"{name}.json: none of its questions is in f.json"):
        converted([forecasts], resolutions, questions)
