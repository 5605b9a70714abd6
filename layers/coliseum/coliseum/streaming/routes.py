"""HTTP in and out: `/sse/…` and `/events`. Everything refused is refused before the first byte."""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from coliseum.config import Settings
from coliseum.errors import ColiseumError, InvalidInput
from coliseum.feed.feed import now_ms
from coliseum.observability import logger
from coliseum.streaming.answers import EVENT_STREAM, Answer, CrossOrigin, Headers, json_answer, problem
from coliseum.streaming.connections import SEND_SECONDS, Connection, Listen, Register, Write
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.longpoll import Poll
from coliseum.streaming.session import OPENING_SECONDS, Plan, Session
from coliseum.streaming.stats import Counts
from coliseum.streaming.subscription import (
    STREAMS,
    Selection,
    Subscription,
    begin_from,
    parse_query,
    single,
    subscription_from,
)
from coliseum.streaming.tickets import LIFETIME_SECONDS, Ticket, ticket_from
from coliseum.streaming.view import clock_text

DEADLINE_MARGIN_SECONDS = 10.0
LONGEST_POLL_SECONDS = 25.0
RETRY_MS = (1_000, 3_000)
"""Browsers add no jitter of their own to the `retry` they are told."""
TROUBLE_RETRY_MS = (5_000, 15_000)
_BODY_BYTES = 16_384
_READS = ("GET", "HEAD", "OPTIONS")
_RETRY_AFTER: Headers = [(b"retry-after", b"5")]


@dataclass(frozen=True, slots=True)
class Request:
    """What we need of an ASGI scope."""

    method: str
    path: str
    """Without the mount's prefix."""
    shown_path: str
    headers: Mapping[bytes, bytes]
    query: Mapping[str, list[str]]
    deadline: float | None = None
    """Unix seconds at which the platform ends us."""
    abort: Callable[[], None] | None = None
    """Cuts the client off; only our own server can."""
    push: Callable[[bytes], bool] | None = None
    """Writes without waiting; only our own server can."""
    on_gone: Callable[[Callable[[], None]], None] | None = None
    """Takes a callback for the client's end; only our own server does."""

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def bearer(self) -> str | None:
        """The token sent with the request; what the edge moved aside counts like `Authorization` itself."""
        for name in (b"authorization", b"x-forwarded-authorization"):
            scheme, _, token = (self.header(name) or "").partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                return token.strip()
        return None


@dataclass(slots=True)
class Desk:
    """What all requests of a process share."""

    settings: Settings
    counts: Counts
    register: Register
    cross_origin: CrossOrigin
    instance: str = field(default_factory=lambda: uuid4().hex[:12])
    send_seconds: float = SEND_SECONDS
    rng: random.Random = field(default_factory=random.Random)
    retry_ms: tuple[int, int] = RETRY_MS
    draining: bool = False
    """The process is going."""


def request_from(scope: Mapping[str, Any], path: str) -> Request:
    """Raises InvalidInput for a query that is none."""
    return Request(
        method=scope["method"],
        path=path,
        shown_path=scope["path"],
        headers={name.lower(): value for name, value in scope["headers"]},
        query=parse_query(scope.get("query_string", b"")),
        deadline=scope.get("coliseum.deadline"),
        abort=scope.get("coliseum.abort"),
        push=scope.get("coliseum.push"),
        on_gone=scope.get("coliseum.on_gone"),
    )


async def respond(desk: Desk, reader: LogReader, request: Request, listen: Listen, write: Write) -> None:
    """Answer one request."""
    name = request.path.removeprefix("/sse/") if request.path.startswith("/sse/") else ""
    if name in STREAMS:
        answer = await _stream(desk, reader, request, listen, write)
    elif name in {"stats", "clients"}:
        answer = _about(desk, name, request)
    elif name == "ticket" and desk.settings.stream_auth == "ticket" and desk.settings.admin_token is not None:
        answer = await _ticket(desk, request, listen)
    elif request.path == "/events":
        answer = await _events(desk, reader, request, listen)
    else:
        answer = problem(404, "there is no such stream", path=request.shown_path)
    if answer is not None:
        await reply(desk, request, answer, write)


async def reply(desk: Desk, request: Request, answer: Answer, write: Write) -> None:
    """Send a whole answer, with its cross-origin headers and without a body to HEAD."""
    headers = [*answer.headers, *desk.cross_origin.headers(request.header(b"origin"))]
    if answer.status == 204:  # a preflight brings its own
        headers = answer.headers
    elif b"content-length" not in dict(headers):
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await write({"type": "http.response.start", "status": answer.status, "headers": headers})
    await write({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})


def _method(desk: Desk, request: Request, allowed: Iterable[str]) -> Answer | None:
    """The answer to OPTIONS and to what is not allowed."""
    allowed = tuple(allowed)
    if request.method == "OPTIONS":
        return desk.cross_origin.preflight(request.header(b"origin"), allowed)
    if request.method in allowed:
        return None
    allow = (b"allow", ", ".join(allowed).encode())
    return problem(405, f"{request.method} is not allowed here", path=request.shown_path, headers=[allow])


async def _stream(desk: Desk, reader: LogReader, request: Request, listen: Listen, write: Write) -> Answer | None:
    refused = _method(desk, request, _READS)
    if refused is not None:
        return refused
    name, header = request.path.removeprefix("/sse/"), request.header(b"last-event-id")
    subscription = subscription_from(name, request.query, header, now_ms=now_ms())
    permit = _permit(desk, request, subscription.selection)
    if isinstance(permit, Answer):
        return permit
    if request.method == "HEAD":
        await write(_start(desk, request))
        await write({"type": "http.response.body"})
        return None
    session = Session(subscription, _plan(desk, reader, request, permit), reader.loop.time())
    if desk.draining:
        session.drain(reader.loop.time())
    connection = Connection(
        session,
        reader,
        desk.counts,
        write,
        send_seconds=desk.send_seconds,
        abort=request.abort,
        push=request.push,
        audience=desk.register.audience(reader, subscription.selection, desk.counts),
    )
    reader.hold(connection.wake)
    watcher: asyncio.Future[None] | None = None
    try:
        if subscription.strict and not await reader.ready(OPENING_SECONDS):
            return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
        await write(_start(desk, request))
        watcher = _watcher(request, connection, listen)
        await _converse(desk, connection, write)
    finally:
        reader.release(connection.wake)
        if watcher is not None:
            watcher.cancel()
    return None


def _start(desk: Desk, request: Request) -> dict[str, Any]:
    headers = [*EVENT_STREAM, *desk.cross_origin.headers(request.header(b"origin"))]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _watcher(request: Request, connection: Connection, listen: Listen) -> asyncio.Future[None] | None:
    """Tell the connection when its client leaves: by a callback where the server gives one, else by a task."""
    if request.on_gone is None:
        return asyncio.ensure_future(_until_gone(listen, connection))
    request.on_gone(connection.gone)
    return None


async def _converse(desk: Desk, connection: Connection, write: Write) -> None:
    counts, tally = desk.counts, connection.session.tally
    counts.opened += 1
    desk.register.connections.add(connection)
    reason = "client"
    try:
        reason = await connection.run()
        if reason not in {"client", "too_slow"}:
            await write({"type": "http.response.body", "body": b"", "more_body": False})
    except Exception:  # noqa: BLE001  # one session must not end the others; its client comes back
        reason = "error"
        logger().exception("a session failed")
        await write({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        desk.register.connections.discard(connection)
        counts.closed[reason] += 1
        counts.connected_seconds += max(0, now_ms() - connection.opened_ms) / 1000
        counts.resumes += tally.resumed
        counts.gaps += tally.gaps
        counts.lost += tally.lost
        counts.resets += tally.resets


async def _until_gone(listen: Listen, connection: Connection) -> None:
    while (await listen())["type"] != "http.disconnect":
        pass
    connection.gone()


def _plan(desk: Desk, reader: LogReader, request: Request, ticket: Ticket | None) -> Plan:
    now, settings, rng = reader.loop.time(), desk.settings, desk.rng
    seconds = settings.sse_session_max_seconds
    if request.deadline is not None:
        seconds = max(0.0, min(seconds, request.deadline - time.time() - DEADLINE_MARGIN_SECONDS))
    seconds *= rng.uniform(0.8, 1.0)
    return Plan(
        session_id=f"{rng.getrandbits(64):016x}",
        heartbeat_seconds=settings.sse_heartbeat_seconds,
        ends_at=now + seconds,
        session_seconds=seconds,
        retry_ms=rng.randint(*desk.retry_ms),
        trouble_retry_ms=rng.randint(*TROUBLE_RETRY_MS),
        ahead_seconds=reader.pace.ahead,
        outage_seconds=reader.pace.outage * rng.uniform(1.0, 1.15),  # not all at once
        expires_at=None if ticket is None else now + max(0.0, ticket.expires_at - time.time()),
    )


def _about(desk: Desk, name: str, request: Request) -> Answer:
    refused = _method(desk, request, _READS)
    if refused is not None:
        return refused
    if desk.settings.stream_auth == "ticket" and not _is_operator(desk, request):
        return _unauthorized(request)
    as_of = clock_text(now_ms())
    if name == "clients":
        items = desk.register.data()
        envelope = {"next_cursor": None, "source": desk.instance, "as_of": as_of, "stale": False}
        return json_answer(200, {"items": items, "count": len(items), **envelope})
    stats = desk.counts.data(open_seconds=desk.register.open_seconds(), open_now=len(desk.register.connections))
    return json_answer(
        200,
        {
            **stats,
            "feed_mode": desk.settings.feed_mode,
            "uptime_seconds": round(time.monotonic() - desk.counts.started_at, 1),
            "instance": desk.instance,
            "as_of": as_of,
        },
    )


async def _events(desk: Desk, reader: LogReader, request: Request, listen: Listen) -> Answer:
    refused = _method(desk, request, _READS)
    if refused is not None:
        return refused
    subscription, wait = _poll_request(request)
    permit = _permit(desk, request, subscription.selection)
    if isinstance(permit, Answer):
        return permit
    woken = asyncio.Event()
    reader.hold(woken.set)
    gone = asyncio.ensure_future(_disconnect(listen, woken))
    try:
        if not await reader.ready(OPENING_SECONDS):
            return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
        poll = Poll(subscription)
        await _collect(poll, reader, woken, gone, wait)
        public = b"public, max-age=1" if desk.settings.stream_auth == "none" else b"no-store"
        return json_answer(200, poll.data(reader.view, now_ms()), cache_control=public)
    except ColiseumError:
        return problem(503, "the log cannot be read", path=request.shown_path, headers=_RETRY_AFTER)
    finally:
        gone.cancel()
        reader.release(woken.set)


def _poll_request(request: Request) -> tuple[Subscription, float]:
    """What `/events` is asked for, and for how many seconds it may wait."""
    query = {name: values for name, values in request.query.items() if name not in {"since", "last_event_id"}}
    stream = single(query, "stream") or "trading"
    if stream not in STREAMS:
        raise InvalidInput("stream", stream[:80], f"one of {', '.join(STREAMS)}")
    subscription = subscription_from(stream, query, None, now_ms=now_ms())
    begin = begin_from("after", single(query, "after") or "now", now_ms())
    return replace(subscription, begin=begin), _seconds(single(query, "wait") or "0")


async def _collect(
    poll: Poll, reader: LogReader, woken: asyncio.Event, gone: asyncio.Future[None], wait_seconds: float
) -> None:
    clock = reader.loop.time
    until = clock() + wait_seconds
    ahead_until: float | None = None
    while not gone.done():
        woken.clear()
        question = poll.question(reader.view)
        if question is not None:
            if poll.answer(await reader.read(question), reader.view):
                ahead_until = None
            else:
                ahead_until = ahead_until or clock() + reader.pace.ahead
                if clock() >= ahead_until:
                    poll.begin_anew("ahead", reader.view, reader.view.ring.head)
                else:
                    await asyncio.sleep(0.4)
                    continue
        if poll.complete or clock() >= until:
            return
        try:
            async with asyncio.timeout_at(until):
                await woken.wait()
        except TimeoutError:
            continue


async def _disconnect(listen: Listen, woken: asyncio.Event) -> None:
    while (await listen())["type"] != "http.disconnect":
        pass
    woken.set()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_POLL_SECONDS:
        raise InvalidInput("wait", text[:80], f"seconds from 0 to {LONGEST_POLL_SECONDS:.0f}")
    return seconds


def _permit(desk: Desk, request: Request, selection: Selection) -> Ticket | Answer | None:
    """None where nothing limits the client, its ticket, or why it must go."""
    if desk.settings.stream_auth == "none" or _is_operator(desk, request):
        return None
    secret = desk.settings.stream_ticket_secret
    given = request.bearer or next(iter(request.query.get("ticket", ())), None)
    ticket = ticket_from(given, secret.get_secret_value(), now=time.time()) if given and secret else None
    if ticket is None:
        return _unauthorized(request)
    if not selection.within(ticket.selection):
        return problem(403, "the ticket does not cover this stream and filter", path=request.shown_path)
    return ticket


def _is_operator(desk: Desk, request: Request) -> bool:
    token = desk.settings.admin_token
    given = request.bearer
    if token is None or given is None:
        return False
    return hmac.compare_digest(given.encode("latin-1", "replace"), token.get_secret_value().encode())


def _unauthorized(request: Request) -> Answer:
    challenge = [(b"www-authenticate", b"Bearer")]
    return problem(401, "a valid ticket or token is needed", path=request.shown_path, headers=challenge)


async def _ticket(desk: Desk, request: Request, listen: Listen) -> Answer:
    refused = _method(desk, request, ("POST", "OPTIONS"))
    if refused is not None:
        return refused
    if not _is_operator(desk, request):
        return _unauthorized(request)
    wanted = _ticket_wish(await _body(listen))
    secret = desk.settings.stream_ticket_secret
    assert secret is not None  # checked when the app was made
    ticket = Ticket(wanted.selection, int(time.time()) + LIFETIME_SECONDS)
    return json_answer(
        201,
        {"ticket": ticket.signed(secret.get_secret_value()), "expires_at": clock_text(ticket.expires_at * 1000)},
    )


def _ticket_wish(body: bytes) -> Subscription:
    """`{"stream": …, "tickers": […], "series": […], "events": […]}`, each optional."""
    try:
        wish = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise InvalidInput("body", "…", "a JSON object") from None
    if not isinstance(wish, dict) or not wish.keys() <= {"stream", "tickers", "series", "events"}:
        raise InvalidInput("body", "…", "an object with stream, tickers, series, events and nothing else")
    stream = wish.pop("stream", "trading")
    if not isinstance(stream, str) or stream not in STREAMS:
        raise InvalidInput("stream", stream, f"one of {', '.join(STREAMS)}")
    query: dict[str, list[str]] = {}
    for name, values in wish.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidInput(name, values, "a list of strings")
        query[name] = values
    return subscription_from(stream, query, None, now_ms=0)


async def _body(listen: Listen) -> bytes:
    body: bytes = b""
    while True:
        message: MutableMapping[str, Any] = await listen()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > _BODY_BYTES:
            raise InvalidInput("body", f"{len(body)} bytes", f"at most {_BODY_BYTES}")
        if not message.get("more_body"):
            return body


__all__ = ["Desk", "Request", "reply", "request_from", "respond"]
