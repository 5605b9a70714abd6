"""Trouble of one model stays with it: replies that went wrong, through the real function and its stores."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.functions.asked_round import MODELS, ask
from tests.functions.forecaster_world import World
from tests.integration.arena_world import behind, end_round
from tests.openrouter.server import FORECAST, JSON, Reply, refusal

from coliseum.arena.agents.model_circuit import FAILURES
from coliseum.arena.agents.reply import ForecastReply
from coliseum.arena.agents.roster import roster
from coliseum.llm.client import ModelAgent
from coliseum.llm.failures import FailureKind
from coliseum.store.client import Store

D = Decimal
HAIKU, LUNA = MODELS
SPENT = refusal(403, metadata={"limit_source": "openrouter_key_limit"})
"""The key's own limit is reached, which concerns all models."""
SLUGS = {row["agent_id"]: row["model"] for row in roster().models}
SLUG, OTHER = SLUGS[HAIKU], SLUGS[LUNA]
HTML = {"Content-Type": "text/html"}


def raw(body: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status=status, headers={**JSON, **headers}, body=json.dumps(body).encode())


def completion(*, usage: object = None, **choice: Any) -> dict[str, Any]:
    """A reply as OpenRouter sends it, with parts changed."""
    message = {"role": "assistant", "content": json.dumps(FORECAST)}
    body = {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1_795_262_400,
        "model": SLUG,
        "provider": "Fake",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
    }
    return body if usage is None else {**body, "usage": usage}


TOKENS = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
PROVIDER = {"metadata": {"provider_name": "X", "raw": "Insufficient Balance"}}
GUARDRAIL = "No endpoints available matching your guardrail restrictions and data policy"
BOUND = "bound"

CASES: dict[str, tuple[Reply, str, str | None, str | None]] = {
    "moderation of one market": (
        refusal(403, metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "X"}),
        "failed", "filtered", None,
    ),
    "a provider without credit": (
        refusal(402, "Provider returned error", **PROVIDER), "pending", "provider_refused", None,
    ),
    "a provider's own 403": (refusal(403, "Provider returned error", **PROVIDER), "pending", "provider_refused", None),
    "a proxy's page": (
        Reply(status=403, headers=HTML, body=b"<html>Access denied</html>"), "pending", "network", None,
    ),
    "no choices": (raw({**completion(), "choices": []}), "pending", "malformed", BOUND),
    "null choices": (raw({**completion(), "choices": None}), "pending", "malformed", BOUND),
    "finish_reason error": (
        raw(completion(usage={**TOKENS, "cost": 0.002}, finish_reason="error", error={"code": 502, "message": "died"})),
        "pending", "unavailable", "billed",
    ),
    "finish_reason content_filter": (
        raw(completion(usage={**TOKENS, "cost": 0.002}, finish_reason="content_filter",
                       message={"role": "assistant", "content": "I cann"})),
        "failed", "filtered", "billed",
    ),
    "an account's data policy": (refusal(404, GUARDRAIL), "failed", "data_policy", None),
    "a body that is no JSON": (Reply(body=b"<html>hello</html>"), "pending", "malformed", BOUND),
    "an empty body": (Reply(body=b""), "pending", "malformed", BOUND),
    "a list": (raw([1, 2]), "pending", "malformed", BOUND),
    "a text": (raw("hello"), "pending", "malformed", BOUND),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_reply_that_went_wrong_is_recorded_and_concerns_nobody_else(world: World, case: str) -> None:
    reply, status, reason, source = CASES[case]
    asked = ask(world.store, tickers=["A-1"])
    world.openrouter.script(SLUG, reply)
    wanted = f"{asked.round_id}/A-1/{HAIKU}/blind"
    world.invoke(wanted)
    stored = next(one for one in asked.records.decisions(asked.round_id) if one.decision_id == wanted)
    assert (stored.status, stored.reason) == (status, reason)
    assert world.attempts("error_class, cost_source") == [(reason, source)]
    assert world.invoke(f"{asked.round_id}/A-1/{LUNA}/blind") == 0
    assert len(world.openrouter.requests_of(SLUG)) == 1
    assert len(asked.records.forecasts()) == 1
    assert asked.records.agent(HAIKU).status == "active"


BILLS: dict[str, tuple[object, Decimal | None, str]] = {
    "no usage": (None, None, BOUND),
    "a bill": ({**TOKENS, "cost": 0.004}, D("0.004"), "billed"),
    "a free reply": ({**TOKENS, "cost": 0}, D(0), "billed"),
    "own key": (
        {**TOKENS, "cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}},
        D("0.0401"),
        "billed",
    ),
    "not a number": ({**TOKENS, "cost": float("nan")}, None, BOUND),
    "negative": ({**TOKENS, "cost": -5}, None, BOUND),
    "infinite": ({**TOKENS, "cost": float("inf")}, None, BOUND),
    "absurd": ({**TOKENS, "cost": 1e300}, None, BOUND),
    "own key without the price": ({**TOKENS, "cost": 0.0001, "is_byok": True}, None, BOUND),
    "absurd tokens": ({**TOKENS, "prompt_tokens": 10**12}, None, BOUND),
    "negative tokens": ({**TOKENS, "completion_tokens": -7}, None, BOUND),
    "absurd tokens with a bill": ({**TOKENS, "prompt_tokens": 10**12, "cost": 0.004}, D("0.004"), "billed"),
    "a text": ({**TOKENS, "cost": "0.004"}, None, BOUND),
    "a usage that is a list": ([1, 2], None, BOUND),
    "tokens as texts": ({**TOKENS, "prompt_tokens": "many", "completion_tokens_details": 3}, None, BOUND),
    "details as texts": (
        {**TOKENS, "cost": 0.004, "cost_details": "x", "prompt_tokens_details": [1]},
        D("0.004"),
        "billed",
    ),
    "no cost": (TOKENS, None, "estimated"),
}


@pytest.mark.parametrize("case", BILLS)
def test_every_answer_is_kept_and_counts_with_its_bill_or_more(world: World, case: str) -> None:
    usage, cost, source = BILLS[case]
    asked = ask(world.store)
    world.openrouter.script(SLUG, raw(completion(usage=usage)))
    assert world.invoke(asked.decision(HAIKU, "blind")) == 0
    assert len(asked.records.forecasts()) == 1
    ((counted, how),) = world.attempts("cost_usd, cost_source")
    assert how == source
    assert counted == cost if cost is not None else counted > 0
    assert world.budget() == (D(0), counted)


def test_a_surprise_after_the_reply_is_recorded_with_its_bill(world: World) -> None:
    def surprise(_: ForecastReply) -> None:
        raise ZeroDivisionError("secret")

    asked = ask(world.store)
    world.patch.setattr(ForecastReply, "forecast", surprise)
    assert world.invoke(asked.decision(HAIKU, "blind")) == 0
    assert asked.status(HAIKU, "blind") == ("failed", 1, "invalid_output")
    ((counted, how, detail),) = world.attempts("cost_usd, cost_source, error_detail")
    assert (counted, how, detail) == (D("0.0021"), "billed", f"{SLUG}: invalid_output: ZeroDivisionError")
    assert world.budget() == (D(0), counted)


def test_a_surprise_before_the_reply_is_recorded_with_the_bound(world: World) -> None:
    async def surprise(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    asked = ask(world.store)
    world.patch.setattr(ModelAgent, "run", surprise)
    assert world.invoke(asked.decision(HAIKU, "blind")) == 1
    assert asked.status(HAIKU, "blind") == ("pending", 1, "malformed")
    ((counted, how),) = world.attempts("cost_usd, cost_source")
    assert how == BOUND
    assert world.budget() == (D(0), counted)


def test_the_price_of_a_request_has_a_limit(world: World) -> None:
    asked = ask(world.store)
    world.invoke(asked.decision(HAIKU, "blind"))
    prices = next(row["params"]["prices"] for row in roster().models if row["agent_id"] == HAIKU)
    (body,) = world.openrouter.requests
    assert body["provider"]["max_price"] == {"prompt": float(prices["input"]), "completion": float(prices["output"])}


def test_a_paused_model_postpones_its_decisions_and_loses_no_attempt(world: World) -> None:
    tickers = [f"A-{number}" for number in range(16)]
    asked = ask(world.store, tickers=tickers)
    wanted = [f"{asked.round_id}/{ticker}/{HAIKU}/blind" for ticker in tickers]
    world.openrouter.script(SLUG, *[refusal(429, headers={"Retry-After": "0"})] * 20, Reply())
    given_back = world.invoke(*wanted[:10])
    postponed = world.invoke(*wanted[10:])
    assert (given_back, postponed) == (10, 0)
    waiting = [one for one in asked.records.decisions(asked.round_id) if one.decision_id in wanted[10:]]
    assert {(one.status, one.attempt, one.reason) for one in waiting} == {("pending", 0, "circuit_open:rate_limited")}
    world.redis.command("DEL", *(f"{world.settings['redis_key_prefix']}arena:circuit:model:{SLUG}",))
    assert world.invoke(*wanted, received=2) == 0
    assert len(asked.records.forecasts()) == 16


def test_a_model_that_stays_paused_is_skipped_at_the_close_with_the_reason(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, SPENT)
    world.invoke(asked.decision(HAIKU, "blind"))
    world.invoke(asked.decision(HAIKU, "aware"), asked.decision(LUNA, "blind"))
    end_round(world.postgres, asked.round_id)
    asked.records.close_round(asked.round_id)
    assert asked.status(HAIKU, "blind") == ("failed", 1, "key_budget")
    assert asked.status(HAIKU, "aware") == ("skipped", 0, "circuit_open:key_budget")
    assert asked.status(LUNA, "blind") == ("skipped", 0, "circuit_open:key_budget")


def test_a_round_without_time_to_wait_skips_at_once(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, SPENT)
    world.invoke(asked.decision(HAIKU, "blind"))
    behind(world.postgres, "update public.arena_rounds set closes_at = now() + interval '20 seconds'")
    world.invoke(asked.decision(LUNA, "blind"))
    assert asked.status(LUNA, "blind") == ("skipped", 1, "circuit_open:key_budget")


def test_one_model_whose_key_is_refused_keeps_no_other_from_answering(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, refusal(401, "No auth credentials found"))
    assert world.invoke(asked.decision(HAIKU, "blind")) == 1
    assert world.invoke(asked.decision(LUNA, "blind"), asked.decision(HAIKU, "aware")) == 0
    assert asked.status(LUNA, "blind") == ("done", 1, None)
    assert asked.status(HAIKU, "aware") == ("pending", 0, "circuit_open:key_refused")


def test_a_postponed_decision_is_not_handed_out_before_its_time_except_by_the_operator(world: World) -> None:
    asked = ask(world.store)
    each = {HAIKU: Decimal("0.01"), LUNA: Decimal("0.01")}
    assert asked.records.fund_round(asked.round_id, each=each, cap=Decimal(1)) == frozenset(each)
    world.openrouter.script(SLUG, SPENT)
    world.invoke(asked.decision(HAIKU, "blind"))
    waiting = asked.decision(LUNA, "blind")
    world.invoke(waiting)
    assert waiting not in asked.records.hand_out(again_seconds=1, attempts=3)
    reserved = [one.reserved for one in asked.records.decisions(asked.round_id) if one.decision_id == waiting]
    assert reserved[0] > 0, "its money stays set aside"
    assert waiting in asked.records.hand_out(again_seconds=0, attempts=3)
    behind(world.postgres, "update public.arena_decisions set queued_at = queued_at - interval '1 hour'")
    assert waiting in asked.records.hand_out(again_seconds=600, attempts=3), "its message was lost"


def test_a_message_that_comes_several_times_postpones_once_and_loses_nothing(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, SPENT, Reply())
    world.invoke(asked.decision(HAIKU, "blind"))
    waiting = asked.decision(LUNA, "blind")
    assert world.invoke(*[waiting] * 6) == 0
    assert asked.status(LUNA, "blind") == ("pending", 0, "circuit_open:key_budget")
    world.redis.command("DEL", f"{world.settings['redis_key_prefix']}arena:circuit:account")
    assert world.invoke(*[waiting] * 6) == 0
    assert asked.status(LUNA, "blind") == ("done", 1, None)
    assert len(asked.records.forecasts()) == 1


def test_a_postponed_decision_of_a_model_that_the_operator_paused_is_skipped(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, SPENT)
    world.invoke(asked.decision(HAIKU, "blind"))
    world.invoke(asked.decision(LUNA, "blind"))
    asked.records.set_agent_status(LUNA, "paused")
    world.redis.command("DEL", f"{world.settings['redis_key_prefix']}arena:circuit:account")
    world.invoke(asked.decision(LUNA, "blind"))
    assert asked.status(LUNA, "blind") == ("skipped", 1, "paused")


def test_a_decision_of_another_worker_is_not_postponed(world: World, store: Store) -> None:
    asked = ask(store)
    wanted = asked.decision(HAIKU, "blind")
    asked.records.lease_decision(wanted, seconds=60)
    assert not asked.records.postpone_decision(wanted, lease=2, reason="circuit_open:timeout")
    assert asked.records.postpone_decision(wanted, lease=1, reason="circuit_open:timeout")
    assert not asked.records.postpone_decision(wanted, lease=1, reason="circuit_open:timeout")
    assert asked.status(HAIKU, "blind") == ("pending", 0, "circuit_open:timeout")


BODIES = (
    b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"error": "x"}', b'{"error": {}}', b'{"error": {"code": "x"}}',
    b'{"error": {"code": 429, "metadata": []}}', b'{"choices": [{}]}', b'{"choices": [null]}', b"{", b"\xff\xfe",
)  # fmt: skip


STATUSES = (200, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 520, 529)


@pytest.mark.parametrize(
    ("status", "retry_after"), [*((status, None) for status in STATUSES), (402, "soon"), (429, "soon"), (503, "-1")]
)
def test_every_status_with_any_body_is_an_attempt_with_a_class_and_a_bill(
    world: World, status: int, retry_after: str | None
) -> None:
    headers = {**JSON} if retry_after is None else {**JSON, "Retry-After": retry_after}
    tickers = [f"A-{number}" for number in range(len(BODIES))]
    asked = ask(world.store, tickers=tickers)
    # The client repeats some requests once by itself.
    world.openrouter.script(SLUG, *(Reply(status=status, headers=headers, body=body) for body in BODIES * 2))
    world.invoke(*(f"{asked.round_id}/{ticker}/{HAIKU}/blind" for ticker in tickers))
    kinds = {kind.value for kind in FailureKind}
    attempts = world.attempts("error_class, cost_usd is not null")
    assert len(attempts) == len(BODIES)
    assert all(kind in kinds and counted for kind, counted in attempts)
    assert world.rows("select count(*) from arena_decisions where status = 'running'") == [(0,)]
    assert asked.records.agent(HAIKU).status == "active"


MUTILATED = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["content", "error", "code"]), inner),
    max_leaves=4,
)
PLACES = ("id", "object", "created", "model", "provider", "choices", "usage")
INNER = ("index", "finish_reason", "message", "error", "native_finish_reason")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*PLACES, *INNER]), MUTILATED)
def test_no_mutilated_reply_leaves_a_decision_running_or_an_attempt_unbilled(
    world: World, place: str, value: object
) -> None:
    world.postgres.empty()
    world.redis.command("FLUSHDB")
    asked = ask(world.store)
    body = completion(usage={**TOKENS, "cost": 0.002})
    if place in PLACES:
        body[place] = value
    else:
        body["choices"][0][place] = value
    world.openrouter.script(SLUG, raw(body))
    world.invoke(asked.decision(HAIKU, "blind"))
    ((kind, cost),) = world.attempts("error_class, cost_usd")
    assert kind is None or kind in {kind.value for kind in FailureKind}
    assert cost is not None
    assert asked.status(HAIKU, "blind")[0] in {"done", "pending", "failed"}
    assert world.budget() == (D(0), cost)


def test_five_failures_of_one_model_leave_the_others_in_play(world: World) -> None:
    tickers = [f"A-{number}" for number in range(FAILURES + 1)]
    asked = ask(world.store, tickers=tickers)
    world.openrouter.script(SLUG, Reply(status=403, headers=HTML, body=b"<html>"))
    world.invoke(*(f"{asked.round_id}/{ticker}/{HAIKU}/blind" for ticker in tickers))
    assert world.invoke(*(f"{asked.round_id}/{ticker}/{LUNA}/blind" for ticker in tickers)) == 0
    assert len(asked.records.forecasts()) == len(tickers)


def test_a_reply_of_another_model_is_kept_and_marked(world: World, caplog: pytest.LogCaptureFixture) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, Reply(model="vendor/cheaper-1"))
    world.openrouter.script(OTHER, Reply(model=f"{OTHER}-0901"))
    assert world.invoke(asked.decision(HAIKU, "blind"), asked.decision(LUNA, "blind")) == 0
    assert len(asked.records.forecasts()) == 2
    assert world.attempts("model_served") == [("vendor/cheaper-1",), (f"{OTHER}-0901",)]
    assert [record.getMessage() for record in caplog.records].count("another model replied") == 1
