"""The forecaster without its models: CPU of a cold start, and the time of a decision on real Postgres and Redis.

The model answers at once and on this machine, so what is left is ours. Beside it stands the same question asked with
pydantic-ai alone, which neither reserves, seals, stores nor trades.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from functions.forecaster import app
from tests.functions.asked_round import MODELS, AskedRound, ask, event
from tests.openrouter.server import OpenRouter, serving

from bench import machine
from bench.imports import ROOT, ROUNDS, measure
from coliseum import config
from coliseum.arena.agents.prompts import build_prompt
from coliseum.arena.agents.reply import ForecastReply
from coliseum.arena.frozen_context import visible_context
from coliseum.store.client import Store
from coliseum_local.processes import ServerProcess

KEY = "sk-or-v1-bench"
SLUG = "anthropic/claude-haiku-5.5"
MARKETS = 40
BATCH = 10
QUESTION = "from pydantic_ai import Agent; from pydantic_ai.models.openrouter import OpenRouterModel"


def main() -> None:
    """Print both tables."""
    quick = machine.parser(__doc__).parse_args().quick
    markets, rounds = (2, 0) if quick else (MARKETS, ROUNDS)
    cold = measure(str(ROOT / "functions" / "forecaster" / "app.py"), rounds=rounds)
    first = measure(QUESTION, rounds=rounds)
    rows = [
        ["handler, rules only", f"{cold[0] * 1000:.0f}", cold[1], f"{cold[2]:.0f}"],
        ["what the first question to a model adds, about", f"{first[0] * 1000:.0f}", first[1], f"{first[2]:.0f}"],
    ]
    print(machine.description())
    machine.show("Cold start", ["", "CPU ms", "modules", "RSS MiB"], rows)
    with tempfile.TemporaryDirectory(prefix="coliseum-bench-") as folder, _servers(Path(folder)) as (store, openrouter):
        machine.show(
            f"A decision, models answering at once; median of {markets}, batches of {BATCH}",
            ["", "wall ms", "CPU ms", "requests"],
            _decisions(store, openrouter, markets),
        )


def _decisions(store: Store, openrouter: OpenRouter, markets: int) -> list[list[object]]:
    tickers = [f"KXRAIN-26NOV22-T{number}" for number in range(markets)]
    asked = ask(store, tickers=tickers)
    wanted = {
        "market (a rule)": ("market", "aware"),
        "a model": (MODELS[0], "blind"),
        "a model, aware": (MODELS[1], "aware"),
        "consensus": ("consensus", "aware"),
    }
    rows: list[list[object]] = []
    _invoke([asked.decision("uniform", "blind", ticker) for ticker in tickers[:BATCH]])  # warm
    _invoke([asked.decision(MODELS[0], "aware", ticker) for ticker in tickers[:BATCH]])
    for name, (agent, track) in wanted.items():
        before = len(openrouter.requests)
        wall, cpu = _measured([asked.decision(agent, track, ticker) for ticker in tickers], _invoke)
        rows.append([name, f"{wall:.1f}", f"{cpu:.1f}", len(openrouter.requests) - before])
    before = len(openrouter.requests)
    wall, cpu = _measured(tickers, lambda batch: _bare(batch, asked, openrouter))
    rows.append(["pydantic-ai alone", f"{wall:.1f}", f"{cpu:.1f}", len(openrouter.requests) - before])
    return rows


def _measured(items: Sequence[str], run: Callable[[list[str]], None]) -> tuple[float, float]:
    """(wall, CPU) milliseconds per item, medians over batches."""
    walls, cpus = [], []
    for start in range(0, len(items), BATCH):
        batch = list(items[start : start + BATCH])
        wall, cpu = time.perf_counter(), time.process_time()
        run(batch)
        walls.append((time.perf_counter() - wall) * 1000 / len(batch))
        cpus.append((time.process_time() - cpu) * 1000 / len(batch))
    return statistics.median(walls), statistics.median(cpus)


def _invoke(decisions: list[str]) -> None:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)
    bodies = [json.dumps({"decision_id": one}) for one in decisions]
    with contextlib.redirect_stdout(io.StringIO()):  # metrics
        result = app.handler(event(*bodies), context)
    assert result == {"batchItemFailures": []}, result


def _bare(tickers: list[str], asked: AskedRound, openrouter: OpenRouter) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openrouter import OpenRouterModel
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    class Provider(OpenRouterProvider):
        @property
        def base_url(self) -> str:
            return openrouter.url

    market = asked.records.round_market(asked.round_id, tickers[0])
    decision = asked.records.decisions(asked.round_id)[0]
    text = build_prompt(visible_context(market.context, decision.track), decision.track)

    async def everyone() -> None:
        async with Agent(
            OpenRouterModel(SLUG, provider=Provider(api_key=KEY)), output_type=ForecastReply, instructions=text.system
        ) as agent:
            await asyncio.gather(*(agent.run(text.user) for _ in tickers))

    asyncio.run(everyone())


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Store, OpenRouter]]:
    with ExitStack() as stack:

        def start(name: str) -> dict[str, Any]:
            arguments = ["--port", "0", "--state", str(folder / name)]
            server = ServerProcess(f"coliseum_local.{name}", arguments, log=folder / f"{name}.log")
            stack.callback(server.stop)
            return server.ready

        redis, postgres = start("redis"), start("postgres")
        openrouter = stack.enter_context(serving())
        settings = {
            "upstash_redis_rest_url": redis["url"],
            "upstash_redis_rest_token": redis["token"],
            "supabase_url": postgres["url"],
            "supabase_service_role_key": postgres["secret_key"],
            "openrouter_api_key": KEY,
            "openrouter_base_url": openrouter.url,
            "log_level": "ERROR",
        }
        config.set_settings(config.load(settings))
        store = Store(postgres["url"], postgres["secret_key"])
        stack.callback(store.close)
        yield store, openrouter


if __name__ == "__main__":
    main()
