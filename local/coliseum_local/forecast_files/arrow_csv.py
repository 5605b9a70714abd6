"""Reads CSV with Arrow, many times as fast as row by row, where both are sure to give the same rows.

Arrow is asked only for files that have one meaning, and it may only read; `values` judges. What Arrow would do silently
is excluded or undone here: it guesses no types, takes no label for a missing value, reads no number that is not finite,
and no row is cut or filled. Anything doubtful, such as a quotation mark inside a value, gives None. Then `delimited`
reads the file again, and finds the line of every problem.
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Any

import numpy as np

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.delimited import Dialect, dialect_of
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextColumn, TextTable
from coliseum_local.forecast_files.values import MISSING, READERS

LEAST_BYTES = 200_000
"""Smaller files are read row by row, because importing Arrow takes as long."""
_BLOCK_BYTES = 1 << 22
_HEADER_BYTES = 1 << 16


def arrow_rows(content: FileContent, expected: ExpectedColumns) -> TextTable | None:
    """The rows of a CSV file, or None if it must be read row by row. Its lines are not those of the file."""
    data = content.data.removeprefix(b"\xef\xbb\xbf")
    found = _header(data, expected)
    if found is None:
        return None
    dialect, names, start = found
    body = data[start:]
    quoted = b'"' in body
    if b"\0" in body or _has_bare_returns(body) or (quoted and not quotes_are_plain(body, dialect.delimiter)):
        return None
    table = _arrow_table(body, dialect.delimiter, names, quoted=quoted)
    return None if table is None else _text_table(content.name, table, names)


def _header(data: bytes, expected: ExpectedColumns) -> tuple[Dialect, list[str], int] | None:
    """(How the file is written, the names of its columns, where its rows begin). None if this is not plain."""
    try:
        head = data[:_HEADER_BYTES].decode(errors="ignore")
        dialect = dialect_of(head, expected)
        lines = list(islice(io.StringIO(head, newline=""), dialect.before + 1))
        if len(lines) <= dialect.before or not lines[-1].endswith("\n") or "\r" in lines[-1].removesuffix("\r\n"):
            return None
        cells = next(csv.reader(io.StringIO(lines[-1], newline=""), strict=True, delimiter=dialect.delimiter), [])
    except csv.Error:
        return None
    problems = FileProblems()
    names = expected.header(cells, "", 0, problems, hint="")
    return (dialect, names, len("".join(lines).encode())) if names and problems.quiet else None


def _has_bare_returns(data: bytes) -> bool:
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def quotes_are_plain(data: bytes, delimiter: str) -> bool:
    """Whether every quotation mark opens a value, closes one, or is doubled inside one. Then all readers agree."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    marks = np.flatnonzero(bytes_ == ord('"'))
    if len(marks) % 2:
        return False
    ends = np.frombuffer(b"\r\n" + delimiter.encode(), dtype=np.uint8)
    padded = np.concatenate([ends[1:2], bytes_, ends[1:2]])  # as if a line ended before the text and after it
    opening, closing = marks[::2], marks[1::2]
    # Between a doubled mark the value seems to close and to open again.
    doubled = np.zeros(len(opening) + 1, dtype=np.bool_)
    doubled[1:-1] = closing[:-1] + 1 == opening[1:]
    opens = np.isin(padded[opening], ends) | doubled[:-1]
    closes = np.isin(padded[closing + 2], ends) | doubled[1:]
    return bool(opens.all() and closes.all())


def _arrow_table(body: bytes, delimiter: str, names: list[str], *, quoted: bool) -> Any:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # it ships none
        from pyarrow import csv as arrow_csv
    except ImportError:  # a machine without a wheel of it: slower, but with the same rows
        return None

    label = pa.dictionary(pa.int32(), pa.string())
    kinds = {str(place): pa.float64() if name and READERS[name].numbers else label for place, name in enumerate(names)}
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(body),
            # Without threads: Arrow's can still run when the process ends, and then they abort it.
            read_options=arrow_csv.ReadOptions(column_names=list(kinds), block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=quoted),
            convert_options=arrow_csv.ConvertOptions(
                column_types=kinds,
                null_values=[form(text) for text in sorted(MISSING) for form in (str, str.upper, str.title)] + ["NaN"],
                strings_can_be_null=False,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _text_table(name: str, table: Any, names: list[str]) -> TextTable | None:
    columns: list[TextColumn] = []
    empty = np.ones(table.num_rows, dtype=np.bool_)
    for column in table.unify_dictionaries().columns:
        chunk = column.combine_chunks()
        if hasattr(chunk, "dictionary"):
            texts = chunk.dictionary.to_pylist()
            code = chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            columns.append(TextColumn(texts, code))
            empty &= np.array([not text.strip() for text in texts], dtype=np.bool_)[code] if len(code) else True
        else:
            numbers = chunk.to_numpy(zero_copy_only=False)
            absent = np.isnan(numbers)
            if absent.sum() != chunk.null_count or np.isinf(numbers).any():
                return None  # a text such as -nan or 1e999
            columns.append(TextColumn((), np.zeros(0, dtype=np.int64), numbers))
            empty &= absent
    if empty.any():
        return None  # rows without text, or with marks of missing values only: `delimited` tells them apart
    return TextTable(
        name, range(table.num_rows), {name: column for name, column in zip(names, columns, strict=True) if name}
    )
