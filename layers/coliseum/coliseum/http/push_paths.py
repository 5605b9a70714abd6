"""The push function's part of the OpenAPI document. Written by hand: that function has no framework. Pure."""

from __future__ import annotations

from typing import Any

from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

Json = dict[str, Any]
TAGS: list[Json] = [
    {
        "name": "bot push",
        "description": "For the bot: signed pushes of what it would answer to a poll. They exist only where "
        "BOT_WEBHOOK_SECRET is set.",
    }
]
_DESCRIPTION = (
    "Signed as a [Standard Webhook](https://www.standardwebhooks.com): HMAC-SHA256 over "
    "`<webhook-id>.<webhook-timestamp>.<body>` with a secret of BOT_WEBHOOK_SECRET. The body has at most 64 kB. "
)


def _header(name: str, description: str, schema: Json, example: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


_HEADERS = [
    _header(
        "webhook-id",
        "The push's id. A repetition has the same one, and gets the same answer.",
        {"type": "string", "minLength": 1, "maxLength": 200},
        "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    ),
    _header(
        "webhook-timestamp",
        "Unix seconds of this attempt. At most five minutes from our clock.",
        {"type": "string", "pattern": "^[0-9]{1,12}$"},
        "1795248000",
    ),
    _header(
        "webhook-signature",
        "`v1,` and the signature in base64; several, separated by blanks, while a secret is replaced.",
        {"type": "string", "maxLength": 1000},
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
]


def _push(name: str, summary: str, description: str, schema: str) -> Json:
    body = {"application/json": {"schema": {"$ref": f"{PREFIX}/schemas/{schema}.json"}}}
    taken = {"application/json": {"schema": {"$ref": "#/components/schemas/PushTaken"}}}
    waiting = {"application/json": {"schema": {"$ref": "#/components/schemas/PushWaits"}}}
    return {
        "tags": ["bot push"],
        "summary": summary,
        "operationId": f"push_{name}",
        "description": _DESCRIPTION + description,
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "Published, or nothing was new.", "content": taken},
            "202": {"description": "Only a poll can judge this. It comes within seconds.", "content": waiting},
            **PROBLEMS,
        },
    }


PATHS: Json = {
    f"{PREFIX}/bot/trades": {
        "post": _push(
            "trades",
            "The bot's newest trades",
            "The body is the answer to `GET /trades` of the bot: its newest trade that was pushed before, and all "
            "newer ones. What stands behind a known trade is published at once.",
            "bot-trades",
        )
    },
    f"{PREFIX}/bot/status": {
        "post": _push(
            "status",
            "The bot's status",
            "The body is the answer to `GET /status` of the bot. Another mode is announced at once, if the bot "
            "confirms it.",
            "bot-status",
        )
    },
}
_PUBLISHED: Json = {"type": "integer", "minimum": 0, "description": "How many entries this added to the log."}
SCHEMAS: Json = {
    "PushTaken": {"type": "object", "properties": {"published": _PUBLISHED}, "required": ["published"]},
    "PushWaits": {
        "type": "object",
        "properties": {
            "published": _PUBLISHED,
            "waits_for_poll": {"type": "string", "description": "Why only a poll can judge this."},
        },
        "required": ["published", "waits_for_poll"],
    },
}
