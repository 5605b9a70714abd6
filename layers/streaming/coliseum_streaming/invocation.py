"""One invocation of the ASGI app: what it receives, where its messages go, and how it ends.

Rules:
1. Nothing is sent before the first body message, so that an app that fails until then becomes a proper error.
2. After the first byte an error is sent in trailers; the client sees a stream that breaks off.
3. The app gets a disconnect `GRACE_SECONDS` before the deadline, so that it can end the stream itself. Otherwise it is
   cancelled `CUT_SECONDS` before the deadline and the response ends cleanly: Lambda would kill the environment.
4. Lambda does not report that the client has left. If the Runtime API takes no more bytes, that is a disconnect.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from typing import Any

from coliseum_streaming import scope as scopes
from coliseum_streaming.lifespan import App, Message
from coliseum_streaming.runtime_api import Invocation, ResponseStream, RuntimeApi

GRACE_SECONDS = 1.0
CUT_SECONDS = 0.3


async def serve(
    app: App, invocation: Invocation, api: RuntimeApi, *, state: dict[str, Any], ending: asyncio.Event
) -> None:
    """Run `app` for `invocation` and send its response, or its failure, to the Runtime API.

    `ending` is set when the environment is about to end: to the app this is a disconnect.
    """
    channel = InvocationChannel(invocation, api)
    try:
        scope, body = scopes.from_event(invocation.event)
        scope |= {
            "state": dict(state),
            "coliseum.deadline": invocation.deadline,
            "aws.request_id": invocation.request_id,
        }
        await _run(app, scope, body, channel, ending)
        await channel.finish(None)
    except Exception as error:  # noqa: BLE001 - whatever the app raises is this invocation's failure, and the loop goes on
        traceback.print_exc(file=sys.stderr)
        await channel.finish(error)


async def _run(app: App, scope: scopes.Scope, body: bytes, channel: InvocationChannel, ending: asyncio.Event) -> None:
    channel.take_request(body, head=scope["method"] == "HEAD")
    remaining = scope["coliseum.deadline"] - time.time()
    loop = asyncio.get_running_loop()
    disconnect = loop.call_later(max(remaining - GRACE_SECONDS, 0), channel.disconnect)
    watch = asyncio.create_task(_forward(ending, channel))
    task = asyncio.ensure_future(app(scope, channel.receive, channel.send))
    try:
        await asyncio.wait({task}, timeout=max(remaining - CUT_SECONDS, 0))
        if not task.done():
            print("the app ran into its deadline and was cancelled", file=sys.stderr)
            task.cancel()
            await asyncio.wait({task}, timeout=CUT_SECONDS / 2)
        if task.done() and not task.cancelled():
            task.result()
    finally:
        disconnect.cancel()
        watch.cancel()


async def _forward(ending: asyncio.Event, channel: InvocationChannel) -> None:
    await ending.wait()
    channel.disconnect()


class InvocationChannel:
    """The `receive` and `send` of the app, and the response that it makes.

    Invariant: the response to the Runtime API is begun with the first body message, and `_stream` is None before.
    """

    def __init__(self, invocation: Invocation, api: RuntimeApi) -> None:
        self._invocation, self._api = invocation, api
        self._request: bytes | None = None
        self._head_only = False
        self._disconnected = asyncio.Event()
        self._start: Message | None = None
        self._stream: ResponseStream | None = None
        self._complete = False
        self._lost = False

    def take_request(self, body: bytes, *, head: bool) -> None:
        self._request, self._head_only = body, head

    def disconnect(self) -> None:
        self._disconnected.set()

    async def receive(self) -> Message:
        if self._request is not None:
            body, self._request = self._request, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._start is None:
            self._start = message
            return
        if message["type"] != "http.response.body" or self._start is None or self._complete:
            raise RuntimeError(f"unexpected ASGI message {message['type']}")
        try:
            if self._stream is None:
                self._stream = await self._api.respond(self._invocation.request_id, prelude(self._start))
            if not self._lost and not self._head_only:
                await self._stream.write(message.get("body", b""))
        except OSError:
            self._lost = True
            self.disconnect()
        if not message.get("more_body", False):
            self._complete = True
            self.disconnect()

    async def finish(self, error: Exception | None) -> None:
        """Close the response. An app that stopped in the middle without a disconnect has failed."""
        if error is None and not self._complete and not self._disconnected.is_set():
            error = RuntimeError("the app ended without completing its response")
        if self._stream is None:
            problem = error or TimeoutError("the app sent no response before its deadline")
            await self._api.invocation_error(self._invocation.request_id, problem)
        elif not self._lost:
            try:
                await self._stream.finish(error)
            except OSError as lost:
                print(f"the Runtime API did not take the whole response: {lost}", file=sys.stderr)


def prelude(start: Message) -> dict[str, Any]:
    """Status, headers and cookies of a response, as a function URL expects them before the body."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in start.get("headers", ()):
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in {"content-length", "transfer-encoding", "connection"}:  # a stream has no length
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {"statusCode": start["status"], "headers": headers, "cookies": cookies}
