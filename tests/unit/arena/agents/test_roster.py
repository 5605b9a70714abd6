from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from coliseum.arena.agents.contestants import RULES, Context, Parameters, RuleAnswer
from coliseum.arena.agents.costs import ROUND_CHARACTERS, request_bound
from coliseum.arena.agents.roster import BOTH, options_of, parse, prices_of, roster
from coliseum.config import load
from coliseum.errors import InvalidInput
from coliseum.llm.names import canonical_model
from coliseum.llm.options import Prices

FILE: dict[str, Any] = json.loads(files("coliseum.arena.agents").joinpath("roster.json").read_text())


def changed(kind: str, **changes: Any) -> dict[str, Any]:
    """The file with its first entry of a kind changed."""
    document = copy.deepcopy(FILE)
    document[kind][0] |= changes
    return document


def test_ten_models_play_blind_and_aware_and_the_five_cheapest_informed_too() -> None:
    models = roster().models
    assert len({row["model"] for row in models}) == len(models) == 10
    assert all(row["tracks"][:2] == BOTH and row["kind"] == "llm" for row in models)
    bounds = {row["agent_id"]: _bound(row) for row in models}
    informed = [row["agent_id"] for row in models if "informed" in row["tracks"]]
    assert sorted(informed) == sorted(sorted(bounds, key=bounds.__getitem__)[:5])


def test_the_default_budget_pays_for_a_round_of_eight_markets_on_all_tracks() -> None:
    assert sum(_bound(row) * 8 * len(row["tracks"]) for row in roster().models) < load().arena_daily_budget_usd


def _bound(row: Mapping[str, Any]) -> Decimal:
    tokens = options_of(row["params"]).max_tokens
    return request_bound(prices_of(row["params"]), characters=ROUND_CHARACTERS, max_tokens=tokens)


@pytest.mark.parametrize(
    ("tracks", "stored"),
    [(["blind"], ["blind"]), (["informed", "blind"], ["blind", "informed"]), (["aware"], ["aware"])],
)
def test_a_model_plays_the_tracks_of_its_entry(tracks: list[str], stored: list[str]) -> None:
    assert parse(changed("models", tracks=tracks)).models[0]["tracks"] == stored


@pytest.mark.parametrize("tracks", [[], ["open"], ["blind", "blind"], "blind", None, [1], [["blind"]], {}])
def test_a_model_with_an_unknown_track_is_refused(tracks: Any) -> None:
    with pytest.raises(InvalidInput, match="tracks"):
        parse(changed("models", tracks=tracks))


def test_every_rule_has_a_contestant() -> None:
    entered = {row["params"]["rule"] for row in roster().others if row["kind"] == "statistical"}
    assert entered == set(RULES), "each name in RULES needs an entry in roster.json, and each entry a rule"


def test_rows_are_what_the_table_takes() -> None:
    everyone = [*roster().models, *roster().others]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", row["agent_id"]) for row in everyone)
    assert all((row["kind"] == "llm") == (row["model"] is not None) for row in everyone)
    assert len({frozenset(row) for row in everyone}) == 1


def test_no_slug_is_an_alias_that_may_change_its_meaning() -> None:
    for entry in FILE["models"]:
        assert canonical_model(entry["model"]) == entry["model"]
        assert not entry["model"].startswith("~")


def test_every_model_says_how_it_is_asked_and_what_it_costs() -> None:
    for row in roster().models:
        assert prices_of(row["params"]).output > 0
        assert options_of(row["params"]).max_tokens == 3000


@pytest.mark.parametrize("entry", FILE["models"], ids=lambda entry: str(entry["model"]))
def test_our_prices_are_those_of_the_public_price_list(entry: dict[str, Any]) -> None:
    from genai_prices import Usage, calc_price

    ours = Prices(*(type(prices_of({"prices": entry["prices"]}).input)(value) for value in entry["prices"].values()))
    theirs = calc_price(
        Usage(input_tokens=6000, output_tokens=2500), model_ref=entry["model"], provider_id="openrouter"
    )
    assert ours.of(6000, 2500) == pytest.approx(theirs.total_price)


STORED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "roster_rows.json").read_text())
"""The rows of the contestants that play already. A new contestant needs no row here."""


def test_the_contestants_that_play_already_keep_their_rows() -> None:
    rows = {row["agent_id"]: row for row in json.loads(json.dumps([*roster().models, *roster().others]))}
    changed_rows = [row["agent_id"] for row in STORED if row["kind"] != "consensus" and rows[row["agent_id"]] != row]
    assert changed_rows == [], "a changed row changes a contestant in the middle of its season: add another one instead"


def test_the_consensus_still_leaves_out_what_it_left_out() -> None:
    """Its list only grows, by new contestants that are not in the consensus."""
    [before] = [row for row in STORED if row["kind"] == "consensus"]
    [now] = [row for row in roster().others if row["kind"] == "consensus"]
    left_out = before["params"]["leaves_out"]
    assert [agent_id for agent_id in now["params"]["leaves_out"] if agent_id in left_out] == left_out
    assert {**now["params"], "leaves_out": left_out} == before["params"]


def without(field: str) -> dict[str, Any]:
    """The file with a field of its first rule missing."""
    document = copy.deepcopy(FILE)
    del document["statistical"][0][field]
    return document


def test_a_rule_that_reads_no_price_is_refused_on_the_aware_track(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "always_yes", lambda context, parameters, seed: (0.99, {}))
    entry = {"agent_id": "always-yes", "name": "Always yes", "rule": "always_yes", "about": "Always YES"}
    document = {**FILE, "statistical": [*FILE["statistical"], {**entry, "track": "aware", "in_consensus": False}]}
    with pytest.raises(
        InvalidInput, match='"track": "blind" in the roster entry of rule always_yes, which reads no price'
    ):
        parse(document)
    document["statistical"][-1]["track"] = "blind"
    rows = parse(document).others
    assert next(row for row in rows if row["agent_id"] == "always-yes")["tracks"] == ["blind"]
    assert rows[-1]["params"]["leaves_out"] == [*roster().others[-1]["params"]["leaves_out"], "always-yes"]


def test_a_rule_is_checked_with_the_parameters_of_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def blend(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
        return (float(context["quote"]["probability"]) if parameters["weight"] else 0.5), {}

    monkeypatch.setitem(RULES, "blend", blend)
    entry = {"agent_id": "blend", "name": "Blend", "rule": "blend", "about": "A blend", "in_consensus": False}
    for weight, track in ((1.0, "aware"), (0.0, "blind")):
        document = {**FILE, "statistical": [{**entry, "track": track, "parameters": {"weight": weight}}]}
        assert parse(document).others[0]["tracks"] == [track]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (changed("statistical", rule="astrology"), "one of market"),
        (changed("statistical", track="blind"), "rule market, which reads a price"),
        (changed("statistical", track="both"), '"track": "aware"'),
        (without("track"), 'expected "track": "aware" in the roster entry of rule market'),
        (without("in_consensus"), '"in_consensus": true or false in the roster entry of rule market'),
        (changed("statistical", in_consensus="no"), '"in_consensus": true or false'),
        (changed("models", model="openai:gpt-4o"), "vendor/model"),
        (changed("models", enabled="no"), '"enabled", true or false, in the roster entry of claude-haiku-5.5'),
        (changed("models", prices={"input": "cheap", "output": "1"}), "input and output in US dollars"),
        (changed("models", prices={"input": "1"}), "input and output in US dollars"),
        (changed("consensus", leaves_out=["market"]), "only the fields agent_id, name, about in the roster entry of"),
        (changed("statistical", rule=["market"]), '"rule", a text, in the roster entry of market'),
        (without("about"), '"about", a text, in the roster entry of market'),
        (without("agent_id"), "a contestant without agent_id"),
        (without("rule"), '"rule", a text'),
        (changed("statistical", agent_id="claude-haiku-5.5"), "no other contestant has"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse(document)


def test_a_model_that_is_not_enabled_does_not_play() -> None:
    assert len(parse(changed("models", enabled=False)).models) == len(roster().models) - 1


def test_an_entry_may_have_options_of_its_own() -> None:
    first = parse(changed("models", max_tokens=500, temperature=0.2)).models[0]
    options = options_of(first["params"])
    assert (options.max_tokens, options.temperature, options.reasoning) == (500, 0.2, "low")
