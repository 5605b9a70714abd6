from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import random_cells
from tests.unit.local.forecast_files.test_parse import as_csv, rows_of

from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.report import input_hash
from coliseum_local.forecast_files import rows
from coliseum_local.forecast_files.arrow_csv import arrow_rows, quotes_are_plain
from coliseum_local.forecast_files.columns import Columns, columns_of
from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.delimited import delimited_rows
from coliseum_local.forecast_files.parse import FORECASTS, forecasts_from
from coliseum_local.forecast_files.problems import FileProblems

HEADER = "agent,market,p,q,category\n"
PLAIN = 'a,m,0.5,0.25,x\n"b","m",1,,\n'


def values(columns: Columns) -> dict[str, list[Any]]:
    """All values of all rows. NaN is None, so that it equals itself."""
    numbers = {
        name: [None if math.isnan(number) else (number, math.copysign(1, number)) for number in column.tolist()]
        for name, column in columns.numbers.items()
    }
    return {**{name: list(labels) for name, labels in columns.labels.items()}, **numbers}


def fast(content: bytes) -> dict[str, list[Any]] | None:
    """What the fast reader finds; None if it leaves the file to the exact one."""
    problems = FileProblems()
    table = arrow_rows(FileContent("f.csv", content), FORECASTS)
    columns = None if table is None else columns_of(table, problems)
    return None if columns is None or not problems.quiet else values(columns)


def exact(content: bytes) -> dict[str, list[Any]] | None:
    """What the exact reader finds; None if the file has a problem."""
    problems = FileProblems()
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return None
    columns = columns_of(delimited_rows("f.csv", text, FORECASTS, problems), problems)
    return None if problems.count else values(columns)


@pytest.mark.parametrize("content", [HEADER + PLAIN, "\ufeff" + HEADER + PLAIN, (HEADER + PLAIN).replace("\n", "\r\n"),
                                     "sep=|\n" + (HEADER + PLAIN).replace(",", "|"), "\n\n" + HEADER + "\n" + PLAIN,
                                     HEADER + '"a ""b""",m,0.5,,\n', HEADER + '"a, b",m,NaN,.5,5.\n',
                                     HEADER.replace("agent", '" Agent "') + PLAIN])  # fmt: skip
def test_plain_files_are_read_fast_and_alike(content: str) -> None:
    found = fast(content.encode())

    assert found is not None
    assert found == exact(content.encode())


@pytest.mark.parametrize(
    "row",
    [
        "a,m,0.5,0.5", "a,m,0.5,0.5,x,y", ",,,,", "a,m,-nan,,x", "a,m,1e999,,x", "a,m,inf,,x", "a,m,0_5,,x",
        "a,m,0x1,,x", ",m,1,,x",
        'a"b,m,0.5,,x', '"a"b,m,0.5,,x', ' "a",m,0.5,,x', '"a,m,0.5,,x', "a\0,m,0.5,,x", "a,m,0.5,,x\rb,n,0.5,,y",
        "a,m,1.5,,x", "  ", "a,m,\u20280.5,,x", "a,m,0.5,1 000,x", "a,m,50%,,x", "a,m,nan(1),,x", "a,m,1e,,x",
    ],
)  # fmt: skip
def test_doubtful_rows_are_left_to_the_exact_reader(row: str) -> None:
    content = f"{HEADER}{PLAIN}{row}\n".encode()

    assert fast(content) is None


def test_bytes_that_are_not_utf_8_are_left_to_the_exact_reader() -> None:
    assert fast(HEADER.encode() + b"a\xff,m,0.5,,x\n") is None


FIELD = st.one_of(
    st.sampled_from(
        ["", "a", "b", "m", "0.5", "1", "0", "1e-3", "+1", "-0", ".5", "1.", "nan", "NaN", "NA", "inf", "-nan",
         "1e400", "1e-400", "0.1000000000000000055511151231257827", "123456789012345678901234567890", " 0.5", "0.5 ",
         "\t1", "１", "1_0", "0x1", "TRUE", '""', '"a"', '"a""b"', '"a,b"', '"a\nb"', '"', 'a"', "a\rb", "\u200b",
         "\u00a0x", "é", "\0", "None", "x" * 600]
    ),
    st.text(alphabet='ab1.,;"\n\r\t -e_\u00a0', max_size=6),
    st.floats(allow_nan=True).map(repr),
)  # fmt: skip
ROW = st.lists(FIELD, min_size=4, max_size=6)


@given(
    st.lists(ROW, max_size=6), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]), st.booleans()
)
@example([["a", "m", "1e-400", "0.5", "x"]], ",", "\n", True)
@example([["a", "m", "-0", "0.5", '"a""b"']], ",", "\r\n", True)
def test_the_fast_reader_never_gives_other_rows_than_the_exact_one(
    lines: list[list[str]], delimiter: str, end: str, ends: bool
) -> None:
    header = HEADER.strip().replace(",", delimiter)
    content = end.join([header, *(delimiter.join(row) for row in lines)]) + (end if ends else "")
    found = fast(content.encode("utf-8", "surrogatepass"))

    assert found is None or found == exact(content.encode())


@given(st.binary(max_size=80))
def test_the_fast_reader_agrees_on_any_bytes(body: bytes) -> None:
    content = HEADER.encode() + body
    found = fast(content)

    assert found is None or found == exact(content)


@given(st.text(alphabet='a",\n\r', max_size=14))
def test_plain_quotation_marks_are_those_that_all_readers_read_alike(text: str) -> None:
    if quotes_are_plain(text.encode(), ",") and "\r" not in text.replace("\r\n", ""):
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        written = io.StringIO(newline="")
        csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        assert list(csv.reader(io.StringIO(written.getvalue(), newline=""), strict=True)) == rows


def test_a_large_file_gives_the_same_table_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = random_cells(6, events=40)
    content = FileContent("f.csv", as_csv(rows_of(cells)).encode())
    slow = forecasts_from(content)
    monkeypatch.setattr(rows, "LEAST_BYTES", 0)
    quick = forecasts_from(content)

    assert quick.table is not None
    assert slow.table is not None
    assert input_hash(quick.table) == input_hash(slow.table) == input_hash(table_from_cells(cells))


def test_a_problem_of_a_large_file_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LEAST_BYTES", 0)
    content = HEADER + PLAIN + '\n"c\nd",m,0.5,,\n\nd,m,2,,\n'
    found = forecasts_from(FileContent("f.csv", content.encode())).problems

    assert [one.line for one in found] == [5, 8]
