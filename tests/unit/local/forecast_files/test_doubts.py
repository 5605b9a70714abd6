from __future__ import annotations

import pytest

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.parse import forecasts_from


def warnings_of(header: str, *rows: str) -> list[str]:
    parsed = forecasts_from(FileContent("f.csv", "\n".join([header, *rows, ""]).encode()))
    assert parsed.problems == ()
    assert parsed.table is not None
    return [str(warning) for warning in parsed.warnings]


def windows(*labels: str) -> list[str]:
    return warnings_of("agent,market,window,p", *(f"a,m,{label},0.5" for label in labels))


def test_windows_whose_text_sorts_otherwise_than_their_numbers_are_warned_about() -> None:
    assert windows("w1", "w2", "w10") == [
        'f.csv:3: window: "w10" sorts before "w2", because labels sort as text: write numbers with zeros'
    ]


@pytest.mark.parametrize(
    "labels",
    [
        ("w01", "w02", "w10"), ("2026-11-21T12:00:00Z", "2026-11-21T12:30:00Z"),
        ("r-20261121T120000Z", "r-20261122T000000Z"),
        ("a", "b"), ("1",), ("1795262400", "1795266000"), ("1", "a"), ("week 1", "week 2 b", "week 2 c"),
    ],
)  # fmt: skip
def test_windows_that_sort_by_time_are_not_warned_about(labels: tuple[str, ...]) -> None:
    assert windows(*labels) == []


def outcomes(structure: str, *markets: tuple[str, str, str]) -> list[str]:
    """The warnings about one event, for markets with their outcome and strike."""
    rows = (f"a,e,{name},0.5,{y},{structure},{strike}" for name, y, strike in markets)
    return warnings_of("agent,event,market,p,y,structure,strike", *rows)


@pytest.mark.parametrize(
    ("structure", "markets", "text"),
    [
        ("exclusive", [("x", "1", ""), ("y", "0", ""), ("z", "1", "")], "x (line 2) and z (line 4) are both YES"),
        ("exhaustive", [("x", "1", ""), ("y", "1", "")], "x (line 2) and y (line 3) are both YES"),
        ("exhaustive", [("x", "0", ""), ("y", "0", "")], "all its markets are NO"),
        ("above", [("x", "0", "1"), ("y", "1", "2")], "y (line 3) is YES and x (line 2) is NO"),
        ("below", [("x", "1", "1"), ("y", "0", "2")], "x (line 2) is YES and y (line 3) is NO"),
    ],
)
def test_outcomes_that_the_structure_excludes_are_warned_about(
    structure: str, markets: list[tuple[str, str, str]], text: str
) -> None:
    (warning,) = outcomes(structure, *markets)
    assert warning.endswith(f": structure: event e is {structure}, but {text}")


@pytest.mark.parametrize(
    ("structure", "markets"),
    [
        ("exclusive", [("x", "0", ""), ("y", "0", "")]), ("exclusive", [("x", "0.5", ""), ("y", "0.5", "")]),
        ("exhaustive", [("x", "0", ""), ("y", "", "")]), ("exhaustive", [("x", "1", ""), ("y", "0", "")]),
        ("above", [("x", "1", "1"), ("y", "0", "2")]), ("above", [("x", "", "1"), ("y", "1", "2")]),
        ("below", [("x", "0", "1"), ("y", "1", "2")]), ("", [("x", "1", ""), ("y", "1", "")]),
    ],
)  # fmt: skip
def test_outcomes_that_fit_are_not_warned_about(structure: str, markets: list[tuple[str, str, str]]) -> None:
    assert outcomes(structure, *markets) == []
