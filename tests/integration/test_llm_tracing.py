"""Logfire's spans around a question, caught in memory; nothing is sent from here."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.functions.asked_round import AskedRound, ask
from tests.openrouter.server import FORECAST, OpenRouter, Reply, refusal, serving

from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.circuits import Circuits
from coliseum.arena.agents.models import ModelQuestion, Models
from coliseum.config import Settings
from coliseum.llm import tracing
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

KEY = "sk-or-v1-0123456789abcdef"
HAIKU, SLUG = "claude-haiku-5.5", "anthropic/claude-haiku-5.5"
TITLE = "Will the current session of Congress pass a secret budget?"


@pytest.fixture(scope="module")
def openrouter() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture
def question(store: Store) -> ModelQuestion:
    world: AskedRound = ask(store, models=(HAIKU,), title=TITLE)
    decision = world.records.lease_decision(world.decision(HAIKU, "blind"), seconds=60)
    assert decision is not None
    market = world.records.round_market(decision.round_id, decision.ticker)
    return ModelQuestion(agent=world.records.agent(HAIKU), decision=decision, market=market)


Trace = Callable[..., list[ReadableSpan]]


@pytest.fixture
def trace(question: ModelQuestion, openrouter: OpenRouter, store: Store, redis: Redis, prefix: str) -> Iterator[Trace]:
    """Ask once, with what the model replies and settings; the spans that were made."""
    from coliseum.arena.records.all_tables import ArenaRecords

    exporter = InMemorySpanExporter()

    def run(reply: Reply | None = None, **changes: Any) -> list[ReadableSpan]:
        settings = Settings(openrouter_api_key=KEY, openrouter_base_url=openrouter.url, **changes)
        openrouter.script(SLUG, reply or Reply())
        tracing.start(settings, processors=[SimpleSpanProcessor(exporter)])
        budget = Budget(ArenaRecords(store), cap=settings.arena_daily_budget_usd)
        models = Models(settings, circuits=Circuits(redis, prefix=prefix), budget=budget)
        asyncio.run(models.ask(question, seconds=60))
        return list(exporter.get_finished_spans())

    yield run
    tracing.stop()


def named(spans: list[ReadableSpan], start: str) -> ReadableSpan:
    return next(span for span in spans if span.name.startswith(start))


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_question_is_a_span_around_the_librarys_spans(trace: Trace) -> None:
    spans = trace()
    ours, run, chat = named(spans, "forecast"), named(spans, "invoke_agent"), named(spans, "chat")
    assert run.parent is not None
    assert ours.context is not None
    assert run.parent.span_id == ours.context.span_id
    assert attributes(chat)["gen_ai.request.model"] == SLUG


def test_the_span_has_the_bill_the_model_and_the_host(trace: Trace) -> None:
    values = attributes(named(trace(), "forecast"))
    assert values["coliseum.cost_usd_billed"] == 0.0021
    assert values["coliseum.cost_source"] == "billed"
    assert (
        values["downstream_provider"],
        values["model_served"],
        values["requests"],
    ) == ("Fake", SLUG, 1)
    assert values["decision_id"].endswith(f"/{HAIKU}/blind")
    assert "error_class" not in values


def test_market_text_that_looks_like_a_secret_is_not_scrubbed(trace: Trace) -> None:
    assert attributes(named(trace(), "forecast"))["market.title"] == TITLE


def test_a_failure_is_named_in_its_span(trace: Trace) -> None:
    values = attributes(named(trace(refusal(402)), "forecast"))
    assert values["error_class"] == "credit"
    assert values["coliseum.cost_usd_billed"] == 0


@pytest.mark.parametrize("included", [True, False])
def test_traces_can_leave_out_prompts_and_answers(trace: Trace, included: bool) -> None:
    spans = trace(logfire_include_content=included)
    text = json.dumps([{name: str(value) for name, value in attributes(span).items()} for span in spans])
    assert (FORECAST["rationale"] in text) == included
    assert ("Brier score" in text) == included


def test_no_span_holds_the_key(trace: Trace) -> None:
    text = json.dumps([{name: str(value) for name, value in attributes(span).items()} for span in trace()])
    assert KEY not in text


def test_without_a_token_nothing_is_loaded_or_sent() -> None:
    tracing.start(Settings())
    with tracing.span("forecast {agent_id}", agent_id="x") as nothing:
        nothing.set({"a": 1})
    assert tracing.flush()


def test_a_hanging_backend_costs_at_most_the_flush_time() -> None:
    """It takes the connection and never answers."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as sink:
        threading.Thread(target=lambda: taken.append(sink.accept()[0]), daemon=True).start()
        url = f"http://127.0.0.1:{sink.getsockname()[1]}"
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=PATIENCE_SECONDS)
        tracing.start(Settings(), processors=[BatchSpanProcessor(exporter)])
        try:
            with tracing.span("forecast"):
                pass
            started = time.monotonic()
            assert tracing.flush() is False
            assert time.monotonic() - started < PATIENCE_SECONDS / 2
        finally:
            # Else the exporter would wait for an answer, and then try again, until its own time is up.
            sink.close()
            for connection in taken:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK left it without types
            tracing.stop()
