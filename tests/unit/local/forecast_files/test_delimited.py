from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.forecast_files.delimited import delimited_rows, dialect_of
from coliseum_local.forecast_files.parse import FORECASTS
from coliseum_local.forecast_files.problems import FileProblems

HEADER = "agent,market,p\n"


def rows_of(text: str) -> list[tuple[Any, ...]]:
    """(line, texts …) of each row. There are no problems."""
    problems = FileProblems()
    table = delimited_rows("f.csv", text, FORECASTS, problems)
    assert [str(problem) for problem in problems.first] == []
    columns = [[column.texts[code] for code in column.code] for column in table.columns.values()]
    return list(zip(table.lines, *columns, strict=True))


def problems_of(text: str) -> list[str]:
    problems = FileProblems()
    delimited_rows("f.csv", text, FORECASTS, problems)
    return [str(problem) for problem in problems.first]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEADER + '"a,m,0.5\nb,m,0.5\n', 2),
        (HEADER + '"a,m,0.5\n"b",m,0.5\n', 2),
        (HEADER + 'a,m,0.5\n\nb,"m,0.5\nc,m,0.5\nd,m,0.5', 4),
        (HEADER + '"x\ny",m,0.5\n"a ""b\n",m,0.5\na,"m\nn\n', 6),
        (HEADER + '"x\ny","m\nz,0.5\n', 3),
        (HEADER + '"a"b,m,0.5\n', 2),
        ('"agent,market,p\na,m,0.5\n', 1),
        ("sep=,\n\n" + HEADER + 'a,m,"0.5\n', 4),
    ],
)
def test_an_unclosed_quotation_mark_is_reported_where_it_opens(text: str, line: int) -> None:
    assert problems_of(text) == [f"f.csv:{line}: the quotation mark that opens here is not closed where the value ends"]


@given(
    st.lists(st.lists(st.text(alphabet='ab,"\n', max_size=4), min_size=3, max_size=3), max_size=5), st.integers(0, 2)
)
def test_the_reported_mark_is_the_one_that_was_not_closed(rows: list[list[str]], place: int) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER.strip().split(","), *rows])
    last = ["a", "m", "0.5"]
    last[place] = '"' + last[place]
    text = written.getvalue()

    assert problems_of(text + ",".join(last))[-1].startswith(f"f.csv:{text.count(chr(10)) + 1}: the quotation mark")


def test_a_row_has_the_line_on_which_it_begins() -> None:
    text = "\n" + HEADER + '\n"a\nb",m,0.5\n  \n,,\n"c","m\r\n\n","1"\nd,m,1'

    assert rows_of(text) == [(4, "a\nb", "m", "0.5"), (8, "c", "m\r\n\n", "1"), (11, "d", "m", "1")]


@pytest.mark.parametrize(
    ("text", "delimiter", "before"),
    [
        (HEADER, ",", 0), ("agent;market;p\n", ";", 0), ("agent\tmarket\tp", "\t", 0), ("agent|market|p\n", "|", 0),
        ("sep=;\nagent;market;p\n", ";", 1), ('"sep=|"\r\nagent|market|p\r\n', "|", 1),
        ("SEP=\t\nagent\tmarket\tp\n", "\t", 1),
        ("\n \n" + HEADER, ",", 2), ('"agent, the","agent";market;p\n', ";", 0), ('"a;b;c;d",agent,market,p\n', ",", 0),
        ("sep=:\nagent:market:p\n", ":", 1), ("", ",", 0),
    ],
)  # fmt: skip
def test_the_delimiter_is_found(text: str, delimiter: str, before: int) -> None:
    found = dialect_of(text, FORECASTS)

    assert (found.delimiter, found.before) == (delimiter, before)


def test_a_row_of_another_width_is_refused() -> None:
    assert problems_of(HEADER + 'a,m\n"b\nc",m,1,2\nd,m,1\n') == [
        "f.csv:2: 2 values for 3 columns",
        "f.csv:3: 4 values for 3 columns",
    ]


def test_a_value_that_is_too_long_is_reported() -> None:
    assert problems_of(HEADER + f"{'x' * 200_000},m,1\n")[0].startswith(
        "f.csv:2: not CSV: field larger than field limit"
    )
