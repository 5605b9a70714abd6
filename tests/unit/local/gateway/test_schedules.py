"""Schedules fire at once and every period, and survive what they start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.unit.local.gateway.test_environments import function

from coliseum_local.gateway.environments import EnvironmentPool
from coliseum_local.gateway.schedules import FiredSchedule
from coliseum_local.template import Schedule

CODE = """
import pathlib, time

def handler(event, context):
    assert event["source"] == "aws.scheduler"
    while not pathlib.Path(GATE).exists():
        time.sleep(0.005)
    if event["resources"][0].endswith("Failing"):
        raise ValueError("as asked")
    return {"ticks": 20}
"""


def fire(
    folder: Path, *, name: str = "EveryMinute", times: int, concurrency: int = 2
) -> tuple[dict[str, Any], list[float]]:
    """The schedule's report after it fired `times` times without real waiting. No run ends before the last began."""
    gate = folder / "gate"
    slept: list[float] = []

    async def scenario() -> dict[str, Any]:
        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == times:
                gate.touch()
                while environments.invocations + environments.throttles < times or environments.running:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                task.cancel()
            await asyncio.sleep(0)

        environments = EnvironmentPool(function(folder, code=f"GATE = {str(gate)!r}\n{CODE}", concurrency=concurrency))
        schedule = FiredSchedule(Schedule(name, 60), environments, sleep=sleep)
        task = asyncio.create_task(schedule.run())
        await asyncio.gather(task, return_exceptions=True)
        return schedule.report()

    return asyncio.run(scenario()), slept


def test_it_fires_at_once_and_then_every_period(tmp_path: Path) -> None:
    report, slept = fire(tmp_path, times=2)
    assert (report["fired"], report["failed"], report["last_result"]) == (2, 0, {"ticks": 20})
    assert slept == [60, 60]


def test_runs_may_overlap_up_to_the_reserved_concurrency(tmp_path: Path) -> None:
    report, _ = fire(tmp_path, times=3, concurrency=2)
    assert (report["fired"], report["failed"]) == (3, 1)


def test_a_handler_that_crashes_is_counted_and_the_schedule_goes_on(tmp_path: Path) -> None:
    report, _ = fire(tmp_path, name="Failing", times=2)
    assert (report["fired"], report["failed"], report["last_result"]) == (2, 2, None)
