"""The stream function's part of the OpenAPI document. Written by hand: that function has no framework. Pure."""

from __future__ import annotations

from typing import Any

from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

Json = dict[str, Any]
TAGS: list[Json] = [{"name": "stream", "description": "The log live: server-sent events, and the same as JSON."}]
STREAMS = {
    "trading": (
        "`new_trades`, `trade_corrected`, `source_gap` (trades that the bot lost or reported wrongly), `trade_context` "
        "(what the arena last said about their markets), `bot_status`, `exchange_changed` (a change of the exchange's "
        "interface: `ExchangeChangeData`), `alert` (an alert that was raised, repeated or cleared: `AlertEvent`)."
    ),
    "trades": "`new_trades`, `trade_corrected`, `source_gap`.",
    "portfolio": "The same events as `trades`.",
    "status": "`bot_status`, `exchange_changed`, `alert`.",
    "arena": (
        "`round_opened`, `forecast` (an agent's seals), `paper_trade` (its trades, once the round is closed), "
        "`settled`, `leaderboard_changed`."
    ),
}
_EVENT_ID = r"^(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})$"


def _query(name: str, description: str, schema: Json, **more: Any) -> Json:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, **more}


_TEXT: Json = {"type": "string"}
_START = "`now`, `earliest`, an event id, an RFC 3339 time, or an age such as `-15m`."
_FILTERS = [
    _query("ticker", "Only these markets: up to 50 tickers joined by commas.", _TEXT, example="PRES24-GOP,KXFED-26"),
    _query("tickers", "The same as `ticker`; both together mean either.", _TEXT),
    _query("series", "Only markets of these series, joined by commas.", _TEXT),
    _query("events", "Only these events, joined by commas.", _TEXT, example="new_trades"),
]
_STREAM_PARAMETERS = [
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "The last event's id. Browsers send it by themselves; it wins over `since`.",
        "schema": {"type": "string", "pattern": _EVENT_ID},
    },
    _query(
        "last_event_id",
        "The same for clients that cannot set headers; the header wins.",
        {"type": "string", "pattern": _EVENT_ID},
    ),
    _query("since", f"Where to begin: {_START}", {"type": "string", "default": "now"}),
    *_FILTERS,
    _query("snapshot", "Whether to begin with the state.", {"enum": ["auto", "none", "always"], "default": "auto"}),
    _query(
        "strict",
        "`1`: respond with 503 where Redis is down, instead of `closing`.",
        {"enum": ["0", "1"], "default": "0"},
    ),
    _query("ticket", "A ticket, where streams need one.", _TEXT),
]
_EXAMPLE = (
    "event: new_trades\n"
    'data: {"trades":[{"timestamp":1698676800.123,"ticker":"PRES24-GOP","side":"BUY","quantity":50,"price":0.65,'
    '"trade_id":"abc123","outcome":"yes","price_dollars":"0.6500","quantity_contracts":"50.00","fee":"0.80",'
    '"order_id":null,"source":"bot_live"}],"count":1,"source":"bot_live"}\n'
    "id: 1698676800123-42\n\n"
)


def _stream(name: str, description: str) -> Json:
    return {
        "tags": ["stream"],
        "summary": f"Stream: {name}",
        "operationId": f"stream_{name}",
        "description": (
            f"{description} Besides, every stream sends `ready`, `snapshot`, `heartbeat`, `gap`, `reset`, `stale`, "
            "`fresh` and `closing`. Every loss is announced with its size."
        ),
        "parameters": _STREAM_PARAMETERS,
        "responses": {
            "200": {
                "description": "Server-sent events, until the client leaves or the session rotates.",
                "content": {"text/event-stream": {"schema": _TEXT, "example": _EXAMPLE}},
            },
            **PROBLEMS,
        },
    }


def _json(summary: str, schema: str, *, parameters: list[Json] | None = None, description: str = "") -> Json:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "tags": ["stream"],
        "summary": summary,
        "operationId": schema[0].lower() + schema[1:],
        "description": description,
        "parameters": parameters or [],
        "responses": {"200": {"description": "Success", "content": content}, **PROBLEMS},
    }


_EVENTS_PARAMETERS = [
    _query("after", f"`next_cursor` of the response before, or where to begin: {_START}", {**_TEXT, "default": "now"}),
    _query(
        "wait",
        "Seconds to wait for new entries.",
        {"type": "number", "minimum": 0, "maximum": 25, "default": 0},
        example=20,
    ),
    _query("stream", "Which stream's events.", {"enum": list(STREAMS), "default": "trading"}),
    *_FILTERS,
    _query("ticket", "A ticket, where streams need one.", _TEXT),
]

_TICKET: Json = {
    "tags": ["stream"],
    "summary": "A ticket for a stream",
    "operationId": "ticket",
    "description": "For EventSource, which sends no headers. Exists only where streams need tickets (STREAM_AUTH).",
    "security": [{"operator": []}],
    "requestBody": {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TicketWish"}}},
        "required": False,
    },
    "responses": {
        "201": {
            "description": "A ticket, valid for ten minutes, for this stream and filter.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ticket"}}},
        },
        **PROBLEMS,
    },
}

PATHS: Json = {f"{PREFIX}/sse/{name}": {"get": _stream(name, description)} for name, description in STREAMS.items()} | {
    f"{PREFIX}/sse/stats": {"get": _json("What the streams of one process do", "StreamStats")},
    f"{PREFIX}/sse/clients": {
        "get": _json("Connected clients", "StreamClients", description="No address and no user agent.")
    },
    f"{PREFIX}/sse/ticket": {"post": _TICKET},
    f"{PREFIX}/events": {
        "get": _json(
            "The log as JSON",
            "LogEvents",
            parameters=_EVENTS_PARAMETERS,
            description="The same cursor as the streams, by long poll.",
        )
    },
}

_COUNT: Json = {"type": "integer", "minimum": 0}
_TIME: Json = {"type": "string", "format": "date-time"}
_NAMES: Json = {"type": "array", "items": _TEXT}


def _object(description: str, properties: Json, *, required: list[str] | None = None) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties) if required is None else required,
    }


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_ENVELOPE: Json = {
    "count": _COUNT,
    "next_cursor": _nullable(_TEXT),
    "source": _TEXT,
    "as_of": _TIME,
    "stale": {"type": "boolean"},
}
SCHEMAS: Json = {
    "StreamStats": _object(
        "Counters of one process since it started.",
        {
            "connections": _object("", {"now": _COUNT, "total": _COUNT, "closed": {"type": "object"}}),
            "events_sent": _COUNT,
            "deliveries": _COUNT,
            "resumes": _COUNT,
            "gaps": _COUNT,
            "lost": _COUNT,
            "resets": _COUNT,
            "delay_ms": _object(
                "From publishing to sending.",
                {"p50": _nullable({"type": "number"}), "p99": _nullable({"type": "number"}), "count": _COUNT},
            ),
            "redis": _object(
                "As Upstash bills them.",
                {
                    "commands": _COUNT,
                    "errors": _COUNT,
                    "client_hours": {"type": "number"},
                    "commands_per_client_hour": _nullable({"type": "number"}),
                },
            ),
            "feed_mode": {"enum": ["doorbell", "poll"]},
            "uptime_seconds": {"type": "number"},
            "instance": _TEXT,
            "as_of": _TIME,
        },
    ),
    "StreamClients": _object(
        "Clients of one process.",
        {
            "items": {
                "type": "array",
                "items": _object(
                    "One connection.",
                    {
                        "id": _TEXT,
                        "stream": {"enum": list(STREAMS)},
                        "connected_since": _TIME,
                        "last_event_id": _nullable(_TEXT),
                        "events_sent": _COUNT,
                    },
                ),
            },
            **_ENVELOPE,
        },
    ),
    "LogEvents": _object(
        "Entries of the log after a cursor. `gap` and `reset` say what is missing before them.",
        {
            "items": {
                "type": "array",
                "items": _object("One event.", {"id": _TEXT, "event": _TEXT, "data": {"type": "object"}}),
            },
            **_ENVELOPE,
            "gap": _nullable({"type": "object"}),
            "reset": _nullable({"type": "object"}),
            "epoch": _nullable(_TEXT),
            "head": _TEXT,
            "stale_sources": _NAMES,
            "identity": {"$ref": "#/components/schemas/IdentityData"},
        },
    ),
    "AlertEvent": _object(
        "The data of the event `alert`. The same id and change may come again after a crash of the log.",
        {
            "id": {"type": "string", "description": "rule:subject:episode, the same in every message about it."},
            "rule": _TEXT,
            "subject": _TEXT,
            "severity": {"enum": ["critical", "warning", "info"]},
            "change": {"enum": ["raised", "repeated", "cleared", "noted"]},
            "text": {"type": "string", "description": "A plain sentence."},
            "at": _TIME,
        },
    ),
    "TicketWish": _object(
        "The stream and filter that the ticket is for.",
        {
            "stream": {"enum": list(STREAMS), "default": "trading"},
            "tickers": _NAMES,
            "series": _NAMES,
            "events": _NAMES,
        },
        required=[],
    ),
    "Ticket": _object("A ticket.", {"ticket": _TEXT, "expires_at": _TIME}),
}
SECURITY: Json = {
    "operator": {"type": "http", "scheme": "bearer", "description": "The operator's ADMIN_TOKEN."},
}
