from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.openrouter.server import FORECAST

from coliseum.arena.agents.reply import ForecastReply
from coliseum.llm.reading import ReadAnswer, RefusedReply, ReplyTexts, read_reply


class Weather(BaseModel):
    city: str
    degrees: float


def read(text: str = "", *, calls: tuple[str, ...] = (), reasoning: str = "") -> ReadAnswer | RefusedReply:
    return read_reply(ReplyTexts(calls, text, reasoning), ForecastReply)


def value(read_: ReadAnswer | RefusedReply) -> float | None:
    return read_.values["probability"] if isinstance(read_, ReadAnswer) else None


def forecast(probability: Any) -> str:
    return json.dumps({**FORECAST, "probability": probability, "low": 0.01, "high": 0.99})


def test_any_output_type_is_read() -> None:
    text = 'It is {"city": "Bonn", "degrees": 3}'
    found = read_reply(ReplyTexts((), text, ""), Weather)
    assert found == ReadAnswer({"city": "Bonn", "degrees": 3.0}, ("text_around",))
    refused = read_reply(ReplyTexts((), '{"city": "Bonn"}', ""), Weather)
    assert refused == RefusedReply("degrees: Field required")


def test_the_same_answer_twice_is_one_answer() -> None:
    assert value(read(forecast(0.3), calls=(forecast(0.3),))) == 0.3


def test_an_unreadable_answer_beside_a_readable_one_is_refused() -> None:
    assert isinstance(read(forecast("likely"), calls=(forecast(0.3),)), RefusedReply)


Wrap = Callable[[str], str]
IN_JSON: list[Wrap] = [
    json.dumps,
    lambda text: json.dumps({"forecast": text}),
    lambda text: json.dumps({"name": "final_result", "arguments": text}),
    lambda text: json.dumps([text]),
]
IN_TEXT: list[Wrap] = [
    lambda text: text,
    lambda text: f"```json\n{text}\n```",
    lambda text: f"Here it is:\n```\n{text}\n```\nAll the best.",
    lambda text: f"<think>It was 0.11 before.</think>\n{text}",
    lambda text: f"My answer is {text}, as I said." if text.startswith("{") else text,
    lambda text: f"  \n{text}\n",
]
WRAPPERS = [*IN_JSON, *IN_TEXT]


@given(st.integers(1, 99), st.lists(st.sampled_from(IN_JSON), max_size=3), st.sampled_from(IN_TEXT))
def test_no_wrapping_changes_an_answer(percent: int, wrappers: list[Wrap], last: Wrap) -> None:
    text = forecast(percent / 100)
    for wrap in wrappers:
        text = wrap(text)
    text = last(text)
    assert value(read(text)) == percent / 100
    assert value(read(calls=(text,))) == percent / 100
    if "best" not in text and "said" not in text:  # nothing is said after the answer
        assert value(read(reasoning=text)) == percent / 100


@given(st.integers(1, 99), st.sampled_from(WRAPPERS), st.data())
def test_an_answer_that_was_cut_off_is_the_same_number_or_refused(
    percent: int, wrap: Wrap, data: st.DataObject
) -> None:
    number = percent / 100
    text = wrap(
        json.dumps({**FORECAST, "draft": {"probability": 0.123}, "probability": number, "low": 0.01, "high": 1})
    )
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for part in (text[:end], text[start:]):
        assert value(read(part)) in {None, number}


SYNTAX = '{}[]":,\\` \n<>/'


@given(st.integers(1, 99), st.sampled_from(WRAPPERS), st.data())
def test_broken_syntax_gives_the_same_number_or_a_refusal(percent: int, wrap: Wrap, data: st.DataObject) -> None:
    number = percent / 100
    text = wrap(
        json.dumps({**FORECAST, "draft": {"probability": 0.123}, "probability": number, "low": 0.01, "high": 1})
    )
    places = [place for place, character in enumerate(text) if character in SYNTAX]
    place = data.draw(st.sampled_from(places))
    more = data.draw(st.text(SYNTAX, max_size=2))
    assert value(read(text[:place] + more + text[place + 1 :])) in {None, number}


NUMBERS = st.one_of(
    st.floats(0, 1).map(lambda number: round(number, 3)),
    st.integers(0, 120),
    st.integers(0, 100).map(lambda number: f"{number}%"),
    st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda ends: f"{ends[0]} - {ends[1]} %"),
    st.text(max_size=5),
)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_reading_is_a_number_of_the_reply_or_the_middle_of_its_range(probability: Any, low: Any, high: Any) -> None:
    import re

    text = json.dumps({"probability": probability, "low": low, "high": high})
    first = read(text)
    assert first == read(text)
    number = value(first)
    if number is None:
        return
    found = [float(part) for part in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", str(probability))]
    units = [scale * sum(found) / len(found) for scale in (1, 0.01)]
    assert any(number == pytest.approx(min(0.99, max(0.01, unit))) for unit in units)


@given(st.text(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_any_reply_is_read_or_refused(text: str, call: str, reasoning: str) -> None:
    assert isinstance(read_reply(ReplyTexts((call,), text, reasoning), ForecastReply), ReadAnswer | RefusedReply)
