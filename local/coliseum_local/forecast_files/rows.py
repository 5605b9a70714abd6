"""Chooses the reader for a file: CSV, JSON, Parquet or Excel."""

from __future__ import annotations

from coliseum_local.forecast_files.arrow_csv import LEAST_BYTES, arrow_rows
from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.delimited import delimited_rows
from coliseum_local.forecast_files.json_rows import SUFFIXES, json_rows
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextTable


def rows_of(content: FileContent, expected: ExpectedColumns, problems: FileProblems, *, quick: bool) -> TextTable:
    """The rows of a file as texts. `quick` allows a reader that does not know lines. Raises UnreadableFile."""
    if content.is_parquet:
        from coliseum_local.forecast_files.parquet_rows import parquet_rows

        return parquet_rows(content, expected, problems)
    if content.is_excel:
        from coliseum_local.forecast_files.excel_rows import excel_rows

        return excel_rows(content, expected, problems)
    start = content.data[:100].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start in {b"{", b"["} or (content.suffix in SUFFIXES and start):
        return json_rows(content.name, content.text(), expected, problems)
    if quick and len(content.data) >= LEAST_BYTES:
        table = arrow_rows(content, expected)
        if table is not None:
            return table
    return delimited_rows(content.name, content.text(), expected, problems)
