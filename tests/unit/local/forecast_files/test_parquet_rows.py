from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it ships none
import pytest
from pyarrow import parquet

from coliseum_local.forecast_files.contents import unpacked
from coliseum_local.forecast_files.parse import ParsedForecasts, forecasts_from
from coliseum_local.text_files import UnreadableFile

NOON = dt.datetime.fromisoformat("2026-11-21T12:00")  # many Parquet columns have no zone
ROWS: dict[str, Any] = {"agent": ["a", "b"], "market": ["m", "m"], "p": [0.5, None]}


def saved(**columns: Any) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.table({**ROWS, **columns}), target)
    return target.getvalue()


def read(**columns: Any) -> ParsedForecasts:
    return forecasts_from(unpacked("f.parquet", saved(**columns)))


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        ("p", pa.array([0.1, None]), [0.1, None]),
        ("p", pa.array([0.5, float("nan")], pa.float32()), [0.5, None]),
        ("q", pa.array([Decimal("0.25")] * 2), [0.25, 0.25]),
        ("q", pa.array([None, None]), [None, None]),
        ("y", pa.array([True, True]), [1, 1]),
        ("y", pa.array([0, 0], pa.int8()), [0, 0]),
        ("y", pa.array(["YES", "YES"]).dictionary_encode(), [1, 1]),
        ("due_at", pa.array([NOON] * 2, pa.timestamp("ns")), [1795262400] * 2),
        ("due_at", pa.array([NOON] * 2, pa.timestamp("s", tz="Europe/Berlin")), [1795262400] * 2),
        ("due_at", pa.array([NOON.date()] * 2), [1795219200] * 2),
        ("due_at", pa.array([1795262400000] * 2), [1795262400] * 2),
    ],
)  # fmt: skip
def test_a_typed_column_has_the_values_of_its_type(name: str, values: Any, wanted: list[float | None]) -> None:
    parsed = read(**{name: values})

    assert parsed.table is not None
    assert [None if one != one else one for one in getattr(parsed.table, name).tolist()] == wanted  # noqa: PLR0124  # NaN


@pytest.mark.parametrize(
    "values",
    [[["x"], []], [{"a": 1}, None], [b"x", b"y"], [dt.timedelta(1)] * 2],
    ids=["list", "struct", "bytes", "span"],
)
def test_a_column_without_plain_values_is_refused(values: Any) -> None:
    (problem,) = read(category=pa.array(values)).problems

    assert str(problem).startswith("f.parquet: category: the column has the type ")


def test_a_problem_has_its_row() -> None:
    assert str(read(p=[0.5, 1.5]).problems[0]) == (
        'f.parquet: row 2: p: got "1.5", expected a probability between 0 and 1, or nothing'
    )
    assert "q: m in window '1' has 0.7 here and 0.5 in row 1" in str(read(q=[0.5, 0.7]).problems[0])


def test_the_index_of_a_data_frame_is_ignored() -> None:
    assert read(__index_level_0__=[0, 1]).problems == ()
    assert "unknown column colour" in str(read(colour=["x", "y"]).problems[0])


def test_a_damaged_file_is_refused() -> None:
    parsed = forecasts_from(unpacked("f.parquet", saved()[:-20]))

    assert str(parsed.problems[0]).startswith("f.parquet: the Parquet file cannot be read: ")


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnreadableFile, match=r"need the package pyarrow \(extra `files`\)"):
        forecasts_from(unpacked("f.parquet", data))


THREADS = """
import os, sys
from pathlib import Path
import pyarrow.parquet
from coliseum_local.forecast_files.contents import content_of
from coliseum_local.forecast_files.parse import forecasts_from

before = len(os.listdir("/proc/self/task"))
assert forecasts_from(content_of(Path(sys.argv[1]))).table is not None
sys.exit(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists its threads there")
def test_no_thread_of_arrow_is_left_that_could_abort_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    parquet.write_table(pa.table({"agent": ["a"] * 9, "market": list("abcdefghi"), "p": [0.5] * 9}), path)
    done = subprocess.run([sys.executable, "-c", THREADS, str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
