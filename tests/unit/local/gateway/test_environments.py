"""A function's environments: cold starts, warm ones, deadlines, limits, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.waiting import PATIENCE_SECONDS, until_async

from coliseum_local.gateway.environments import EnvironmentPool, HandlerFailed, Throttled, TimedOut
from coliseum_local.template import LambdaFunction

HANDLER = """
import threading, time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise ValueError("as asked")
    until = event.get("until")
    while until and context.get_remaining_time_in_millis() > until:
        time.sleep(0.005)
    time.sleep(event.get("sleep", 0))
    return {"calls": calls, "thread": threading.get_ident(), "request": context.aws_request_id,
            "left": context.get_remaining_time_in_millis(), "name": context.function_name}
"""


def function(
    folder: Path, *, concurrency: int | None = None, timeout_seconds: int = 600, code: str = HANDLER
) -> LambdaFunction:
    (folder / "app.py").write_text(code)
    return LambdaFunction(
        logical_id="OneFunction",
        name="one",
        folder=folder,
        handler="app.handler",
        timeout_seconds=timeout_seconds,
        memory_megabytes=128,
        concurrency=concurrency,
        variables={},
        layers=(),
        routes=(),
        schedules=(),
        streams=False,
    )


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def test_a_warm_environment_keeps_its_namespace_and_its_thread(tmp_path: Path) -> None:
    async def twice() -> tuple[Any, Any]:
        environments = EnvironmentPool(function(tmp_path))
        return await environments.invoke({}, request_id="a"), await environments.invoke({}, request_id="b")

    first, second = run(twice())
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["thread"] == second["thread"]
    assert (first["request"], second["request"]) == ("a", "b")


def test_invocations_at_once_have_namespaces_of_their_own(tmp_path: Path) -> None:
    async def both() -> Any:
        environments = EnvironmentPool(function(tmp_path))
        return await asyncio.gather(*(environments.invoke({"sleep": 0.1}, request_id=name) for name in "ab"))

    assert [answer["calls"] for answer in run(both())] == [1, 1]


def test_the_context_counts_down_to_the_functions_time_out(tmp_path: Path) -> None:
    answer = run(EnvironmentPool(function(tmp_path)).invoke({"sleep": 0.05}, request_id="a"))
    assert 300_000 < answer["left"] <= 599_950


def test_beyond_the_reserved_concurrency_an_invocation_is_refused(tmp_path: Path) -> None:
    async def two() -> tuple[Any, dict[str, Any]]:
        environments = EnvironmentPool(function(tmp_path, concurrency=1))
        both = [environments.invoke({"sleep": 0.1}, request_id=name) for name in "ab"]
        return await asyncio.gather(*both, return_exceptions=True), environments.report()

    (first, second), report = run(two())
    assert first["calls"] == 1
    assert isinstance(second, Throttled)
    assert report["throttles"] == 1


def test_a_failure_is_counted_and_the_environment_goes_on(tmp_path: Path) -> None:
    async def fail_then_work() -> tuple[Any, dict[str, Any]]:
        environments = EnvironmentPool(function(tmp_path))
        with pytest.raises(HandlerFailed, match="ValueError: as asked"):
            await environments.invoke({"fail": True}, request_id="a")
        return await environments.invoke({}, request_id="b"), environments.report()

    answer, report = run(fail_then_work())
    assert answer["calls"] == 2
    assert (report["invocations"], report["errors"]) == (2, 1)


def test_a_file_that_cannot_be_loaded_is_a_failure_until_it_can(tmp_path: Path) -> None:
    async def broken_then_mended() -> Any:
        environments = EnvironmentPool(function(tmp_path, code="import nothing_of_this_name"))
        with pytest.raises(HandlerFailed, match="ModuleNotFoundError"):
            await environments.invoke({}, request_id="a")
        (tmp_path / "app.py").write_text(HANDLER)
        return await environments.invoke({}, request_id="b")

    assert run(broken_then_mended())["calls"] == 1


def test_a_time_out_gives_the_environment_up_and_the_next_one_starts_cold(tmp_path: Path) -> None:
    async def late() -> tuple[Any, dict[str, Any]]:
        environments = EnvironmentPool(function(tmp_path, timeout_seconds=1))
        with pytest.raises(TimedOut, match="one did not answer in 1 s"):
            await environments.invoke({"sleep": 1.3}, request_id="a")
        environments.function = function(tmp_path)  # from here on with time enough for a slow machine
        return await environments.invoke({}, request_id="b"), environments.report()

    answer, report = run(late())
    assert answer["calls"] == 1
    assert (report["timeouts"], report["errors"]) == (1, 1)


def test_a_running_handler_sees_that_no_time_remains_while_draining(tmp_path: Path) -> None:
    async def drained() -> Any:
        environments = EnvironmentPool(function(tmp_path))
        running = asyncio.create_task(environments.invoke({"until": 1000}, request_id="a"))
        await until_async(lambda: environments.running == 1)
        await environments.drain(seconds=PATIENCE_SECONDS)
        return await running

    assert run(drained())["left"] == 0
