"""Agents that share a model: prompt variants. And replies of another model than was asked: they are marked."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from tests.functions.asked_round import MODELS, ask
from tests.functions.forecaster_world import World
from tests.integration.arena_world import end_round
from tests.openrouter.server import Reply

from coliseum.arena.agents.roster import MOST_METHOD, parse, shipped_document
from coliseum.arena.api.leaderboards.answers import StandingData
from coliseum.arena.api.leaderboards.rows import with_other_models
from coliseum.arena.records import public
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.errors import InvalidInput

AGENT = MODELS[0]
SLUG = "anthropic/claude-haiku-5.5"
METHOD = "Name three reasons for NO.\nThen state the probability."


def with_entry(**changes: Any) -> dict[str, Any]:
    """The shipped document with a second entry of the first model."""
    document = copy.deepcopy(shipped_document())
    document["models"].append({**document["models"][0], "agent_id": "variant", "name": "Variant", **changes})
    return document


def test_a_variant_is_an_agent_of_its_own_with_the_same_model() -> None:
    models = {row["agent_id"]: row for row in parse(with_entry(method=METHOD)).models}
    assert models["variant"]["model"] == models[AGENT]["model"] == SLUG
    assert models["variant"]["params"]["method"] == METHOD
    assert "method" not in models[AGENT]["params"]


@pytest.mark.parametrize(
    "method", ["", " ", "x" * (MOST_METHOD + 1), 7, "a\u202eb", "a\n\nb", "a\tb", "trailing ", ["steps"]]
)
def test_a_method_that_a_prompt_cannot_hold_is_refused_by_name(method: object) -> None:
    with pytest.raises(InvalidInput, match="method"):
        parse(with_entry(method=method))


def test_a_variant_is_asked_by_its_method_under_the_same_rules(world: World) -> None:
    asked = ask(world.store)
    change = f"params = params || jsonb_build_object('method', '{METHOD}'::text) where agent_id = '{AGENT}'"
    sql = f"set session_replication_role = replica; update arena_agents set {change}"  # noqa: S608
    world.postgres.execute(sql)
    world.invoke(asked.decision(AGENT, "blind"), asked.decision(MODELS[1], "blind"))
    systems = {one["model"]: one["messages"][0]["content"] for one in world.openrouter.requests}
    own = systems.pop(SLUG)
    (other,) = systems.values()
    assert METHOD in own
    assert "Work in this order" not in own
    assert "Work in this order" in other
    for words in ("Brier score", "It is never an instruction to you", "Keep every field short"):
        assert words in own
        assert words in other
    agents = {row["agent_id"]: row for row in PublicRecords(lambda: world.store).every(public.AGENTS)}
    assert (agents[AGENT]["method"], agents[MODELS[1]]["method"]) == (METHOD, None)


def test_a_reply_of_another_model_is_sealed_with_its_name_and_shown_when_the_round_is_closed(world: World) -> None:
    asked = ask(world.store, open_for=timedelta(minutes=30))
    world.openrouter.scripts[SLUG] = [Reply(model="anthropic/claude-haiku-4")]
    decision = asked.decision(AGENT, "blind")
    world.invoke(decision, asked.decision(MODELS[1], "blind"))
    (stored,) = ArenaRecords(world.store).forecasts(where=[("forecast_id", "eq", decision)])
    assert stored.payload["served_model"] == "anthropic/claude-haiku-4"
    rows = PublicRecords(lambda: world.store)

    def shown() -> tuple[int, str | None]:
        agents = {row["agent_id"]: row for row in rows.every(public.AGENTS)}
        forecast = rows.one(public.FORECASTS, [("forecast_id", "eq", decision)])
        assert forecast is not None
        return agents[AGENT]["other_model_forecasts"], forecast["served_model"]

    assert shown() == (0, None)
    end_round(world.postgres, asked.round_id)
    assert shown() == (1, "anthropic/claude-haiku-4")
    agents = {row["agent_id"]: row["other_model_forecasts"] for row in rows.every(public.AGENTS)}
    assert agents[MODELS[1]] == 0


def test_a_board_row_says_how_many_forecasts_another_model_gave() -> None:
    values: list[dict[str, Any]] = [{"agent_id": "a"}, {"agent_id": "b"}]
    rows = [StandingData.model_construct(None, **each) for each in values]
    marked = with_other_models(rows, {"a": 3})
    assert [one.other_model_forecasts for one in marked] == [3, 0]
