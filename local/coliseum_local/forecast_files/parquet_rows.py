"""Reads Parquet files. Their columns have types, and a type is only taken where a value has one meaning."""

from __future__ import annotations

from typing import Any

import numpy as np

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.extras import missing_extra
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextColumn, TextTable


def parquet_rows(content: FileContent, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    """Read a Parquet file. Rows are counted from 1. Raises UnreadableFile."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # it ships none
        from pyarrow import parquet
    except ImportError:
        raise missing_extra(content.name, "Parquet files", "pyarrow") from None
    problems.units[content.name] = "row"
    try:
        # Without threads: Arrow's can still run when the process ends, and then they abort it.
        table = parquet.ParquetFile(pa.BufferReader(content.data), pre_buffer=False).read(use_threads=False)
        return _text_table(content.name, table, expected, problems)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        problems.add(content.name, 0, f"the Parquet file cannot be read: {str(error).splitlines()[0]}")
        return TextTable(content.name, range(1, 1), {})


def _text_table(file: str, table: Any, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    names = expected.header(_data_names(table.column_names), file, 0, problems, hint="")
    columns = {}
    for name, column in zip(names, table.columns, strict=False):
        if name:
            texts = _text_column(column)
            if texts is None:
                message = f"{name}: the column has the type {column.type}, which holds no plain values"
                problems.add(file, 0, message)
            else:
                columns[name] = texts
    return TextTable(file, range(1, table.num_rows + 1) if names else range(1, 1), columns)


def _data_names(names: list[str]) -> list[str]:
    """The names of the columns; none for pandas' index."""
    return ["" if name.startswith("__index_level_") else name for name in names]


def _text_column(column: Any) -> TextColumn | None:
    """The texts of a column, or None for a type without plain values: lists, structures, bytes, durations."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    plain = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating,
        pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date, pa.types.is_null, _is_string_view,
    )  # fmt: skip
    if not any(fits(kind) for fits in plain):
        return None
    encoded = column.cast(kind).combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    texts = [_text(value) for value in _values(encoded.dictionary)]
    return TextColumn(texts, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def _is_string_view(kind: Any) -> bool:
    return str(kind) == "string_view"


def _values(dictionary: Any) -> list[Any]:
    """The distinct values. Times become texts here, because Python's have no nanoseconds."""
    import pyarrow as pa

    if pa.types.is_timestamp(dictionary.type):
        zone = "Z" if dictionary.type.tz else ""
        plain = dictionary.cast(pa.timestamp(dictionary.type.unit))
        return [None if text is None else f"{text}{zone}" for text in plain.cast(pa.string()).to_pylist()]
    return list(dictionary.to_pylist())


def _text(value: Any) -> str:
    """The text that a CSV file would have for a value."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
