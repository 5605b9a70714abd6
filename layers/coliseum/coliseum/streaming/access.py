"""Who may read which stream: the operator's token, and the tickets that the operator hands out."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import MutableMapping
from typing import Any

from coliseum.errors import InvalidInput
from coliseum.feed.timestamps import rfc3339
from coliseum.streaming.connections import AsgiReceive
from coliseum.streaming.context import StreamContext, StreamRequest, refuse_unknown
from coliseum.streaming.responses import HttpResponse, json_response, problem
from coliseum.streaming.subscription import STREAMS, Selection, Subscription, parse_subscription, single
from coliseum.streaming.tickets import LIFETIME_SECONDS, Ticket, parse_ticket

_BODY_BYTES = 16_384


def permission(context: StreamContext, request: StreamRequest, selection: Selection) -> Ticket | HttpResponse | None:
    """None where nothing limits the client, else its ticket, or the refusal to respond with.

    Raises InvalidInput for two tickets.
    """
    in_query = single(request.query, "ticket")
    if context.settings.stream_auth == "none" or is_operator(context, request):
        return None
    secret = context.settings.stream_ticket_secret
    text = request.bearer or in_query
    ticket = parse_ticket(text, secret.get_secret_value(), now=time.time()) if text and secret else None
    if ticket is None:
        return unauthorized(request)
    if not selection.within(ticket.selection):
        return problem(403, "the ticket does not cover this stream and filter", path=request.shown_path)
    return ticket


def is_operator(context: StreamContext, request: StreamRequest) -> bool:
    """Whether the request carries ADMIN_TOKEN."""
    expected, token = context.settings.admin_token, request.bearer
    if expected is None or token is None:
        return False
    return hmac.compare_digest(token.encode("latin-1", "replace"), expected.get_secret_value().encode())


def unauthorized(request: StreamRequest) -> HttpResponse:
    challenge = [(b"www-authenticate", b"Bearer")]
    return problem(401, "a valid ticket or token is needed", path=request.shown_path, headers=challenge)


async def issue_ticket(context: StreamContext, request: StreamRequest, receive: AsgiReceive) -> HttpResponse:
    """`POST /sse/ticket`. Raises InvalidInput for a malformed body."""
    refusal = context.refuse_method(request, ("POST", "OPTIONS"))
    if refusal is not None:
        return refusal
    if not is_operator(context, request):
        return unauthorized(request)
    refusal = refuse_unknown(request, ())
    if refusal is not None:
        return refusal
    wanted = _parse_ticket_request(await _read_body(receive))
    secret = context.settings.stream_ticket_secret
    assert secret is not None  # checked when the app was made
    ticket = Ticket(wanted.selection, int(time.time()) + LIFETIME_SECONDS)
    return json_response(
        201,
        {"ticket": ticket.signed(secret.get_secret_value()), "expires_at": rfc3339(ticket.expires_at * 1000)},
    )


def _parse_ticket_request(body: bytes) -> Subscription:
    """`{"stream": …, "tickers": […], "series": […], "events": […]}`, each optional."""
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise InvalidInput("body", "…", "a JSON object") from None
    if not isinstance(fields, dict) or not fields.keys() <= {"stream", "tickers", "series", "events"}:
        raise InvalidInput("body", "…", "an object with stream, tickers, series, events and nothing else")
    stream = fields.pop("stream", "trading")
    if not isinstance(stream, str) or stream not in STREAMS:
        raise InvalidInput("stream", stream, f"one of {', '.join(STREAMS)}")
    query: dict[str, list[str]] = {}
    for name, values in fields.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidInput(name, values, "a list of strings")
        if not all(value.strip(" ,") for value in values):
            # A query skips an empty name. Here it would drop the filter, and the ticket would open every market.
            raise InvalidInput(name, values, "a list of names, none of them empty")
        query[name] = values
    return parse_subscription(stream, query, None, now_ms=0)


async def _read_body(receive: AsgiReceive) -> bytes:
    body: bytes = b""
    while True:
        message: MutableMapping[str, Any] = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > _BODY_BYTES:
            raise InvalidInput("body", f"{len(body)} bytes", f"at most {_BODY_BYTES}")
        if not message.get("more_body"):
            return body
