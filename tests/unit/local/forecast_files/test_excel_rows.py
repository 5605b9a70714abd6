from __future__ import annotations

import datetime as dt
import io
import sys
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook  # type: ignore[import-untyped]  # it ships none

from coliseum_local.forecast_files.contents import unpacked
from coliseum_local.forecast_files.parse import ParsedForecasts, forecasts_from
from coliseum_local.text_files import UnreadableFile

HEADER = ("Agent", "Market ", "P", "q", "y", "settled_at")


def saved(**sheets: list[tuple[Any, ...]]) -> bytes:
    """A workbook with these sheets and rows."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row, start=1):
                cell = sheet.cell(number, place, value)
                if isinstance(value, float):
                    cell.number_format = "0%"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def read(outcomes: bytes | None = None, **sheets: list[tuple[Any, ...]]) -> ParsedForecasts:
    return forecasts_from(
        unpacked("f.xlsx", saved(**sheets)), None if outcomes is None else unpacked("o.xlsx", outcomes)
    )


def problems_of(**sheets: Any) -> list[str]:
    return [str(problem) for problem in read(**sheets).problems]


def test_numbers_dates_and_percentages_are_read_as_excel_holds_them() -> None:
    noon = dt.datetime.fromisoformat("2026-11-21T12:00")  # Excel knows no zones
    table = read(Data=[(), HEADER, ("a", 7, 0.5, None, True, noon), (), ("b", "n", 1, 0.25, 0, noon.date())]).table

    assert table is not None
    assert (table.markets, table.p.tolist(), table.y.tolist()) == (("7", "n"), [0.5, 1.0], [1.0, 0.0])
    assert table.settled_at.tolist() == [1795262400.0, 1795219200.0]


def test_the_sheet_with_the_columns_is_read() -> None:
    parsed = read(Notes=[("hello",)], Data=[HEADER, ("a", "m", 2, None, None, None)])

    assert str(parsed.problems[0]).startswith('f.xlsx, sheet Data: row 2: p: got "2", expected a probability')


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"A": [("x",)], "B": [("y",)]}, "f.xlsx: no sheet has the columns agent, market, p"),
        ({"A": [HEADER], "B": [HEADER]}, "f.xlsx: the sheets A, B have the columns agent, market, p"),
    ],
)
def test_it_must_be_clear_which_sheet_counts(sheets: dict[str, Any], message: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(**sheets)

    assert str(caught.value) == f"{message}: keep one such sheet"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "m", "=1/2"), "row 2: p: the formula =1/2 has no computed value: open the file in Excel and save it"),
        (("a", "m", 1, None, None, dt.time(12)), "row 2: settled_at: got the time of day 12:00:00, which has no date"),
        (("a", "m", "#DIV/0!"), "row 2: p: the cell holds the error #DIV/0!"),
        (("a", "m", "50%"), 'row 2: p: got "50%", expected a probability between 0 and 1, or nothing (0.5?)'),
        (("a", "m", 1, None, None, None, "x"), "row 2: 7 values for 6 columns"),
    ],
)
def test_cells_without_a_clear_value_are_refused(row: tuple[Any, ...], message: str) -> None:
    assert problems_of(Data=[HEADER, row]) == [f"f.xlsx: {message}"]


def test_a_wrong_header_is_refused_with_its_row() -> None:
    assert problems_of(Data=[(), ("agent", "market"), ("a", "m")]) == [
        "f.xlsx: row 2: no column p; the columns are agent, market; the first row must name the columns"
    ]


def test_outcomes_can_be_a_workbook() -> None:
    outcomes = saved(Results=[("market", "y"), ("m", "yes")])
    table = read(outcomes, Data=[("agent", "market", "p"), ("a", "m", 0.5)]).table

    assert table is not None
    assert table.y.tolist() == [1]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_a_damaged_workbook_is_refused(part: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(Data=[HEADER]))) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name)[:-20] if name == part else source.read(name))
    with pytest.raises(UnreadableFile, match=r"^f.xlsx: the Excel file cannot be read: "):
        forecasts_from(unpacked("f.xlsx", target.getvalue()))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UnreadableFile, match=r"need the package openpyxl \(extra `files`\): .* install -e"):
        read(Data=[HEADER])
