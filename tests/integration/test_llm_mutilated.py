"""Mutilated completions through the real libraries: the same number, or a ModelFailed, and never anything else."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.openrouter.server import FORECAST, JSON, OpenRouter, Reply, serving

from coliseum.arena.agents.reply import ForecastReply
from coliseum.config import Settings
from coliseum.llm.client import create_agent
from coliseum.llm.failures import ModelFailed
from coliseum.llm.options import Options

MODEL = "vendor/model-1"
ANSWER = json.dumps({**FORECAST, "draft": {"probability": 0.123}})
CALL = {"id": "c1", "type": "function", "function": {"name": "final_result", "arguments": ANSWER}}
DOCUMENT: dict[str, Any] = {
    "id": "gen-1",
    "object": "chat.completion",
    "created": 1_795_262_400,
    "model": MODEL,
    "provider": "Fake",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "native_finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": None, "refusal": None, "reasoning": "hm", "tool_calls": [CALL]},
        }
    ],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 400, "total_tokens": 1600, "cost": 0.0021},
}


@pytest.fixture(scope="module")
def openrouter() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


def probability(openrouter: OpenRouter, reply: Reply) -> float | None:
    """What was read of the reply; None where nothing was."""
    openrouter.requests.clear()
    openrouter.headers.clear()
    openrouter.script(MODEL, reply)
    made = create_agent(
        model=MODEL,
        system_prompt="Forecast.",
        output_type=ForecastReply,
        options=Options(connection_retries=0, output_retries=0),
        settings=Settings(openrouter_api_key="sk-or-v1-0123456789abcdef", openrouter_base_url=openrouter.url),
    )
    try:
        result = asyncio.run(made.run("Will it?"))
    except ModelFailed:
        return None
    finally:
        assert len(openrouter.requests) == 1
    return result.output.probability


def raw(body: bytes) -> Reply:
    return Reply(body=body, headers=JSON)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [found for key, part in items for found in _paths(part, (*path, key))]
    return [path, *inner] if path else inner


PATHS = _paths(DOCUMENT)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.text(max_size=5),
    st.just("\ud800\0"),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def changed(path: tuple[Any, ...], junk: Any, *, remove: bool) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    if remove:
        del target[path[-1]]
    else:
        target[path[-1]] = junk
    return document


BESIDE: list[tuple[Any, ...]] = [
    ("id",), ("object",), ("created",), ("provider",), ("system_fingerprint",), ("service_tier",), ("moderation",),
    ("unknown",), ("usage", "queue_time"), ("choices", 0, "index"), ("choices", 0, "finish_reason"),
    ("choices", 0, "native_finish_reason"), ("choices", 0, "logprobs"), ("choices", 0, "unknown"),
    ("choices", 0, "message", "role"), ("choices", 0, "message", "refusal"), ("choices", 0, "message", "audio"),
    ("choices", 0, "message", "annotations"), ("choices", 0, "message", "reasoning"),
    ("choices", 0, "message", "reasoning_details"), ("choices", 0, "message", "function_call"),
]  # fmt: skip
"""Parts of a reply that are not the answer."""


@pytest.mark.parametrize("junk", [None, 7, 1.5, "t", True, [1], [{}], {"a": 1}], ids=str)
def test_what_is_beside_the_answer_never_loses_it(openrouter: OpenRouter, junk: Any) -> None:
    """Servers that speak OpenAI's protocol differ in these parts, and the answer has been paid for."""
    document = copy.deepcopy(DOCUMENT)
    for *path, name in BESIDE:
        if name == "refusal" and isinstance(junk, str):
            continue  # a text is a refusal
        target: Any = document
        for key in path:
            target = target[key]
        target[name] = junk
    assert probability(openrouter, raw(json.dumps(document).encode())) == FORECAST["probability"]


COUNT = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@COUNT
@given(path=st.sampled_from(PATHS), junk=JUNK, remove=st.booleans())
def test_a_changed_part_gives_the_same_number_or_a_failure(
    openrouter: OpenRouter, path: tuple[Any, ...], junk: Any, remove: bool
) -> None:
    body = json.dumps(changed(path, junk, remove=remove)).encode("utf-8", "surrogatepass")
    assert probability(openrouter, raw(body)) in {None, 0.37}


BODY = json.dumps(DOCUMENT).encode()


@COUNT
@given(start=st.integers(0, len(BODY)), length=st.integers(0, 40), junk=st.binary(max_size=3))
def test_lost_or_changed_bytes_outside_the_answer_give_the_same_number_or_a_failure(
    openrouter: OpenRouter, start: int, length: int, junk: bytes
) -> None:
    begin = BODY.index(json.dumps(ANSWER).encode())
    end = begin + len(json.dumps(ANSWER).encode())
    if start < end and start + length > begin:  # inside it a digit may be lost, which nobody can see
        start, length = end, min(length, len(BODY) - end)
    assert probability(openrouter, raw(BODY[:start] + junk + BODY[start + length :])) in {None, 0.37}


@COUNT
@given(length=st.integers(0, len(BODY)))
def test_a_body_that_ends_early_is_a_failure(openrouter: OpenRouter, length: int) -> None:
    expected = 0.37 if length == len(BODY) else None
    assert probability(openrouter, raw(BODY[:length])) == expected


def test_an_answer_that_is_whole_is_read_although_the_reply_was_cut_off(openrouter: OpenRouter) -> None:
    text = json.dumps(FORECAST)
    assert probability(openrouter, Reply(message={"content": f"{text} And I"}, finish_reason="length")) == 0.37
    assert probability(openrouter, Reply(message={"content": f"{text} or {text[:40]}"}, finish_reason="length")) is None
