"""The app's start and end by ASGI's lifespan protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Lifespan:
    """Runs the app's lifespan beside its requests. An app without one is served all the same, as the protocol asks."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self.app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Raises RuntimeError where the app reports that it failed to start."""
        self._task = asyncio.create_task(self._run())
        await self._exchange("startup")

    async def shutdown(self) -> None:
        """Raises RuntimeError where the app reports that it failed to end."""
        if self._task is not None and not self._task.done():
            await self._exchange("shutdown")
            await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        await self.app(scope, self._inbox.get, self._outbox.put)

    async def _exchange(self, phase: str) -> None:
        assert self._task is not None
        await self._inbox.put({"type": f"lifespan.{phase}"})
        answer = asyncio.create_task(self._outbox.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            self._task.exception()  # an app that does not know the protocol raises or returns: no lifespan
        elif answer.result()["type"] == f"lifespan.{phase}.failed":
            raise RuntimeError(answer.result().get("message") or f"the app's {phase} failed")
