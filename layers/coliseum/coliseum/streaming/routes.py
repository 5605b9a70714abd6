"""HTTP in and out: `/sse/…` and `/events`. Whatever is refused is refused before the first byte."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from coliseum.errors import ColiseumError, InvalidInput
from coliseum.feed.feed import now_ms
from coliseum.feed.timestamps import rfc3339
from coliseum.observability import logger
from coliseum.streaming.access import is_operator, issue_ticket, permission, unauthorized
from coliseum.streaming.connections import AsgiReceive, AsgiSend, ClientConnection
from coliseum.streaming.context import READING_METHODS, StreamContext, StreamRequest, refuse_unknown
from coliseum.streaming.longpoll import LongPoll
from coliseum.streaming.reader import SharedReader
from coliseum.streaming.responses import EVENT_STREAM, Headers, HttpResponse, json_response, problem
from coliseum.streaming.resume import Cursor
from coliseum.streaming.session import Session, SessionSettings
from coliseum.streaming.subscription import (
    POLL_PARAMETERS,
    STREAM_PARAMETERS,
    STREAMS,
    Subscription,
    parse_start_point,
    parse_subscription,
    single,
)
from coliseum.streaming.tickets import Ticket
from coliseum.streaming.timings import AHEAD_RETRY_SECONDS, OPENING_SECONDS

DEADLINE_MARGIN_SECONDS = 10.0
"""A session ends so long before the platform ends the process."""
LONGEST_POLL_SECONDS = 25.0
TROUBLE_RETRY_MS = (5_000, 15_000)
_RETRY_AFTER: Headers = [(b"retry-after", b"5")]


async def respond(
    context: StreamContext, reader: SharedReader, request: StreamRequest, receive: AsgiReceive, send: AsgiSend
) -> None:
    """Respond to one request. Raises InvalidInput, before anything was sent, for a request that is malformed."""
    name = request.path.removeprefix("/sse/") if request.path.startswith("/sse/") else ""
    if name in STREAMS:
        response = await _stream(context, reader, request, receive, send)
    elif name in {"stats", "clients"}:
        response = _process_report(context, name, request)
    elif name == "ticket" and context.settings.stream_auth == "ticket" and context.settings.admin_token is not None:
        response = await issue_ticket(context, request, receive)
    elif request.path == "/events":
        response = await _events(context, reader, request, receive)
    else:
        response = problem(404, "there is no such stream", path=request.shown_path)
    if response is not None:
        await send_response(context, request, response, send)


async def send_response(context: StreamContext, request: StreamRequest, response: HttpResponse, send: AsgiSend) -> None:
    """Send a whole response, with its cross-origin headers, and without a body to HEAD."""
    headers = [*response.headers, *context.cross_origin.headers(request.header(b"origin"))]
    if response.status == 204:  # a preflight has its own cross-origin headers
        headers = response.headers
    elif b"content-length" not in dict(headers):
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})


async def _stream(
    context: StreamContext, reader: SharedReader, request: StreamRequest, receive: AsgiReceive, send: AsgiSend
) -> HttpResponse | None:
    """Stream events until the end; a response is returned where nothing was sent yet."""
    refusal = context.refuse_method(request, READING_METHODS) or refuse_unknown(request, STREAM_PARAMETERS)
    if refusal is not None:
        return refusal
    name, header = request.path.removeprefix("/sse/"), request.header(b"last-event-id")
    subscription = parse_subscription(name, request.query, header, now_ms=now_ms())
    permit = permission(context, request, subscription.selection)
    if isinstance(permit, HttpResponse):
        return permit
    if request.method == "HEAD":
        await send(_response_start(context, request))
        await send({"type": "http.response.body"})
        return None
    session = Session(subscription, session_settings(context, reader, request, permit), reader.loop.time())
    connection = ClientConnection(
        session,
        reader,
        context.counters,
        send,
        send_seconds=context.send_seconds,
        abort=request.abort,
        push=request.push,
        group=context.registry.group(reader, subscription.selection, context.counters),
    )
    reader.hold(connection.wake)
    watcher: asyncio.Future[None] | None = None
    try:
        watcher = _watch_client(request, connection, receive)
        if subscription.strict and not await reader.ready(
            OPENING_SECONDS, give_up=lambda: connection.is_gone or context.draining
        ):
            return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
        await send(_response_start(context, request))
        await _serve(context, connection, send)
    finally:
        reader.release(connection.wake)
        if watcher is not None:
            watcher.cancel()
    return None


def _response_start(context: StreamContext, request: StreamRequest) -> dict[str, Any]:
    headers = [*EVENT_STREAM, *context.cross_origin.headers(request.header(b"origin"))]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _watch_client(
    request: StreamRequest, connection: ClientConnection, receive: AsgiReceive
) -> asyncio.Future[None] | None:
    """Notify the connection when its client disconnects: by the server's callback if there is one, else by a task."""
    if request.on_gone is None:
        return asyncio.ensure_future(_wait_for_disconnect(receive, connection))
    request.on_gone(connection.gone)
    return None


async def _serve(context: StreamContext, connection: ClientConnection, send: AsgiSend) -> None:
    """Run one connection, and count it."""
    counters, stats = context.counters, connection.session.stats
    counters.opened += 1
    context.registry.connections.add(connection)
    if context.draining:  # the drain reached only the connections that were registered at that time
        connection.session.drain(asyncio.get_running_loop().time())
    reason = "client"
    try:
        reason = await connection.run()
        if reason not in {"client", "too_slow"}:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except Exception:  # noqa: BLE001  # one session must not end the others; its client reconnects
        reason = "error"
        logger().exception("a stream session failed")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        context.registry.connections.discard(connection)
        counters.closed[reason] += 1
        counters.connected_seconds += max(0, now_ms() - connection.opened_ms) / 1000
        counters.resumes += stats.resumed
        counters.gaps += stats.gaps
        counters.lost += stats.lost
        counters.resets += stats.resets


async def _wait_for_disconnect(receive: AsgiReceive, connection: ClientConnection) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.gone()


def session_settings(
    context: StreamContext, reader: SharedReader, request: StreamRequest, ticket: Ticket | None
) -> SessionSettings:
    """One connection's times. Rotation, retry and outage have jitter, so that clients do not come back together."""
    now, settings, rng = reader.loop.time(), context.settings, context.rng
    seconds = settings.sse_session_max_seconds
    if request.deadline is not None:
        seconds = max(0.0, min(seconds, request.deadline - time.time() - DEADLINE_MARGIN_SECONDS))
    seconds *= rng.uniform(0.8, 1.0)
    return SessionSettings(
        session_id=f"{rng.getrandbits(64):016x}",
        heartbeat_seconds=settings.sse_heartbeat_seconds,
        ends_at=now + seconds,
        session_seconds=seconds,
        retry_ms=rng.randint(*context.retry_ms),
        trouble_retry_ms=rng.randint(*TROUBLE_RETRY_MS),
        identity=settings.identity.data(),
        ahead_seconds=reader.timings.ahead_seconds,
        outage_seconds=reader.timings.outage_seconds * rng.uniform(1.0, 1.15),
        expires_at=None if ticket is None else now + max(0.0, ticket.expires_at - time.time()),
    )


def _process_report(context: StreamContext, name: str, request: StreamRequest) -> HttpResponse:
    """`/sse/stats` and `/sse/clients`."""
    refusal = context.refuse_method(request, READING_METHODS)
    if refusal is not None:
        return refusal
    if context.settings.stream_auth == "ticket" and not is_operator(context, request):
        return unauthorized(request)
    refusal = refuse_unknown(request, ())
    if refusal is not None:
        return refusal
    as_of = rfc3339(now_ms())
    registry = context.registry
    if name == "clients":
        items = registry.data()
        envelope = {"next_cursor": None, "source": context.instance, "as_of": as_of, "stale": False}
        return json_response(200, {"items": items, "count": len(items), **envelope})
    stats = context.counters.data(open_seconds=registry.open_seconds(), open_now=len(registry.connections))
    return json_response(
        200,
        {
            **stats,
            "feed_mode": context.settings.feed_mode,
            "uptime_seconds": round(time.monotonic() - context.counters.started_at, 1),
            "instance": context.instance,
            "as_of": as_of,
        },
    )


async def _events(
    context: StreamContext, reader: SharedReader, request: StreamRequest, receive: AsgiReceive
) -> HttpResponse:
    """The log as JSON, by long poll."""
    refusal = context.refuse_method(request, READING_METHODS) or refuse_unknown(request, POLL_PARAMETERS)
    if refusal is not None:
        return refusal
    subscription, wait_seconds = _parse_poll(request)
    permit = permission(context, request, subscription.selection)
    if isinstance(permit, HttpResponse):
        return permit
    woken = asyncio.Event()
    reader.hold(woken.set)
    gone = asyncio.ensure_future(_set_at_disconnect(receive, woken))
    try:
        if not await reader.ready(OPENING_SECONDS, give_up=lambda: gone.done() or context.draining):
            return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
        poll = LongPoll(subscription)
        await _collect(poll, reader, woken, gone, wait_seconds)
        public = b"public, max-age=1" if context.settings.stream_auth == "none" else b"no-store"
        data = {**poll.data(reader.view, now_ms()), "identity": context.settings.identity.data()}
        return json_response(200, data, cache_control=public)
    except ColiseumError:
        return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
    finally:
        gone.cancel()
        reader.release(woken.set)


def _parse_poll(request: StreamRequest) -> tuple[Subscription, float]:
    """What `/events` is asked for, and for how many seconds it may wait."""
    query = request.query
    stream = single(query, "stream") or "trading"
    if stream not in STREAMS:
        raise InvalidInput("stream", stream[:80], f"one of {', '.join(STREAMS)}")
    subscription = parse_subscription(stream, query, None, now_ms=now_ms())
    start = parse_start_point("after", single(query, "after") or "now", now_ms())
    return replace(subscription, start=start), _parse_seconds(single(query, "wait") or "0")


async def _collect(
    poll: LongPoll, reader: SharedReader, woken: asyncio.Event, gone: asyncio.Future[None], wait_seconds: float
) -> None:
    """Fill `poll` until there is something to respond with, or `wait_seconds` are over."""
    clock = reader.loop.time
    until = clock() + wait_seconds
    ahead_until: float | None = None
    while not gone.done():
        woken.clear()
        after = poll.collect(reader.view)
        if after is not None:
            if poll.receive(await reader.read(after), reader.view):
                ahead_until = None
            else:
                # The log is behind the cursor. A replica that lags catches up; a log that lost its end does not.
                ahead_until = ahead_until or clock() + reader.timings.ahead_seconds
                if clock() < ahead_until:
                    await asyncio.sleep(AHEAD_RETRY_SECONDS)
                    continue
                ring = reader.view.ring
                poll.restart("ahead", Cursor(ring.head, ring.epoch), reader.view)
        if poll.complete or clock() >= until:
            return
        try:
            async with asyncio.timeout_at(until):
                await woken.wait()
        except TimeoutError:
            continue


async def _set_at_disconnect(receive: AsgiReceive, woken: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    woken.set()


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_POLL_SECONDS:
        raise InvalidInput("wait", text[:80], f"seconds from 0 to {LONGEST_POLL_SECONDS:.0f}")
    return seconds
