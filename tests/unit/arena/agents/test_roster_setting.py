from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coliseum.arena.agents.roster import roster, shipped_document
from coliseum.arena.agents.roster_setting import configured_document, configured_roster
from coliseum.errors import ConfigurationError, SourceUnavailable

MODEL = {
    "agent_id": "mine", "name": "Mine", "model": "vendor/mine-1", "enabled": True,
    "prices": {"input": "0.10", "output": "0.50"},
}  # fmt: skip
DOCUMENT = {"models": [MODEL]}


def test_without_the_setting_the_packages_roster_plays() -> None:
    assert configured_roster(None) == roster()


def test_own_models_play_beside_the_packages_rules(tmp_path: Path) -> None:
    (tmp_path / "roster.json").write_text(json.dumps(DOCUMENT))
    for value in (json.dumps(DOCUMENT), str(tmp_path / "roster.json")):
        found = configured_roster(value)
        assert [row["agent_id"] for row in found.models] == ["mine"]
        assert found.others == roster().others


def test_an_address_is_read() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps(DOCUMENT).encode()

    assert [row["model"] for row in configured_roster("https://a.example/roster.json", fetch=fetch).models] == [
        "vendor/mine-1"
    ]
    assert asked == ["https://a.example/roster.json"]


def test_an_address_that_does_not_answer_is_a_failure_of_that_source() -> None:
    def fetch(url: str) -> bytes:
        raise SourceUnavailable("a.example", "no answer")

    with pytest.raises(SourceUnavailable):
        configured_roster("https://a.example/roster.json", fetch=fetch)


def changed(**change: Any) -> dict[str, Any]:
    return {"models": [{**MODEL, **change}]}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "list"),
        ("text", "no file"),
        ({"models": {}}, "models"),
        ({"models": [5]}, "models"),
        ({"models": [MODEL] * 101}, "at most 100"),
        ({**DOCUMENT, "extra": 1}, "extra"),
        ({**DOCUMENT, "options": []}, "options"),
        ({"models": [MODEL, MODEL]}, "no other contestant"),
        (changed(agent_id="Mine!"), "agent_id"),
        (changed(agent_id="e-mine"), "outside agents"),
        (changed(model="mine"), "vendor/model"),
        (changed(enabled="yes"), "true or false"),
        (changed(tracks=["open"]), "tracks"),
        (changed(prices={"input": 0.1, "output": "0.5"}), "prices"),
        (changed(prices={"input": "-1", "output": "0.5"}), "prices"),
        (changed(prices={"input": "NaN", "output": "0.5"}), "prices"),
        (changed(prices={"input": "0.1"}), "prices"),
        (changed(prices={"input": "0.1", "output": "0.5", "cache": "1"}), "prices"),
        (changed(max_tokens=True), "max_tokens"),
        (changed(max_tokens=5), "max_tokens"),
        (changed(temperature="1"), "temperature"),
        (changed(reasoning="hard"), "reasoning"),
        (changed(quantizations="fp8"), "quantizations"),
        (changed(colour="red"), "colour"),
    ],
)
def test_a_wrong_document_names_the_setting_and_what_would_be_right(document: object, named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        configured_document(json.dumps(document))
    assert refused.value.variable == "ARENA_ROSTER"
    assert named in refused.value.problem


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    document = {"models": [{**MODEL, "model": "mine"}, {**MODEL, "agent_id": "other", "prices": {}}]}
    with pytest.raises(ConfigurationError, match=r"vendor/model.*; .*prices"):
        configured_document(json.dumps(document))


@pytest.mark.parametrize("value", ["{", '{"models": [], "models": []}', "/no/such/file", "http://a.example/x", "\x00"])
def test_a_value_that_is_no_document_says_what_is_expected(value: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a JSON document"):
        configured_document(value)


def test_the_packages_document_is_right() -> None:
    assert configured_document(json.dumps(shipped_document())) == shipped_document()
