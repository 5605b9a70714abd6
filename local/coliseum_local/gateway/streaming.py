"""The streaming function in this process: one ASGI app for all clients, as in a container.

Each request becomes a function URL event and, by the layer's own conversion, the scope that the app sees on Lambda.
Unlike Lambda there is no deadline, and a client that leaves is noticed at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from coliseum_streaming import scope as scopes
from coliseum_streaming.lifespan import App, Lifespan

from coliseum_local.gateway.environments import load
from coliseum_local.template import LambdaFunction


class Streaming:
    """The app of `function`, its lifespan, and the streams that are open."""

    def __init__(self, function: LambdaFunction) -> None:
        self.function = function
        self.open = self.total = self.errors = 0
        self._lifespan: Lifespan | None = None

    async def start(self) -> None:
        """Load the app and run its start-up. The caller reports what it raises."""
        app: App = getattr(load(self.function), self.function.handler.rpartition(".")[2])
        lifespan = Lifespan(app)
        await lifespan.startup()
        self._lifespan = lifespan

    async def stop(self) -> None:
        if self._lifespan is not None:
            await self._lifespan.shutdown()

    async def serve(self, event: dict[str, Any], receive: Any, send: Any) -> None:
        if self._lifespan is None:
            await self.start()
        assert self._lifespan is not None
        scope, body = scopes.from_event(event)
        scope["state"] = dict(self._lifespan.state)
        self.open += 1
        self.total += 1
        try:
            await self._lifespan.app(scope, _Receive(body, receive), send)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:
            self.errors += 1
            raise
        finally:
            self.open -= 1

    def report(self) -> dict[str, Any]:
        return {"function": self.function.name, "open": self.open, "total": self.total, "errors": self.errors}


class _Receive:
    """Gives the body, which has been read already, then the server's messages: that the client has left."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Any:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()
