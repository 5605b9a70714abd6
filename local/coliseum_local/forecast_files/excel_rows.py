"""Reads Excel's .xlsx files: one sheet, whose first row that is not empty names the columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.extras import missing_extra
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextTable, TextTableBuilder, column_name
from coliseum_local.text_files import UnreadableFile

HINT = "; the first row must name the columns"


def excel_rows(content: FileContent, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    """Read the sheet that has the expected columns. Rows have Excel's numbers. Raises UnreadableFile.

    A cell holds what Excel computed when the file was saved, so 50 % is 0.5. A formula without a computed value is a
    problem, because the cell only looks empty.
    """
    try:
        return _table(content, expected, problems)
    except UnreadableFile:
        raise
    except Exception as error:  # noqa: BLE001  # openpyxl lets the errors of its parts through, also while it reads rows
        raise UnreadableFile(f"{content.name}: the Excel file cannot be read: {error}") from None


def _table(content: FileContent, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    values, formulas = _workbook(content, computed=True), _workbook(content, computed=False)
    name = _sheet(values, content.name, expected)
    file = content.name if len(values.sheetnames) == 1 else f"{content.name}, sheet {name}"
    problems.units[file] = "row"
    builder, columns = TextTableBuilder([]), list[str]()
    for row, cells in _rows(values[name]):
        if not columns:
            columns = expected.header([_text(cell.value) for cell in cells], file, row, problems, hint=HINT)
            if not columns:
                break
            builder = TextTableBuilder(columns)
        else:
            texts = [_checked(column, cell, file, row, problems) for column, cell in zip(columns, cells, strict=False)]
            builder.add(row, [*texts, *[""] * (len(columns) - len(texts))])
            _check_width(columns, cells, file, row, problems)
    if columns:
        _check_formulas(columns, values[name], formulas[name], file, problems)
    return builder.table(file)


def _workbook(content: FileContent, *, computed: bool) -> Any:
    try:
        from openpyxl import load_workbook  # type: ignore[import-untyped]  # it ships none
    except ImportError:
        raise missing_extra(content.name, "Excel files", "openpyxl") from None
    return load_workbook(io.BytesIO(content.data), read_only=True, data_only=computed)


def _sheet(workbook: Any, file: str, expected: ExpectedColumns) -> str:
    """The name of the only sheet that has the required columns."""
    names = list(workbook.sheetnames)
    fit = [name for name in names if hasattr(workbook[name], "iter_rows") and _fits(workbook[name], expected)]
    if len(names) == 1 and names[0] in workbook:
        return str(names[0])
    if len(fit) != 1:
        found = "no sheet has" if not fit else f"the sheets {', '.join(fit)} have"
        raise UnreadableFile(f"{file}: {found} the columns {', '.join(expected.required)}: keep one such sheet")
    return str(fit[0])


def _fits(sheet: Any, expected: ExpectedColumns) -> bool:
    header = next((cells for _, cells in _rows(sheet)), [])
    return {column_name(_text(cell.value)) for cell in header}.issuperset(expected.required)


def _rows(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """(Excel's number of the row, its cells) of the rows that are not empty."""
    sheet.reset_dimensions()  # some programs write a wrong size, and then rows are cut off
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if any(_text(cell.value).strip() for cell in cells):
            yield number, cells


def _check_width(columns: Sequence[str], cells: Sequence[Any], file: str, row: int, problems: FileProblems) -> None:
    if any(_text(cell.value).strip() for cell in cells[len(columns) :]):
        problems.add(file, row, f"{len(cells)} values for {len(columns)} columns")


def _checked(column: str, cell: Any, file: str, row: int, problems: FileProblems) -> str:
    if column and cell.data_type == "e" and cell.value != "#N/A":
        problems.add(file, row, f"{column}: the cell holds the error {cell.value}")
        return ""
    if column and isinstance(cell.value, time | timedelta):
        problems.add(file, row, f"{column}: got the time of day {cell.value}, which has no date")
        return ""
    return _text(cell.value)


def _check_formulas(columns: Sequence[str], values: Any, formulas: Any, file: str, problems: FileProblems) -> None:
    """Report formulas whose value was never computed, such as those that a program wrote."""
    rows: Iterable[Any] = zip(values.iter_rows(), formulas.iter_rows(), strict=False)
    for number, (found, written) in enumerate(rows, start=1):
        for column, value, formula in zip(columns, found, written, strict=False):
            if column and formula.data_type == "f" and value.value is None:
                what = f"{column}: the formula {formula.value} has no computed value"
                problems.add(file, number, f"{what}: open the file in Excel and save it")


def _text(value: Any) -> str:
    """The text that a CSV file would have for a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
