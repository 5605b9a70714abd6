from __future__ import annotations

import json

import pytest

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.parse import ParsedForecasts, forecasts_from

ROW = {"agent": "a", "market": "m", "p": 0.5, "y": 1}


def read(content: str, name: str = "f.json") -> ParsedForecasts:
    return forecasts_from(FileContent(name, content.encode()))


def problems_of(content: str, name: str = "f.json") -> list[str]:
    return [str(problem) for problem in read(content, name).problems]


@pytest.mark.parametrize(
    "content",
    [json.dumps([ROW]), json.dumps([ROW], indent=2), json.dumps(ROW), f"\ufeff\n  {json.dumps(ROW)}\n\n",
     '[{"Agent ":"a","MARKET":"m","p":"0.50","y":true}]\n'],
    ids=["array", "array over lines", "line", "mark and blank lines", "other cases"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["f.json", "f.jsonl", "f"])
def test_arrays_and_lines_are_read(content: str, name: str) -> None:
    parsed = read(content, name)

    assert parsed.table is not None
    assert (parsed.table.p.tolist(), parsed.table.y.tolist()) == ([0.5], [1])


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            '{"agent":"a","market":"m","p":0.9,"p":0.1,"y":1}',
            'f.json:1: the key "p" occurs twice, with 0.9 and 0.1',
        ),
        ('[\n{"agent":"a","market":"m","p":1},\n{"p":1,"p":2}]', 'f.json:3: the key "p" occurs twice, with 1 and 2'),
        (
            '{"agent":"a","market":"m","p":{"a":1,"a":2}}',
            'f.json:1: p: the key "a" occurs twice, with 1 and 2',
        ),
        ('{"agent":"a","market":"m","p":1,"P":1}', "f.json:1: column p occurs twice"),
        ('[{"agent":"a","market":"m","p":1}', "f.json:1: not JSON: Expecting ',' or ']' at column 34"),
        ('[{"agent":"a","market":"m","p":1},]', "f.json:1: not JSON: Expecting value at column 35"),
        ('[{"agent":"a","market":"m","p":1}]\nx', "f.json:2: not JSON: Extra data after the array at column 1"),
        ("[\n\n[1]]", "f.json:3: not a JSON object. An array must hold objects"),
        ("[]", "f.json: the file has no forecast"),
        ("[" * 100_000, "f.json:1: not JSON: "),
        (
            '{"agent":"a","market":["m"],"p":1}',
            "f.json:1: market: got an array, expected a text, a number, true, false or null",
        ),
        (
            '{"agent":{"0":"a"},"market":{"0":"m"},"p":{"0":1}}',
            "f.json:1: agent: got an object, expected a text, a number, true, false or null",
        ),
        ('{"agent":"a","market":"m","p":1,"extra":1}', "f.json:1: unknown column extra: rename it or remove it"),
        ('{"agent":"a","market":"m","p":Infinity}', 'f.json:1: p: got "Infinity", expected a probability'),
    ],
)  # fmt: skip
def test_a_wrong_text_says_what_is_wrong(content: str, wanted: str) -> None:
    assert problems_of(content)[0].startswith(wanted)


def test_a_row_of_an_array_has_the_line_on_which_it_begins() -> None:
    rows = [ROW, {**ROW, "agent": "b", "p": 2}]

    assert problems_of(json.dumps(rows, indent=1))[0].startswith('f.json:8: p: got "2"')


def test_numbers_keep_their_digits() -> None:
    parsed = read('{"agent":1.50,"market":12345678901234567890123,"p":0.1}')

    assert parsed.table is not None
    assert (parsed.table.agents, parsed.table.markets) == (("1.50",), ("12345678901234567890123",))


def test_rows_may_have_different_keys() -> None:
    parsed = read('{"agent":"a","market":"m","p":1}\n{"y":1,"p":null,"market":"n","agent":"a"}\n')

    assert parsed.table is not None
    assert str(parsed.table.y.tolist()) == "[nan, 1.0]"
