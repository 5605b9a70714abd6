"""EventBridge Scheduler on one machine: fires at once and then every period, even while an earlier run goes on."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from coliseum_local.gateway import events
from coliseum_local.gateway.environments import EnvironmentPool, HandlerFailed, Throttled, TimedOut
from coliseum_local.template import Schedule

Sleep = Callable[[float], Awaitable[None]]


class FiredSchedule:
    """One schedule and the function it starts."""

    def __init__(self, schedule: Schedule, environments: EnvironmentPool, *, sleep: Sleep = asyncio.sleep) -> None:
        self._schedule = schedule
        self._environments = environments
        self._sleep = sleep
        self._runs: set[asyncio.Task[None]] = set()
        self.fired = 0
        self.failed = 0
        self.last_fired: datetime | None = None
        self.last_result: Any = None

    async def run(self) -> None:
        while True:
            run = asyncio.create_task(self._fire(datetime.now(UTC)))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)
            await self._sleep(self._schedule.period_seconds)

    async def _fire(self, at: datetime) -> None:
        self.fired += 1
        self.last_fired = at
        event = events.scheduler(name=self._schedule.name, event_id=str(uuid.uuid4()), at=at)
        try:
            self.last_result = await self._environments.invoke(event, request_id=event["id"])
        except (HandlerFailed, TimedOut, Throttled) as error:
            # No retries, as in the template: the next period catches up.
            self.failed += 1
            print(f"schedule {self._schedule.name}: {error}", file=sys.stderr)

    def report(self) -> dict[str, Any]:
        return {
            "schedule": self._schedule.name,
            "function": self._environments.function.name,
            "period_seconds": self._schedule.period_seconds,
            "fired": self.fired,
            "failed": self.failed,
            "last_fired": None if self.last_fired is None else self.last_fired.isoformat().replace("+00:00", "Z"),
            "last_result": self.last_result,
        }
