from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.report import input_hash
from coliseum_local.forecast_files.contents import FileContent, unpacked
from coliseum_local.forecast_files.parse import MAX_AGENTS, ParsedForecasts, forecasts_from
from coliseum_local.forecast_files.problems import MAX_PROBLEMS
from coliseum_local.forecast_files.values import COLUMNS
from coliseum_local.text_files import UnreadableFile


def text(name: str, content: str) -> FileContent:
    return FileContent(name, content.encode("utf-8", "surrogatepass"))


def read(content: str, name: str = "f.csv", outcomes: str | None = None) -> ParsedForecasts:
    return forecasts_from(text(name, content), None if outcomes is None else text("outcomes.csv", outcomes))


def problems_of(content: str, name: str = "f.csv", outcomes: str | None = None) -> list[str]:
    return [str(problem) for problem in read(content, name, outcomes).problems]


def table(content: str, name: str = "f.csv", outcomes: str | None = None) -> CellTable:
    parsed = read(content, name, outcomes)
    assert parsed.problems == ()
    assert parsed.table is not None
    return parsed.table


def holds(result: CellTable, *cells: Cell) -> bool:
    return input_hash(result) == input_hash(table_from_cells(cells))


def test_three_columns_are_enough() -> None:
    assert holds(table("agent,market,p\na,m,0.5\n"), Cell(agent="a", event="m", market="m", window="1", p=0.5))


def rows_of(cells: list[Cell]) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(cell).items() if name in COLUMNS} for cell in cells]


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_file_is_read_as_it_was_written(delimiter: str, mark: str) -> None:
    wanted = random_cells(4, events=20)

    assert holds(table(mark + as_csv(rows_of(wanted), delimiter)), *wanted)


@pytest.mark.parametrize("name", ["f.jsonl", "f.ndjson", "no-suffix"])
def test_json_lines_are_read_as_they_were_written(name: str) -> None:
    wanted = random_cells(4, events=20)

    assert holds(table("\n".join(map(json.dumps, rows_of(wanted))), name), *wanted)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("1", 1), ("YES", 1), ("true", 1), ("1.0", 1), ("0", 0), ("no", 0), ("False", 0), ("", None), ("void", None),
     ("scalar", None)],
)  # fmt: skip
def test_outcomes_can_be_written_in_several_ways(text: str, outcome: int | None) -> None:
    (y,) = table(f"agent,market,p,y\na,m,0.5,{text}\n").y

    assert y == outcome if outcome is not None else math.isnan(y)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T12:00:00Z", 1795262400),
        ("1795262400", 1795262400),
        ("2026-11-21T13:00:00+01:00", 1795262400),
        ("2026-11-21T12:00", 1795262400),
    ],
)
def test_times_are_rfc_3339_or_seconds(text: str, seconds: float) -> None:
    assert table(f"agent,market,p,settled_at\na,m,0.5,{text}\n").settled_at.tolist() == [seconds]


def test_every_problem_of_a_file_is_reported_with_its_line() -> None:
    content = 'agent,market,p,y,strike\na,m1,1.5,1,\n\n,m2,x,maybe,high\na,m3,0.5\na,m4,nan,1,\n"a,m5\n'

    assert problems_of(content) == [
        'f.csv:2: p: got "1.5", expected a probability between 0 and 1, or nothing',
        'f.csv:4: agent: got "", expected a name',
        'f.csv:4: p: got "x", expected a probability between 0 and 1, or nothing',
        'f.csv:4: y: got "maybe", expected 1, 0, yes, no, a fraction between 0 and 1, '
        "or nothing for void and unsettled markets",
        'f.csv:4: strike: got "high", expected a number',
        "f.csv:5: 3 values for 5 columns",
        "f.csv:7: the quotation mark that opens here is not closed where the value ends",
    ]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            "agent,market\na,m\n",
            "f.csv:1: no column p; the columns are agent, market; the first line must name the columns",
        ),
        ("\n\na,m,0.5\n", "f.csv:3: no column agent, market, p; the columns are a, m, 0.5; the first line must name"),
        (
            "agent,market,p,prob\na,m,1,1\n",
            "f.csv:1: unknown column prob: rename it or remove it. Known are agent, event, market",
        ),
        (
            "agent,market,p\na,m,50%\n",
            'f.csv:2: p: got "50%", expected a probability between 0 and 1, or nothing (0.5?)',
        ),
        ("agent;market;p\na;m;0,25\n", 'p: got "0,25", expected a probability between 0 and 1, or nothing (0.25?)'),
        (
            "agent\tmarket\tp\na\tm\t12,5 %\n",
            'p: got "12,5 %", expected a probability between 0 and 1, or nothing (0.125?)',
        ),
        ("agent,market,p\na,m,0_1\n", 'f.csv:2: p: got "0_1", expected a probability'),
        ("agent,market,p\na,m,-0.1\n", 'f.csv:2: p: got "-0.1", expected a probability between 0 and 1, or nothing'),
        ("agent,market,p\na\x1b[2J,m,0.5\n", "expected a text without control characters"),
        ("agent,market,p,settled_at\na,m,0.5,9999-99-99\n", "expected a time as 2026-11-21T12:00:00Z"),
        ("agent,market,p,p\na,m,1,1\n", "f.csv:1: column p occurs twice"),
        ("agent,market,p,outcomes\na,m,1,0.5\n", 'outcomes: got "0.5", expected a whole number above 0'),
        ("agent,market,p,structure\na,m,1,round\n", "expected one of exclusive, exhaustive, above, below"),
        ("agent,market,p,structure\na,m,1,above\n", "f.csv:2: strike: a market of a ladder needs one, and m has none"),
        ("agent,market,p,settled_at\na,m,1,today\n", "expected a time as 2026-11-21T12:00:00Z, or unix seconds"),
        ("agent,market,p\na,m,0.5\nb,m,0.5\na,m,0.6\n", "f.csv:4: a answered m in window '1' already in line 2"),
        ("agent,market,p,y\na,m,1,1\nb,m,1,0\n", "f.csv:3: y: m has 0 here and 1 in line 2"),
        ("agent,market,p,y\na,m,1,1\nb,m,1,\n", "f.csv:3: y: m has nothing here and 1 in line 2"),
        (
            "agent,market,p,q\na,m,1,0.5\nb,m,1,0.7\n",
            "f.csv:3: q: m in window '1' has 0.7 here and 0.5 in line 2",
        ),
        ("agent,market,p,q\na,m,1,0.5\nb,m,1,\n", "f.csv:3: q: m in window '1' has nothing here and 0.5 in line 2"),
        (
            "agent,event,market,p,outcomes\na,e,m,1,2\nb,e,n,1,3\n",
            "f.csv:3: outcomes: event e in window '1' has 3 here and 2 in line 2",
        ),
        ("agent,market,p\n", "f.csv: the file has no forecast"),
        ("", "f.csv: the file has no forecast"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(content: str, wanted: str) -> None:
    (problem,) = problems_of(content)

    assert wanted in problem


def test_too_many_agents_are_refused() -> None:
    content = "agent,market,p\n" + "".join(f"a{i},m,0.5\n" for i in range(MAX_AGENTS + 1))

    assert problems_of(content) == ["f.csv: agent: got 301 agents, expected at most 300: every pair is compared"]


def test_json_lines_are_checked_like_csv() -> None:
    content = '{"agent":"a","market":"m","p":0.5}\n[1]\n{"agent":"a"}\n{not json}\n{"agent":"b","market":"m","p":[2]}'

    assert problems_of(content, "f.jsonl") == [
        "f.jsonl:2: not a JSON object. A line must be one object",
        "f.jsonl:3: no column market, p; the columns are agent",
        "f.jsonl:4: not JSON: Expecting property name enclosed in double quotes at column 2. A line must be one object",
        "f.jsonl:5: p: got an array, expected a text, a number, true, false or null",
    ]


@pytest.mark.parametrize("rows", [MAX_PROBLEMS + 7, 40 * MAX_PROBLEMS])
def test_the_first_problems_are_reported_and_the_others_counted(rows: int) -> None:
    """Columns are read one after the other, but problems are reported in the order of lines."""
    parsed = read("agent,market,p,y\n" + "a,m,x,maybe\n" * rows)

    assert [one.line for one in parsed.problems] == [2 + line // 2 for line in range(MAX_PROBLEMS)]
    assert parsed.more == 2 * rows - MAX_PROBLEMS
    assert parsed.problems[0].text.startswith("p:")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system_are_accepted(ends: str) -> None:
    assert len(table(ends.join(["agent,market,p", "a,m,0.5", "", "b,m,0.5", ""]))) == 2
    assert problems_of(ends.join(["agent,market,p", "a,m,0.5", "", "b,m,9"]))[0].startswith("f.csv:4:")


def test_unicode_line_separators_are_text() -> None:
    assert table('agent,market,p\n"a\u2028b",m,0.5\n').agents == ("a\u2028b",)


def test_a_column_without_a_name_is_ignored() -> None:
    assert holds(table(",agent,market,p\n0,a,m,0.5\n"), Cell(agent="a", event="m", market="m", window="1", p=0.5))


def test_outcomes_can_come_from_a_separate_file() -> None:
    result = table(
        "agent,market,p,category,strike\na,m,0.5,,\na,n,0.5,Own,2\n",
        outcomes="market,y,category,event,strike\nm,yes,X,E,7\nn,0,Y,,8\n",
    )
    wanted = Cell(agent="a", event="E", market="m", window="1", p=0.5, y=1, category="X", strike=7.0)

    assert holds(result, wanted, replace(wanted, event="n", market="n", y=0, category="Own", strike=2.0))


def test_a_market_without_an_outcome_is_not_graded() -> None:
    result = table("agent,market,p\na,m,0.5\na,n,0.5\n", outcomes="market,y\nother,1\nn,1\n")

    assert result.graded.tolist() == [False, True]


def test_two_files_with_different_outcomes_are_refused_with_both_lines() -> None:
    outcomes = "market,y\nn,1\nm,0\n"

    assert problems_of("agent,market,p,y\na,n,0.5,\na,m,0.5,1\n", outcomes=outcomes) == [
        "f.csv:3: y: m has 1 here and 0 in outcomes.csv, line 3"
    ]
    assert problems_of("agent,market,p,y\na,n,0.5,\na,m,0.5,0\n", outcomes=outcomes) == []


def test_outcomes_of_other_markets_are_refused() -> None:
    """Most likely the two files name the markets differently."""
    assert problems_of("agent,market,p\na,m,0.5\n", outcomes="market,y\nM,1\nN,0\n") == [
        "outcomes.csv: no market of it (M …) is in f.csv (m …)"
    ]


def test_a_market_name_of_several_events_needs_the_event() -> None:
    outcomes = "event,market,y\ne1,yes,1\ne2,yes,0\n"

    assert "yes is a market of 2 events" in problems_of("agent,market,p\na,yes,0.5\n", outcomes=outcomes)[0]
    result = table("agent,event,market,p\na,e1,yes,0.5\na,e2,yes,0.5\n", outcomes=outcomes)
    assert result.y.tolist() == [1, 0]


def test_an_outcome_that_occurs_twice_must_be_the_same() -> None:
    assert problems_of("agent,market,p\na,m,1\n", outcomes="market,y\nm,1\nm,1\n") == []
    assert (
        "occurs twice with different values"
        in problems_of("agent,market,p\na,m,1\n", outcomes="market,y\nm,1\nm,0\n")[0]
    )
    assert "expected 1, 0" in problems_of("agent,market,p\na,m,1\n", outcomes="market,y\nm,perhaps\n")[0]


@given(st.text(alphabet='ab,;"\n\r\t{}[]:.01e-\ufeff ', max_size=120), st.sampled_from(["f.csv", "f.jsonl"]))
def test_any_file_gives_cells_or_problems(content: str, name: str) -> None:
    header = "" if name == "f.jsonl" else "agent,market,p\n"
    parsed = read(header + content, name)

    assert (parsed.table is None) == bool(parsed.problems)


@pytest.mark.parametrize(
    "content",
    [
        "agent|market|p|y\na|m|0.5|1.00\n",
        "sep=;\r\nagent;market;p;y\r\na;m;0.5;1e0\r\n",
        '"Agent"," Market ","P","Y"\n"a","m","0.50","TRUE"\n',
        "AGENT\tMARKET\tP\tY\na\tm\t.5\tYes\n",
        "agent,market,p,y\na,m, 0.5 ,+1\n,,,\n\n",
        '[\n  {"agent": "a", "market": "m", "p": 0.5, "y": 1}\n]',
        '{"agent": "a", "market": "m", "p": "0.5", "y": true, "q": null}',
    ],
)
def test_files_are_read_as_people_have_them(content: str) -> None:
    assert holds(table(content), Cell(agent="a", event="m", market="m", window="1", p=0.5, y=1))


@pytest.mark.parametrize("mark", ["", "nan", "NaN", "NA", "N/A", "#N/A", "<NA>", "null", "NULL", "None", "NaT"])
def test_marks_of_missing_values_are_missing_in_every_column(mark: str) -> None:
    names = (
        "event",
        "window",
        "q",
        "y",
        "category",
        "volume",
        "outcomes",
        "cluster",
        "structure",
        "due_at",
        "settled_at",
    )
    content = f"agent,market,p,{','.join(names)}\na,m,0.5{f',{mark}' * len(names)}\n"

    assert holds(table(content), Cell(agent="a", event="m", market="m", window="1", p=0.5))
    assert table(f"agent,market,p\na,m,{mark}\n").answered.tolist() == [False]


@pytest.mark.parametrize("mark", ["nan", "NA", "None"])
@pytest.mark.parametrize("column", ["agent", "market"])
def test_an_agent_or_market_is_never_missing(column: str, mark: str) -> None:
    row = {"agent": "a", "market": "m", "p": "0.5", column: mark}
    (problem,) = problems_of(f"{','.join(row)}\n{','.join(row.values())}\n")

    assert problem == f'f.csv:2: {column}: got "{mark}", expected a name; this text stands for a missing value'


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (
            "a,m,1,1795262400\na,n,1,\n\na,o,1,1795262400000\n",
            "f.csv:5: settled_at: got 1795262400000 (milliseconds) here and 1795262400 (seconds) in line 2: "
            "write all times in one unit",
        ),
        (
            "a,m,1,1795262400000\na,n,1,1795262400000000\n",
            "f.csv:3: settled_at: got 1795262400000000 (microseconds) here and 1795262400000 (milliseconds) in line 2: "
            "write all times in one unit",
        ),
        ("a,m,1,20261121\n", "unix seconds; write the day as 2026-11-21"),
        ("a,m,1,inf\n", 'f.csv:2: settled_at: got "inf", expected a time as 2026-11-21T12:00:00Z'),
    ],
)
def test_times_that_may_have_another_unit_are_refused(rows: str, wanted: str) -> None:
    (problem,) = problems_of("agent,market,p,settled_at\n" + rows)

    assert wanted in problem


def test_milliseconds_are_recognised() -> None:
    one, other = (
        f"agent,market,p,due_at,settled_at\na,m,1,{text},{text}\n" for text in ("1795262400", "1795262400000")
    )

    assert input_hash(table(one)) == input_hash(table(other))


def test_a_time_before_1990_is_warned_about() -> None:
    (warning,) = read("agent,market,p,due_at\na,m,1,\na,n,1,46347\na,o,1,3\n").warnings

    assert str(warning) == "f.csv:3: due_at: 46347 is before 1990. Is it a time?"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1,000", 'volume: got "1,000", expected a number with a decimal point and without other marks'),
        ("1 000", 'volume: got "1 000", expected a number with a decimal point and without other marks'),
        ("1e999", 'volume: got "1e999", expected a number'),
        ("inf", 'volume: got "inf", expected a number'),
    ],
)
def test_numbers_with_other_marks_are_refused(text: str, wanted: str) -> None:
    assert problems_of(f'agent,market,p,volume\na,m,1,"{text}"\n') == [f"f.csv:2: {wanted}"]


def test_a_spelling_error_of_a_column_gets_a_hint() -> None:
    assert problems_of("agent,market,p,categry\na,m,1,x\n")[0].endswith(" (categry may be category?)")


def test_an_outcome_that_occurs_twice_is_shown_with_both_lines() -> None:
    (problem,) = problems_of("agent,market,p\na,m,1\n", outcomes="market,y\n\nm,1\nm,0\n")

    assert problem == ("outcomes.csv:4: market m occurs twice with different values: y is 0 here and 1 in line 3")


def test_an_event_of_a_missing_market_is_never_shared() -> None:
    """Pandas writes `nan` for a missing event. All of these rows would be one event."""
    result = table("agent,event,market,p\na,nan,m,1\na,nan,n,1\n")

    assert result.events == ("m", "n")


NAMES = ("f.csv", "f.json", "f.jsonl", "f.xlsx", "f.parquet", "f.gz")
STARTS = (b"", b"agent,market,p\n", b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08", b"\xff\xfe", b"[{", b'{"agent":')


@given(st.binary(max_size=200), st.sampled_from(NAMES), st.sampled_from(STARTS))
def test_any_bytes_give_cells_problems_or_one_sentence(content: bytes, name: str, start: bytes) -> None:
    try:
        parsed = forecasts_from(unpacked(name, start + content))
    except UnreadableFile as error:
        (sentence,) = error.messages
    else:
        sentence = f"{name}:"
        assert (parsed.table is None) == bool(parsed.problems)
    assert sentence.startswith(f"{name}:")


def test_times_with_a_zone_and_times_without_one_in_a_column_are_warned_about() -> None:
    rows = ["a,m,0.5,2026-11-21T12:00:00+01:00", "a,n,0.5,2026-11-21T12:00:00", "a,o,0.5,1795262400"]
    parsed = read("agent,market,p,due_at\n" + "\n".join(rows) + "\n")
    assert [str(warning) for warning in parsed.warnings] == [
        "f.csv:3: due_at: 2026-11-21T12:00:00 has no zone and counts as UTC; the time in line 2 has one"
    ]


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u202a"])
def test_a_name_that_changes_the_direction_of_writing_is_refused(mark: str) -> None:
    (problem,) = problems_of(f"agent,market,p\na{mark}b,m,0.5\n")
    assert "expected a text without control characters and changes of the direction of writing" in problem
