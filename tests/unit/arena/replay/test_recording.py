from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.replay.recorded import START, files, recording, rows

from coliseum.arena.replay.recording import (
    FILES,
    MAX_PROBLEMS,
    RecordedBook,
    RecordedItem,
    RecordedRow,
    UnreadableRecording,
    about_text,
    changes,
    file_of,
    line_of,
    recording_from,
    row_from,
)
from coliseum.trading.markets import Level, OrderBook

prices = st.decimals(Decimal("0.0001"), Decimal("0.9999"), places=4)
levels = st.lists(st.builds(Level, prices, st.decimals(Decimal("0.01"), Decimal(9999), places=2)), max_size=4)


def test_every_row_is_read_as_it_was_written() -> None:
    for seen in rows(6):
        assert row_from(file_of(seen.item), json.loads(line_of(seen))) == seen


@given(levels, levels, st.datetimes(timezones=st.just(UTC)))
def test_any_order_book_is_read_as_it_was_written(yes: list[Level], no: list[Level], at: datetime) -> None:
    seen = RecordedRow(at, RecordedBook("T", OrderBook(tuple(yes), tuple(no))))

    assert row_from("books", json.loads(line_of(seen))) == seen


def test_rows_are_read_in_order_of_time() -> None:
    result = recording(20)

    assert [row.at for row in result.rows] == sorted(row.at for row in result.rows)
    assert (result.exchange, result.start) == ("sandbox", START)


def test_rows_with_equal_times_keep_the_order_of_their_files() -> None:
    at_start = [file_of(row.item) for row in recording(2).rows if row.at == START]

    assert at_start == sorted(at_start, key=FILES.index)


def test_only_changes_make_a_row() -> None:
    known: dict[tuple[str, str], RecordedItem] = {}
    first = list(rows(4))
    later = [replace(row, at=row.at + timedelta(days=30)) for row in first]

    assert list(changes([*first[:5]], known)) == first[:5]
    assert list(changes(later[:5], known)) == []


def test_the_digest_covers_every_row() -> None:
    texts = files(rows(4))
    one = recording_from(about_text("kalshi"), texts)

    assert recording_from(about_text("sandbox"), texts).digest != one.digest
    assert recording_from(about_text("kalshi"), {**texts, "books": ""}).digest != one.digest
    assert recording_from(about_text("kalshi"), dict(texts)).digest == one.digest


def problems_of(about: str, **texts: str) -> list[str]:
    with pytest.raises(UnreadableRecording) as caught:
        recording_from(about, texts)
    return str(caught.value).split("\n")


def test_every_problem_of_a_recording_is_reported_with_its_line() -> None:
    good = files(rows(2))
    market = json.loads(good["markets"].splitlines()[0])
    bad = [
        json.dumps({**market, "at": "yesterday"}),
        json.dumps({**market, "volume": "much"}),
        json.dumps({**market, "volume": "NaN"}),
        json.dumps({name: value for name, value in market.items() if name != "status"}),
        "{",
        "[]",
        json.dumps({**market, "at": []}),
        json.dumps({**market, "close_time": 5}),
    ]
    book = {"at": "2026-10-05T00:00:00Z", "ticker": "T", "yes": [["1.00", "5"]], "no": []}
    problems = problems_of(about_text("kalshi"), markets="\n".join(bad), books=json.dumps(book))

    assert problems[0] == "markets.jsonl:1: at: got 'yesterday', expected a time such as 2026-11-21T12:00:00Z"
    assert problems[1:4] == [
        "markets.jsonl:2: volume: got 'much'",
        "markets.jsonl:3: volume: got 'NaN'",
        "markets.jsonl:4: status: missing",
    ]
    assert problems[4].startswith("markets.jsonl:5: Expecting property name")
    assert problems[5:] == [
        "markets.jsonl:6: not a JSON object",
        "markets.jsonl:7: at: got [], expected a time such as 2026-11-21T12:00:00Z",
        "markets.jsonl:8: close_time: got 5",
        "books.jsonl:1: levels: got [['1.00', '5']], expected prices between 0 and 1 and sizes above 0",
    ]


@pytest.mark.parametrize(
    "about", ["", "{}", '{"format": 2, "exchange": "kalshi"}', '{"format": 1, "exchange": "moon"}']
)
def test_a_folder_of_another_kind_is_refused(about: str) -> None:
    assert problems_of(about, **files(rows(2)))[0].startswith("about.json: expected")


def test_a_repeated_key_of_a_row_is_refused() -> None:
    good = files(rows(2))
    twice = good["markets"].splitlines()[0][:-1] + ',"volume":"1.00"}'
    (problem,) = problems_of(about_text("kalshi"), markets=twice)

    assert problem.startswith('markets.jsonl:1: the key "volume" occurs twice')
    assert problems_of('{"format":1,"format":1,"exchange":"kalshi"}', **good)[0].startswith("about.json: expected")


def test_a_title_may_hold_any_line_separator() -> None:
    texts = files(rows(2))
    event, *others = texts["events"].splitlines()
    changed = json.dumps({**json.loads(event), "title": "a\u2028b"}, ensure_ascii=False)
    found = recording_from(about_text("kalshi"), {**texts, "events": "\n".join([changed, *others])})

    assert len(found.rows) == len(recording_from(about_text("kalshi"), texts).rows)


def test_an_empty_recording_is_refused() -> None:
    assert problems_of(about_text("kalshi")) == ["markets.jsonl: no rows"]


def test_only_the_first_problems_of_a_file_are_reported() -> None:
    problems = problems_of(about_text("kalshi"), markets="x\n" * (MAX_PROBLEMS + 5))

    assert (len(problems), problems[-1]) == (MAX_PROBLEMS + 1, "and 5 more")
