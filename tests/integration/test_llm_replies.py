"""Replies that are read without asking again, through the real libraries over TCP: the fake counts the requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.openrouter.server import FORECAST, OpenRouter, Reply, serving

from coliseum.arena.agents.reply import ForecastReply
from coliseum.config import Settings
from coliseum.llm.client import ModelAgent, create_agent
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.llm.options import Options, OutputMode
from coliseum.llm.results import AgentResult

MODEL = "vendor/model-1"
CLAUDE = "anthropic/claude-haiku-5.5"
TEXT = json.dumps(FORECAST)
READ = 0.37


@pytest.fixture(scope="module")
def openrouter() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(openrouter: OpenRouter) -> None:
    openrouter.scripts.clear()
    openrouter.requests.clear()


def agent(openrouter: OpenRouter, model: str = MODEL, mode: OutputMode = OutputMode.AUTO) -> ModelAgent[ForecastReply]:
    return create_agent(
        model=model,
        system_prompt="Forecast.",
        output_type=ForecastReply,
        output_mode=mode,
        options=Options(connection_retries=0),
        settings=Settings(openrouter_api_key="sk-or-v1-0123456789abcdef", openrouter_base_url=openrouter.url),
    )


def ask(openrouter: OpenRouter, reply: Reply, **more: Any) -> AgentResult[ForecastReply]:
    made = agent(openrouter, **more)
    openrouter.script(made.model, reply)
    return asyncio.run(made.run("Will it?"))


def call(arguments: Any, name: str = "final_result") -> dict[str, Any]:
    return {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


def forecast(**changes: Any) -> str:
    return json.dumps({**FORECAST, **changes})


PARTS = [{"type": "text", "text": part} for part in (TEXT[:9], TEXT[9:])]
READABLE: list[tuple[str, dict[str, Any], set[str]]] = [
    ("as asked", call(TEXT), set()),
    ("a JSON string that holds JSON", call(json.dumps(TEXT)), {"encoded_twice"}),
    ("that once more", call(json.dumps(json.dumps(TEXT))), {"encoded_twice"}),
    ("arguments as an object", call(FORECAST), {"arguments_object"}),
    ("a tool under another name", call(TEXT, "ForecastReply"), set()),
    ("the old form of a call", {"function_call": {"name": "x", "arguments": TEXT}}, {"function_call"}),
    ("the answer as text", {"content": TEXT}, set()),
    ("two equal calls", {"tool_calls": [*call(TEXT)["tool_calls"], *call(TEXT)["tool_calls"]]}, set()),
    ("a code fence", {"content": f"Here:\n```json\n{TEXT}\n```\nGood luck!"}, {"code_fence"}),
    ("thoughts with a draft", {"content": f'<think>{{"probability": 0.1}}?</think>\n{TEXT}'}, set()),
    ("thoughts without their beginning", {"content": f"maybe 0.1</think>\n{TEXT}"}, {"thoughts"}),
    ("words around it", {"content": f"I say {TEXT} and stay with it."}, {"text_around"}),
    ("words beside a call", {"content": "Let me answer.", **call(TEXT)}, set()),
    ("only reasoning", {"reasoning": f"So it is {TEXT}"}, {"reasoning_only", "text_around"}),
    ("only reasoning_content", {"reasoning_content": TEXT}, {"reasoning_only"}),
    ("a list of parts", {"content": PARTS}, {"content_parts"}),
    ("an object as content", {"content": FORECAST}, {"content_object"}),
    ("a wrapper", {"content": json.dumps({"forecast": FORECAST})}, {"wrapped"}),
    ("a call written as text", {"content": json.dumps({"name": "final_result", "arguments": TEXT})}, {"wrapped"}),
    ("an array of one", {"content": json.dumps([FORECAST])}, {"one_element_array"}),
    ("a trailing comma and a comment", {"content": TEXT[:-1] + ", // done\n}"}, {"relaxed_json"}),
    ("a number as text", call(forecast(probability="0.37")), {"number_as_text:probability"}),
    ("a percent sign", call(forecast(probability="37%")), {"percent:probability"}),
    ("the word percent", call(forecast(probability="37 percent")), {"percent:probability"}),
    ("a decimal comma", call(forecast(probability="0,37")), {"decimal_comma:probability"}),
    ("a range", call(forecast(probability="0.36 - 0.38")), {"range_middle:probability"}),
    ("a range in percent", call(forecast(probability="36-38%")), {"range_middle:probability"}),
    ("percent everywhere", call(forecast(probability=37, low=25, high=50)), {"percent:low"}),
    ("only the number", call('{"probability": 0.37}'), {"missing:low", "missing:rationale"}),
    ("a lone surrogate", call(TEXT.replace("status quo", "\\ud800")), {"characters_replaced"}),
    ("NUL", call(forecast(rationale="a\0b")), set()),
    ("a text that is too long", call(forecast(rationale="x" * 5000)), {"cut:rationale"}),
    ("a raw line break inside a text", call(TEXT.replace("momentum", "a\nb")), set()),
    ("reasoning details of an unknown kind", {**call(TEXT), "reasoning_details": [{"type": "new"}]}, set()),
]  # fmt: skip


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
@pytest.mark.parametrize(("message", "repairs"), [row[1:] for row in READABLE], ids=[row[0] for row in READABLE])
def test_one_request_is_enough_where_only_one_meaning_is_possible(
    openrouter: OpenRouter, model: str, message: dict[str, Any], repairs: set[str]
) -> None:
    """Also of a model that was asked for text, and answered with a call, or the other way round."""
    result = ask(openrouter, Reply(message=message), model=model)
    assert result.output.probability == pytest.approx(READ)
    assert len(openrouter.requests) == 1
    assert repairs <= set(result.repairs)
    assert result.record.raw_reply


@pytest.mark.parametrize(
    ("model", "message", "repairs"),
    [
        (MODEL, call(TEXT), ()),
        (CLAUDE, {"content": TEXT}, ()),
        (MODEL, {"content": TEXT}, ("text_for_call",)),
        (CLAUDE, call(TEXT), ("call_for_text",)),
        (MODEL, call(TEXT, "other"), ("tool_name",)),
    ],
)
def test_only_what_differs_from_what_was_asked_is_a_repair(
    openrouter: OpenRouter, model: str, message: dict[str, Any], repairs: tuple[str, ...]
) -> None:
    assert ask(openrouter, Reply(message=message), model=model).repairs == repairs


def test_half_a_percent_is_not_half(openrouter: OpenRouter) -> None:
    result = ask(openrouter, Reply(arguments={**FORECAST, "probability": 0.5, "low": 0.2, "high": 2}))
    assert (result.output.probability, result.output.low, result.output.high) == (0.01, 0.01, 0.02)
    assert len(openrouter.requests) == 1


@pytest.mark.parametrize(
    "text", ['{"abstain": true, "probability": null}', '{"abstain": true}', forecast(abstain=True)]
)
def test_an_abstention_needs_one_request(openrouter: OpenRouter, text: str) -> None:
    result = ask(openrouter, Reply(message=call(text)))
    assert result.output.forecast().abstain
    assert len(openrouter.requests) == 1


OTHER = call(forecast(probability=0.4))
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("two texts", {"content": f"{TEXT}\n{forecast(probability=0.4)}"}, "two different answers"),
    ("a text beside a call", {**call(TEXT), "content": forecast(probability=0.4)}, "two different answers"),
    ("two calls", {"tool_calls": [*call(TEXT)["tool_calls"], *OTHER["tool_calls"]]}, "two different answers"),
    ("one name twice", call('{"probability": 0.3, "probability": 0.6}'), "two different values"),
    ("two spellings of a name", call('{"probability": 0.3, "Probability": 0.6}'), "two different values"),
    ("no unit that fits", call(forecast(probability=0.6, low=0.7, high=0.8)), "not between low and high"),
    ("units that contradict each other", call(forecast(probability=0.1, low=0.2, high=2)), "not between low and high"),
    ("two units that fit", call(forecast(probability=0.5, low=0.1, high=60)), "both fit its range"),
    ("certainty or one percent", call(forecast(probability=1, low=0.9, high=1)), "certainty or 1 %"),
    ("thousands or a decimal comma", call(forecast(probability="1,000")), "decimal comma"),
    ("words", call(forecast(probability="likely")), "'likely' is not one number"),
    ("the other side", call(forecast(probability="35% NO")), "'35% NO' is not one number"),
    ("nothing", call(forecast(probability=None)), "or abstain: true"),
    ("another market's object", {"content": '{"market": {"probability": 0.4}}'}, "no object with"),
    ("a draft in the reasoning", {"reasoning": f"{TEXT} Hmm, rather not."}, "does not end with an answer"),
    ("half an answer", {"content": f'{{"draft": {TEXT}, "probability": 0.'}, "no complete JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_could_mean_two_things_is_refused_with_the_reason(
    openrouter: OpenRouter, message: dict[str, Any], reason: str
) -> None:
    made = agent(openrouter)
    openrouter.script(MODEL, Reply(message=message))
    with pytest.raises(ModelFailed) as caught:
        asyncio.run(made.run("Will it?"))
    assert caught.value.failure is FailureKind.INVALID_OUTPUT
    assert reason in str(caught.value)
    assert len(openrouter.requests) == made.options.output_retries + 1


def test_a_refused_reply_can_be_corrected_by_the_model(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(message=call(forecast(probability=1, low=0.9, high=1))), Reply())
    result = asyncio.run(agent(openrouter).run("Will it?"))
    assert result.output.probability == READ
    assert "certainty or 1 %" in json.dumps(openrouter.requests[1]["messages"])
    assert result.repairs == ()


@pytest.mark.parametrize("reason", ["content_filter", "error"])
def test_what_a_stopped_reply_holds_is_no_answer(openrouter: OpenRouter, reason: str) -> None:
    made = agent(openrouter)
    openrouter.script(MODEL, Reply(message={"content": f"I think {TEXT}"}, finish_reason=reason))
    with pytest.raises(ModelFailed):
        asyncio.run(made.run("Will it?"))


def test_a_reasoning_that_was_cut_off_holds_no_answer(openrouter: OpenRouter) -> None:
    made = agent(openrouter)
    openrouter.script(MODEL, Reply(message={"reasoning": TEXT}, finish_reason="length"))
    with pytest.raises(ModelFailed) as caught:
        asyncio.run(made.run("Will it?"))
    assert caught.value.failure is FailureKind.TRUNCATED
    assert len(openrouter.requests) == 1
