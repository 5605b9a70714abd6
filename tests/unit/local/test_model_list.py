from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.openrouter.server import serving

from coliseum.arena.agents.roster import shipped_document
from coliseum.config import Settings
from coliseum.errors import SourceMalformed, SourceUnavailable
from coliseum_local.model_list import ListedModel, check, check_models, read_models

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ENTRY = {
    "agent_id": "mine", "name": "Mine", "model": "vendor/mine-1.2", "enabled": True,
    "prices": {"input": "0.10", "output": "0.50"},
}  # fmt: skip


def row(slug: str = "vendor/mine-1.2", **change: Any) -> dict[str, Any]:
    """A model as OpenRouter lists it."""
    return {
        "id": slug, "canonical_slug": slug, "created": 1_790_000_000, "context_length": 200_000,
        "pricing": {"prompt": "0.0000001", "completion": "0.0000005", "request": "0"},
        "supported_parameters": ["tools", "reasoning", "max_tokens", "temperature"], "expiration_date": None, **change,
    }  # fmt: skip


def listed(*rows: dict[str, Any]) -> dict[str, ListedModel]:
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": list(rows)}))
    return read_models("https://openrouter.test/api/v1", transport=answer)


def checked(*rows: dict[str, Any], **change: Any) -> Any:
    document = {**shipped_document(), "models": [{**ENTRY, **change}]}
    return check(document, listed(*rows), Settings(), now=NOW)


def test_a_model_as_the_roster_has_it_needs_nothing() -> None:
    (model,) = checked(row()).models
    assert (model.problems, model.notes) == ((), ())
    assert model.round_usd == model.decision_usd * 2 * 8
    assert model.month_usd == (model.round_usd * 120).quantize(Decimal("0.01"))


def test_a_model_that_is_asked_three_times_costs_three_times_as_much() -> None:
    (once,), (thrice,) = checked(row()).models, checked(row(), replicates=3).models
    assert (thrice.decision_usd, thrice.round_usd) == (3 * once.decision_usd, 3 * once.round_usd)


@pytest.mark.parametrize(
    ("rows", "change", "problem"),
    [
        ([], {}, "does not list it"),
        ([row(expiration_date="2027-01-15")], {}, "ends on 2027-01-15"),
        ([row(pricing={"prompt": "0.0000002", "completion": "0.0000005"})], {}, "input costs 0.2"),
        ([row(pricing={"prompt": "0.0000001", "completion": "0.000002"})], {}, "output costs 2"),
        ([row(context_length=4000)], {}, "context has 4,000"),
        ([row(supported_parameters=["tools"])], {"temperature": 0.5}, "no temperature"),
    ],
)
def test_what_must_be_done_is_named(rows: list[dict[str, Any]], change: dict[str, Any], problem: str) -> None:
    found = checked(*rows, **change)
    assert any(problem in text for text in found.models[0].problems)
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([row(), row("vendor/mine-1.3", created=1_795_000_000)], "newer: vendor/mine-1.3"),
        ([row(pricing={"prompt": "0.00000005", "completion": "0.0000005"})], "input costs 0.05 now"),
        ([row(supported_parameters=["max_tokens"])], "neither tools nor schemas"),
        ([row(supported_parameters=["tools"])], "does not reason"),
    ],
)
def test_what_is_worth_knowing_is_noted(rows: list[dict[str, Any]], note: str) -> None:
    found = checked(*rows)
    assert any(note in text for text in found.models[0].notes)
    assert found.exit_code == 0


@pytest.mark.parametrize(
    "other",
    [
        row("vendor/mine-1.1", created=1_780_000_000), row("vendor/mine-1.3:free", created=1_795_000_000),
        row("else/mine-1.3", created=1_795_000_000), row("vendor/mine-pro-1.3", created=1_795_000_000),
    ],
)  # fmt: skip
def test_other_models_are_no_newer_siblings(other: dict[str, Any]) -> None:
    assert checked(row(), other).models[0].notes == ()


def test_the_written_roster_has_the_lists_prices() -> None:
    dearer = row(pricing={"prompt": "0.0000003", "completion": "0.0000015"})
    found = checked(dearer)
    assert found.document["models"][0]["prices"] == {"input": "0.3", "output": "1.5"}
    assert check(found.document, listed(dearer), Settings(), now=NOW).exit_code == 0


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"data": 5}', b'{"data": [5]}', b'{"data": [{}]}', b"{}"])
def test_a_list_of_unknown_form_is_named(answer: bytes) -> None:
    with pytest.raises(SourceMalformed):
        read_models("https://a.test", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer)))


def test_a_list_that_does_not_answer_is_named() -> None:
    for transport in (httpx.MockTransport(lambda _: httpx.Response(503)), None):
        with pytest.raises(SourceUnavailable):
            read_models("http://127.0.0.1:9", transport=transport)


def test_the_command_sends_no_key_writes_a_roster_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as server:
        server.models = [row(), row("vendor/mine-1.3", created=1_795_000_000)]
        monkeypatch.setenv("OPENROUTER_BASE_URL", server.url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
        monkeypatch.setenv("ARENA_ROSTER", json.dumps({"models": [ENTRY]}))
        target = tmp_path / "roster.json"
        assert check_models(write=target, as_json=True, root=tmp_path) == 0
        (model,) = json.loads(capsys.readouterr().out)
        assert model["notes"] == ["newer: vendor/mine-1.3"]
        assert json.loads(target.read_text())["models"][0]["agent_id"] == "mine"
        assert all("authorization" not in headers for headers in server.headers)
        monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:9/api/v1")
        assert check_models(write=None, as_json=False, root=tmp_path) == 2
    assert "cannot be checked" in capsys.readouterr().err
