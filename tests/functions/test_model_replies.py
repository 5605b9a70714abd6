"""Replies on their way through the forecaster into the database, the feed and the logs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from tests.functions.asked_round import MODELS, ask
from tests.functions.forecaster_world import KEY, World
from tests.openrouter.server import FORECAST, Reply, refusal

from coliseum.arena.forecasts import Forecast

HAIKU, SLUG = MODELS[0], "anthropic/claude-haiku-5.5"
SECRET = KEY.removeprefix("sk-or-v1-")


def test_a_forecast_of_one_number_is_sealed_and_traded(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, Reply(message={"content": '```json\n{"probability": "62 %"}\n```'}))
    assert world.invoke(asked.decision(HAIKU, "blind")) == 0
    (stored,) = asked.records.forecasts()
    assert (stored.payload["probability"], stored.payload["low"], stored.payload["rationale"]) == ("0.62", None, "")
    (repairs,) = world.attempts("repairs")[0]
    assert repairs[:2] == ["code_fence", "missing:resolution_reading"]
    assert "percent:probability" in repairs
    assert len(world.openrouter.requests_of(SLUG)) == 1
    assert world.rows("select count(*) > 0 from arena_paper_decisions")[0][0]


def test_an_abstention_is_one_reply_and_one_bill(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, Reply(message={"content": '{"abstain": true, "probability": null}'}))
    assert world.invoke(asked.decision(HAIKU, "blind")) == 0
    assert asked.status(HAIKU, "blind")[0] == "done"
    (stored,) = asked.records.forecasts()
    assert Forecast(probability=stored.p).abstain
    assert float(world.attempts("cost_usd")[0][0]) == 0.0021


def test_the_reason_of_a_refusal_is_stored(world: World) -> None:
    asked = ask(world.store)
    world.openrouter.script(SLUG, Reply(arguments={**FORECAST, "probability": 1, "low": 0.9, "high": 1}))
    world.invoke(asked.decision(HAIKU, "blind"))
    ((problem, error_class),) = world.attempts("error_detail, error_class")
    assert error_class == "invalid_output"
    assert "certainty or 1 %" in problem
    assert asked.records.forecasts() == ()


ECHOES: dict[str, Callable[[str], Reply]] = {
    "an error": lambda header: refusal(401, f"No auth: {header}", metadata={"raw": header}),
    "an error that is retried": lambda header: refusal(500, header, headers={"X-Echo": header}),
    "a page": lambda header: Reply(status=403, body=f"<p>{header}</p>".encode(), headers={"Content-Type": "text/html"}),
    "an answer": lambda header: Reply(arguments={**FORECAST, "rationale": header, "no_factors": [header[9:]]}),
    "base64": lambda header: Reply(arguments={**FORECAST, "rationale": base64.b64encode(header.encode()).decode()}),
    "a refused answer": lambda header: Reply(arguments={**FORECAST, "probability": header}),
    "prose": lambda header: Reply(content=f"I cannot, {header}"),
}  # fmt: skip


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_echoed_key_is_in_no_row_entry_or_log(
    world: World, echo: Callable[[str], Reply], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    asked = ask(world.store)
    world.openrouter.script(SLUG, Reply(echo=echo))
    world.invoke(asked.decision(HAIKU, "blind"))
    tables = world.rows(
        "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    rows = [world.rows(f"select to_jsonb(t) from {table} t") for (table,) in tables]  # noqa: S608
    assert len(world.attempts("attempt")) == 1
    printed = capsys.readouterr()
    shown = json.dumps([rows, world.published()], default=str) + printed.out + printed.err + caplog.text
    hidden = [SECRET, base64.b64encode(f"Bearer {KEY}".encode()).decode()[8:]]
    assert not [
        text[start : start + 8] for text in hidden for start in range(len(text) - 8) if text[start : start + 8] in shown
    ]
