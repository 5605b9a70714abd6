"""The client of models: the real pydantic-ai and openai over TCP, against a fake OpenRouter that fails on demand."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.openrouter.server import FORECAST, OpenRouter, Reply, refusal, serving

from coliseum.arena.agents.reply import ForecastReply
from coliseum.config import Settings
from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.llm.client import ModelAgent, create_agent
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.llm.options import Options, OutputMode, Prices
from coliseum.llm.results import AgentResult, CostSource

MODEL = "vendor/model-1"
KEY = "sk-or-v1-0123456789abcdef"
PRICES = Prices(Decimal(1), Decimal(2))
NULL_CHOICES = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "provider": "Fake", "choices": None}
TEXT = json.dumps(FORECAST)


@pytest.fixture(scope="module")
def openrouter() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(openrouter: OpenRouter) -> None:
    openrouter.scripts.clear()
    openrouter.requests.clear()
    openrouter.headers.clear()


def settings(openrouter: OpenRouter, **changes: Any) -> Settings:
    return Settings(openrouter_api_key=KEY, openrouter_base_url=openrouter.url, **changes)


def agent(openrouter: OpenRouter, *, model: str = MODEL, **changes: Any) -> ModelAgent[ForecastReply]:
    options = changes.pop("options", Options(connection_retries=0))
    return create_agent(
        model=model,
        system_prompt="Forecast.",
        output_type=ForecastReply,
        options=options,
        settings=settings(openrouter),
        **changes,
    )


def ask(model_agent: ModelAgent[Any], **more: Any) -> AgentResult[Any]:
    return asyncio.run(model_agent.run("Will it?", **more))


def fail(model_agent: ModelAgent[Any], **more: Any) -> ModelFailed:
    with pytest.raises(ModelFailed) as caught:
        ask(model_agent, **more)
    return caught.value


def test_the_older_interface_still_works(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content="Yes."))
    made = create_agent(model=f"openai:{MODEL}", system_prompt="Be brief.", settings=settings(openrouter))
    result = ask(made)
    assert result.output == result.data == "Yes."
    assert openrouter.requests[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Will it?"},
    ]


def test_a_forecast_has_its_bill_host_and_messages(openrouter: OpenRouter) -> None:
    result = ask(agent(openrouter))
    assert result.output.probability == 0.37
    assert (result.cost_usd, result.cost_source) == (Decimal("0.0021"), CostSource.BILLED)
    record = result.record
    assert (record.model_served, record.host, record.requests) == (MODEL, "Fake", 1)
    assert (record.input_tokens, record.output_tokens) == (1200, 400)
    assert json.loads(record.raw_reply) == FORECAST
    assert [message["kind"] for message in json.loads(record.messages)][:2] == ["request", "response"]


def test_a_request_names_one_model_and_limits_its_reply(openrouter: OpenRouter) -> None:
    options = Options(quantizations=("fp8",), temperature=0.2, cache_seconds=600)
    ask(agent(openrouter, options=options))
    body, headers = openrouter.requests[0], openrouter.headers[0]
    assert body["model"] == MODEL
    assert "models" not in body
    assert (body["max_tokens"], body["temperature"], body["reasoning"]) == (3000, 0.2, {"effort": "low"})
    assert body["provider"] == {"allow_fallbacks": True, "require_parameters": True, "quantizations": ["fp8"]}
    assert (headers["x-openrouter-cache"], headers["x-openrouter-cache-ttl"]) == ("true", "600")
    assert headers["authorization"] == f"Bearer {KEY}"


def test_another_base_url_keeps_the_attribution_headers(openrouter: OpenRouter) -> None:
    used = settings(openrouter, openrouter_app_url="https://arena.example")
    asyncio.run(create_agent(model=MODEL, system_prompt="", settings=used).run("?"))
    assert (openrouter.headers[0]["x-title"], openrouter.headers[0]["http-referer"]) == (
        "Coliseum",
        "https://arena.example",
    )


def test_the_same_prompt_sends_the_same_bytes(openrouter: OpenRouter) -> None:
    """So a repeated delivery may be answered from OpenRouter's cache, free of charge."""
    ask(agent(openrouter))
    ask(agent(openrouter))
    assert openrouter.requests[0] == openrouter.requests[1]


REFUSALS: list[tuple[Reply, FailureKind, int | None, float | None]] = [
    (refusal(400), FailureKind.REJECTED, 400, None),
    (
        refusal(400, "maximum context length is 100", metadata={"error_type": "context_length_exceeded"}),
        FailureKind.TOO_LONG,
        400,
        None,
    ),
    (refusal(401), FailureKind.KEY_REFUSED, 401, None),
    (refusal(402), FailureKind.CREDIT, 402, None),
    (
        refusal(402, headers={"Retry-After": "3"}, metadata={"limit_source": "openrouter_in_flight_budget"}),
        FailureKind.IN_FLIGHT_BUDGET,
        402,
        3.0,
    ),
    (refusal(403), FailureKind.KEY_REFUSED, 403, None),
    (refusal(403, metadata={"limit_source": "openrouter_key_limit"}), FailureKind.KEY_BUDGET, 403, None),
    (refusal(404, availability={"code": "model_deprecated", "retryable": False}), FailureKind.MODEL_GONE, 404, None),
    (refusal(404, availability={"code": "no_endpoints", "retryable": True}), FailureKind.UNAVAILABLE, 404, None),
    (
        Reply(status=404, body=b"<html>who?</html>", headers={"Content-Type": "text/html"}),
        FailureKind.NETWORK,
        404,
        None,
    ),
    (refusal(408), FailureKind.TIMEOUT, 408, None),
    (refusal(409), FailureKind.REJECTED, 409, None),
    (refusal(413), FailureKind.TOO_LONG, 413, None),
    (refusal(422), FailureKind.REJECTED, 422, None),
    (refusal(429, headers={"Retry-After": "7"}), FailureKind.RATE_LIMITED, 429, 7.0),
    (refusal(429, availability={"code": "capacity_exhausted", "retry_after": 9}), FailureKind.RATE_LIMITED, 429, 9.0),
    (refusal(500), FailureKind.UNAVAILABLE, 500, None),
    (refusal(502), FailureKind.UNAVAILABLE, 502, None),
    (refusal(503), FailureKind.OVERLOADED, 503, None),
    (refusal(504), FailureKind.TIMEOUT, 504, None),
    (refusal(529), FailureKind.OVERLOADED, 529, None),
    (Reply(body=json.dumps({"error": {"code": 502, "message": "died"}}).encode()), FailureKind.UNAVAILABLE, 502, None),
    (Reply(body=json.dumps(NULL_CHOICES).encode()), FailureKind.MALFORMED, None, None),
    (Reply(body=b"<html>gateway</html>", headers={"Content-Type": "text/html"}), FailureKind.MALFORMED, None, None),
]


@pytest.mark.parametrize(("reply", "failure", "status", "retry_after"), REFUSALS)
def test_every_error_reply_has_its_kind_of_failure_and_no_known_cost(
    openrouter: OpenRouter, reply: Reply, failure: FailureKind, status: int | None, retry_after: float | None
) -> None:
    openrouter.script(MODEL, reply)
    failed = fail(agent(openrouter))
    assert (failed.failure, failed.status, failed.retry_after) == (failure, status, retry_after)
    assert failed.record.bill.cost is None
    assert failed.record.requests == len(openrouter.requests) == 1
    assert KEY not in str(failed)


REPLIES: list[tuple[Reply, FailureKind, int]] = [
    (Reply(content=TEXT[:60], finish_reason="length"), FailureKind.TRUNCATED, 1),
    (Reply(content="", finish_reason="content_filter"), FailureKind.FILTERED, 1),
    (Reply(content="", finish_reason="error"), FailureKind.UNAVAILABLE, 1),
    (Reply(content="Half a sen", finish_reason="error"), FailureKind.UNAVAILABLE, 1),
    (Reply(content="Half a sen", finish_reason="content_filter"), FailureKind.FILTERED, 1),
    (Reply(content=""), FailureKind.INVALID_OUTPUT, 3),
    (Reply(content="I would say it is likely."), FailureKind.INVALID_OUTPUT, 3),
    (Reply(arguments={**FORECAST, "probability": 1.7}), FailureKind.INVALID_OUTPUT, 3),
]


@pytest.mark.parametrize(("reply", "failure", "requests"), REPLIES)
def test_a_reply_without_a_forecast_is_a_failure_with_a_bill(
    openrouter: OpenRouter, reply: Reply, failure: FailureKind, requests: int
) -> None:
    openrouter.script(MODEL, reply)
    failed = fail(agent(openrouter))
    assert failed.failure is failure
    assert len(openrouter.requests) == requests
    assert failed.record.bill.cost == Decimal("0.0021") * requests
    assert failed.record.bill.source is CostSource.BILLED
    assert failed.retryable == (failure is FailureKind.UNAVAILABLE)


def test_keepalive_white_space_is_not_part_of_the_answer(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(before=b"\n \n\n"))
    assert ask(agent(openrouter)).output.probability == 0.37


def test_an_answer_in_the_wrong_shape_is_sent_back_to_the_model(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content="Likely."), Reply(arguments={**FORECAST, "probability": 1.7}), Reply())
    result = ask(agent(openrouter))
    assert result.output.probability == 0.37
    assert (result.record.requests, result.cost_usd) == (3, Decimal("0.0063"))


@pytest.mark.parametrize("content", [f"```json\n{TEXT}\n```", f"Here you are:\n```\n{TEXT}\n```\nGood luck!", TEXT])
def test_a_prompted_answer_may_be_in_a_code_fence(openrouter: OpenRouter, content: str) -> None:
    openrouter.script(MODEL, Reply(content=content))
    result = ask(agent(openrouter, output_mode=OutputMode.PROMPTED))
    assert result.output.probability == 0.37
    assert result.record.requests == 1


def test_a_percentage_costs_no_second_request(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(arguments={**FORECAST, "probability": "62%", "low": "50 %", "high": 70}))
    result = ask(agent(openrouter))
    assert (result.output.probability, result.output.low, result.output.high) == (0.62, 0.5, 0.7)
    assert len(openrouter.requests) == 1


CAPABILITY = [
    refusal(404, "No endpoints found that support tool use"),
    refusal(404, "no host", availability={"code": "constraint_filtered", "retryable": False}),
    refusal(400, "tool_choice 'required' is not supported by this model"),
]


@pytest.mark.parametrize("cannot", CAPABILITY)
def test_an_output_mode_that_hosts_lack_falls_back_to_the_prompt(openrouter: OpenRouter, cannot: Reply) -> None:
    openrouter.script(MODEL, cannot, Reply(content=f"```json\n{TEXT}\n```"))
    result = ask(agent(openrouter))
    assert result.output.probability == 0.37
    assert (result.record.output_mode, result.record.requests) == (OutputMode.PROMPTED, 2)
    first, second = openrouter.requests
    assert "tools" in first
    assert "tools" not in second
    assert second["provider"]["require_parameters"] is False
    assert first["model"] == second["model"]


def test_an_output_mode_that_the_library_refuses_falls_back_to_the_prompt(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content=TEXT))
    result = ask(agent(openrouter, output_mode=OutputMode.NATIVE))
    assert result.record.output_mode is OutputMode.PROMPTED
    assert len(openrouter.requests) == 1


def test_a_stored_mode_is_used_at_once(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content=TEXT))
    assert ask(agent(openrouter, output_mode=OutputMode.PROMPTED)).record.output_mode is OutputMode.PROMPTED
    assert "tools" not in openrouter.requests[0]


@pytest.mark.parametrize(
    "trouble", [refusal(429), refusal(503), refusal(402), refusal(404, "gone"), Reply(content="?")]
)
def test_only_a_missing_capability_falls_back_to_the_prompt(openrouter: OpenRouter, trouble: Reply) -> None:
    openrouter.script(MODEL, trouble)
    assert fail(agent(openrouter)).record.output_mode is OutputMode.AUTO


def test_a_failure_in_prompted_mode_is_final(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, CAPABILITY[0])
    failed = fail(agent(openrouter))
    assert (failed.failure, failed.record.requests) == (FailureKind.CAPABILITY, 2)


def test_no_other_model_ever_answers(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, refusal(503))
    fail(agent(openrouter, options=Options(connection_retries=1)))
    assert {body["model"] for body in openrouter.requests} == {MODEL}
    assert len(openrouter.requests) == 2


def test_a_temporary_failure_is_retried_once(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, refusal(429, headers={"Retry-After": "0"}), Reply())
    assert ask(agent(openrouter, options=Options(connection_retries=1))).output.probability == 0.37


def test_a_run_ends_at_its_deadline(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(seconds=3600))
    failed = fail(agent(openrouter), deadline_seconds=0.3)
    assert failed.failure is FailureKind.TIMEOUT
    assert failed.retryable


def test_one_attempt_may_be_shorter_than_the_run(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(seconds=3600))
    options = Options(connection_retries=0, timeout_seconds=0.3)
    assert fail(agent(openrouter, options=options), deadline_seconds=3000).failure is FailureKind.TIMEOUT


def test_a_closed_port_is_a_network_failure() -> None:
    used = Settings(openrouter_api_key=KEY, openrouter_base_url="http://127.0.0.1:9/api/v1")
    made = create_agent(model=MODEL, system_prompt="", settings=used, options=Options(connection_retries=0))
    assert fail(made).failure is FailureKind.NETWORK


@pytest.mark.parametrize(
    ("prices", "reply", "cost", "source"),
    [
        (PRICES, Reply(cost=None), Decimal("0.002"), CostSource.ESTIMATED),
        (PRICES, Reply(cost=0.0, tokens=(0, 0)), Decimal(0), CostSource.BILLED),
        (None, Reply(cost=None), None, None),
    ],
)
def test_without_a_bill_the_cost_is_estimated_from_the_given_prices(
    openrouter: OpenRouter, prices: Prices | None, reply: Reply, cost: Decimal | None, source: CostSource | None
) -> None:
    openrouter.script(MODEL, reply)
    result = ask(agent(openrouter, prices=prices))
    assert (result.cost_usd, result.cost_source) == (cost, source)


def test_without_given_prices_the_public_price_list_is_used(openrouter: OpenRouter) -> None:
    slug = "anthropic/claude-haiku-5.5"
    openrouter.script(slug, Reply(cost=None))
    result = ask(agent(openrouter, model=slug))
    assert result.cost_usd == Decimal("0.00032")
    assert result.cost_source is CostSource.ESTIMATED


def test_a_second_request_needs_a_permit(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content="Likely."))
    permits: list[int] = []

    async def once() -> bool:
        permits.append(1)
        return len(permits) < 2

    failed = fail(agent(openrouter), permit=once)
    assert failed.failure is FailureKind.UNPAID
    assert (len(permits), len(openrouter.requests), failed.record.requests) == (2, 2, 2)
    assert failed.record.bill.cost == Decimal("0.0042")


def test_overlapping_runs_do_not_mix(openrouter: OpenRouter) -> None:
    """No call is answered before all five are there."""
    together = threading.Barrier(5)
    for number in range(5):
        arguments = {**FORECAST, "probability": 0.1 + number / 10, "low": 0.01, "high": 0.99}
        openrouter.script(f"v/m{number}", Reply(arguments=arguments, together=together))

    async def everyone() -> list[AgentResult[ForecastReply]]:
        return await asyncio.gather(*(agent(openrouter, model=f"v/m{number}").run("?") for number in range(5)))

    results = asyncio.run(everyone())
    assert [result.output.probability for result in results] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_one_agent_serves_several_event_loops(openrouter: OpenRouter) -> None:
    made = agent(openrouter)
    assert [ask(made).output.probability for _ in range(3)] == [0.37] * 3


@pytest.mark.parametrize("name", ["openai:gpt-4o", "gpt-4o", ""])
def test_a_model_without_a_vendor_is_refused_at_once(openrouter: OpenRouter, name: str) -> None:
    with pytest.raises(InvalidInput):
        create_agent(model=name, system_prompt="", settings=settings(openrouter))


def test_without_a_key_there_is_no_agent() -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_API_KEY"):
        create_agent(model=MODEL, system_prompt="", settings=Settings())


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/api/v1", "https://localhost/api/v1", "https://127.0.0.1/v1", "http://openrouter.ai/api/v1"],
)
def test_production_refuses_a_base_url_on_this_machine_or_without_tls(url: str) -> None:
    used = Settings(openrouter_api_key=KEY, openrouter_base_url=url, environment="production")
    with pytest.raises(ConfigurationError, match="OPENROUTER_BASE_URL"):
        create_agent(model=MODEL, system_prompt="", settings=used)


def test_the_key_appears_in_no_repr_or_message(openrouter: OpenRouter) -> None:
    assert KEY not in repr(agent(openrouter))
    with pytest.raises(ValidationError) as caught:
        Settings(openrouter_api_key="sk-proj-hunter2")
    assert "hunter2" not in str(caught.value)
