from __future__ import annotations

import pytest

from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.lookalikes import folded, visible
from coliseum_local.forecast_files.parse import forecasts_from


def warnings_of(
    rows: str, outcomes: str | None = None, header: str = "agent,event,market,window,category,p"
) -> list[str]:
    parsed = forecasts_from(
        FileContent("f.csv", f"{header}\n{rows}".encode()),
        None if outcomes is None else FileContent("o.csv", outcomes.encode()),
    )
    assert parsed.problems == ()
    return [str(warning) for warning in parsed.warnings]


@pytest.mark.parametrize(
    "other",
    ["CAFÉ 1", "cafe\u0301 1", "café\u00a01", "café\u200b 1", "café 1\ufeff", "\u202acafé 1", "café  1",
     "caf\u00e9\u20071",
     "ｃafé 1", "café\u00ad 1", "café\u2060 1", "café\ufe0f 1", "café \u2460"],
)  # fmt: skip
def test_two_spellings_of_a_name_fold_to_the_same(other: str) -> None:
    assert folded(other) == folded("café 1")


@pytest.mark.parametrize("other", ["cafe 1", "café 2", "café-1", "café1"])
def test_names_that_can_be_told_apart_stay_apart(other: str) -> None:
    assert folded(other) != folded("café 1")


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("agent", "gpt", "GPT"), ("agent", "é", "e\u0301"), ("event", "e", "e\u200b"), ("market", "m", "m\u2060"),
        ("window", "w1", "\uff571"), ("category", "Politics", "politics"),
    ],
)  # fmt: skip
def test_each_name_is_compared_and_both_lines_are_shown(column: str, first: str, second: str) -> None:
    names = {"agent": "a", "event": "e", "market": "m", "window": "w", "category": "c", "p": "0.5"}
    rows = [{**names, column: first}, {**names, column: second}]
    rows[1]["event"] = second if column == "event" else "e" if column == "market" else rows[1]["event"]
    if column == "category":
        rows[1]["market"] = "n"
    (warning,) = warnings_of("".join(",".join(row.values()) + "\n" for row in rows))

    assert warning.startswith(f"f.csv:3: {column}: {visible(second)} here and {visible(first)} in line 2 look ")
    assert warning.endswith("count as different names")


def test_white_space_around_a_name_is_removed_with_a_warning() -> None:
    (warning,) = warnings_of("a,e,m,1,,0.5\na\u00a0,e,n,1,,0.5\n")

    assert warning == (
        'f.csv:3: agent: "a<U+00A0>" here and "a" in line 2 differ only in white space around them '
        "and count as the same name"
    )


def test_names_of_the_two_files_are_compared() -> None:
    found = warnings_of("a,,m1,1,,0.5\na,,M2,1,,0.5\n", outcomes="market,y\nm1,1\nm2,1\n")

    assert found == ['o.csv:3: market: "m2" here and "M2" in f.csv, line 3 look alike, but count as different names']


def test_markets_of_different_events_may_have_similar_names() -> None:
    assert warnings_of("a,e1,yes,1,,0.5\na,e2,YES,1,,0.5\n") == []


def test_a_name_that_stands_for_a_missing_value_is_warned_about() -> None:
    (warning,) = warnings_of("a,e,m,1,NA,0.5\nb,e,m,1,,0.5\n")

    assert warning == 'f.csv:2: category: "NA" counts as missing. If it is a name, write it in another way'


@pytest.mark.parametrize(
    ("name", "latin"),
    [("\u0430lpha", "alpha"), ("\u0391lpha", "alpha"), ("GPT-\u039f1", "gpt-o1"), ("\u0455\u0440\u0430ce", "space")],
)
def test_letters_of_other_scripts_that_look_latin_fold_to_these(name: str, latin: str) -> None:
    assert folded(name) == latin


def test_a_name_with_a_letter_of_another_script_is_warned_about_with_its_code() -> None:
    (warning,) = warnings_of("alpha,e,m,1,,0.5\n\u0430lpha,e,m,1,,0.6\n")
    assert warning == (
        'f.csv:3: agent: "<U+0430>lpha" here and "alpha" in line 2 look alike, but count as different names'
    )


def test_a_name_in_another_script_alone_is_not_warned_about() -> None:
    assert warnings_of("\u041c\u043e\u0441\u043a\u0432\u0430,e,m,1,,0.5\n\u0420\u0438\u0433\u0430,e,m,1,,0.6\n") == []
