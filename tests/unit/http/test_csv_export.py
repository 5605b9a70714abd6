from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import URL

from coliseum.http.answers import Listing
from coliseum.http.csv_export import csv_response, csv_text
from coliseum.http.field_types import Dollars


class Row(BaseModel):
    name: str
    money: Dollars
    note: str | None


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_table_has_a_header_and_the_values_of_the_json_answer() -> None:
    rows = [Row(name='a,"b"\n', money=Decimal("-1.5"), note=None)]
    assert read(csv_text(Row, rows)) == [["name", "money", "note"], ['a,"b"\n', "-1.50", ""]]
    assert read(csv_text(Row, [])) == [["name", "money", "note"]]


def test_no_cell_can_run_as_a_formula() -> None:
    text = csv_text(
        Row, [Row(name="=cmd()", money=Decimal(1), note="-1+2"), Row(name="@x", money=Decimal(1), note="-12.5")]
    )
    assert [row[0] for row in read(text)[1:]] == ["'=cmd()", "'@x"]
    assert [row[2] for row in read(text)[1:]] == ["'-1+2", "-12.5"]


def test_an_object_is_written_as_json() -> None:
    class Nested(BaseModel):
        payload: dict[str, Any] | None

    table = read(csv_text(Nested, [Nested(payload={"b": 1, "a": ["=x"]}), Nested(payload=None)]))
    assert table == [["payload"], ['{"a":["=x"],"b":1}'], [""]]


def test_the_next_page_is_named_in_a_header() -> None:
    page = Listing[Row](
        items=[],
        count=0,
        next_cursor="abc",
        source="x",
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        stale=False,
        age_seconds=0,
    )
    url = URL("http://host/api/python/portfolio/fills?format=csv&cursor=old")
    response = csv_response(Row, page, url, name="fills")
    assert response.headers["link"] == '</api/python/portfolio/fills?format=csv&cursor=abc>; rel="next"'
    assert response.headers["content-disposition"] == 'attachment; filename="fills.csv"'


def test_a_formula_of_digits_alone_is_quoted_and_a_signed_number_is_not() -> None:
    names = ["=65", "@5", "-²", "-1.50", "+3"]
    table = read(csv_text(Row, [Row(name=name, money=Decimal(1), note=None) for name in names]))
    assert [row[0] for row in table[1:]] == ["'=65", "'@5", "'-²", "-1.50", "+3"]
