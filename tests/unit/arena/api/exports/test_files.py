from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from coliseum.arena.api.exports.files import ExportedRow, Form, fill
from coliseum.http.answers import Answer


class Line(Answer):
    number: int
    text: str


def rows(count: int, text: str = "x") -> Iterator[ExportedRow]:
    for number in range(count):
        yield Line(number=number, text=text), {"number": number}


def never_late() -> float:
    return 1.0


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_all_rows_are_taken_if_they_fit(form: Form) -> None:
    file = fill(rows(5), Line, form, limit=None, most_bytes=10_000, seconds_left=never_late)
    assert (file.rows, file.after, len(file.text.splitlines())) == (5, None, 5 + (form == "csv"))


@pytest.mark.parametrize(("limit", "after"), [(5, None), (4, {"number": 3}), (1, {"number": 0})])
def test_a_page_ends_at_its_limit_and_knows_whether_more_follows(limit: int, after: dict[str, int] | None) -> None:
    file = fill(rows(5), Line, "jsonl", limit=limit, most_bytes=10_000, seconds_left=never_late)
    assert (file.rows, file.after) == (limit, after)


@pytest.mark.parametrize("text", ["x" * 50, '"' * 50, "é" * 50, "\\" * 50])
def test_the_size_is_that_of_the_text_inside_the_functions_json(text: str) -> None:
    file = fill(rows(100, text), Line, "jsonl", limit=None, most_bytes=5000, seconds_left=never_late)
    size = len(json.dumps(file.text)) - 2
    more = fill(rows(100, text), Line, "jsonl", limit=file.rows + 1, most_bytes=10**9, seconds_left=never_late)
    assert size <= 5000 < len(json.dumps(more.text)) - 2


def test_a_row_that_is_too_large_alone_is_taken() -> None:
    file = fill(rows(2, "x" * 100), Line, "csv", limit=None, most_bytes=50, seconds_left=never_late)
    assert (file.rows, file.after) == (1, {"number": 0})


def test_a_file_ends_when_its_time_is_over() -> None:
    left = iter([3.0, 2.0, 1.0, -1.0])
    file = fill(rows(9), Line, "jsonl", limit=None, most_bytes=10_000, seconds_left=lambda: next(left))
    assert (file.rows, file.after) == (4, {"number": 3})


def test_no_rows_are_a_header_or_nothing() -> None:
    files = [fill(rows(0), Line, form, limit=None, most_bytes=9, seconds_left=never_late) for form in ("csv", "jsonl")]
    assert [file.text for file in files] == ["number,text\r\n", ""]
