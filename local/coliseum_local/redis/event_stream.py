"""A subscription as server-sent events, in the frames that Upstash writes."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Send

from coliseum_local.redis.subscriptions import End, Subscriber

_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


async def send_events(subscriber: Subscriber, receive: Receive, send: Send) -> None:
    """Write frames until the subscription ends or the client leaves."""
    gone = asyncio.create_task(_until_disconnect(receive))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        while True:
            frames, end = await _next_frames(subscriber, gone)
            if frames:
                await send({"type": "http.response.body", "body": b"".join(map(_event, frames)), "more_body": True})
            if end is End.CLOSED:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if end is not None:  # returning without the last part makes the server cut the connection
                return
    finally:
        gone.cancel()


async def _next_frames(subscriber: Subscriber, gone: asyncio.Task[None]) -> tuple[list[bytes], End | None]:
    """All frames there are, at least one, and the end where it came."""
    waiting = asyncio.create_task(subscriber.frames.get())
    await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        waiting.cancel()
        return [], End.CUT
    frames: list[bytes] = []
    item = waiting.result()
    while not isinstance(item, End):
        frames.append(item)
        if subscriber.frames.empty():
            return frames, None
        item = subscriber.frames.get_nowait()
    return frames, item


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(frame: bytes) -> bytes:
    return b"".join(b"data: %b\n" % line for line in frame.split(b"\n")) + b"\n"
