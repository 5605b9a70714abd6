"""JSON Schemas of the bot's three answers, built from the limits by which they are parsed. Pure.

What a schema accepts, the parser takes as it stands. The parser takes some more, so that bots that exist need no
change: see docs/bot.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coliseum.bot import wire

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SAFE_INTEGER = wire.INEXACT_NUMBERS - 1
"""The largest whole number that every JSON reader keeps exactly (RFC 8259)."""
_LEAST = 0.000001
_BEYOND = 10**15

_DECIMALS = r"(\.[0-9]{1,30})?"
_TEXT_TIME = (
    r"^20(0[1-9]|[1-8][0-9]|9[0-8])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def _text(description: str, *, most: int = wire.MAX_ID_CHARACTERS, **more: Any) -> Schema:
    return {"type": "string", "description": description, "maxLength": most, **more}


def _identifier(description: str, *, example: str) -> Schema:
    return {
        "description": f"{description} Text of 1 to {wire.MAX_ID_CHARACTERS} printable characters, or a whole number.",
        "anyOf": [
            {"type": "string", "maxLength": wire.MAX_ID_CHARACTERS, "pattern": "^ *[!-~][ -~]*$"},
            {"type": "integer", "minimum": 0, "maximum": _SAFE_INTEGER},
        ],
        "examples": [example],
    }


def _number(description: str, *forms: Schema, examples: list[Any]) -> Schema:
    return {"description": description, "anyOf": list(forms), "examples": examples}


def _nullable(schema: Schema) -> Schema:
    return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}


def _time(description: str, example: Any) -> Schema:
    return {
        "description": description,
        "anyOf": [
            {"type": "number", "minimum": wire.EARLIEST_SECONDS, "exclusiveMaximum": wire.LATEST_SECONDS},
            {"type": "string", "format": "date-time", "pattern": _TEXT_TIME},
            {"type": "string", "pattern": r"^([1-3][0-9]{9}|40[0-9]{8})(\.[0-9]{1,9})?$"},
        ],
        "examples": [example],
    }


_REQUIRED: Mapping[str, Schema] = {
    "trade_id": _identifier(
        "Unique among all trades of the bot, and the same whenever it is listed.", example="abc123"
    ),
    "ticker": {
        "type": "string",
        "description": "The exchange's market ticker.",
        "maxLength": 100,
        "pattern": r"^\.*[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        "examples": ["PRES24-GOP"],
    },
    "side": {"enum": ["BUY", "SELL", "buy", "sell"], "description": "What was done with contracts of `outcome`."},
    "quantity": _number(
        "Contracts, above 0.",
        {"type": "number", "minimum": _LEAST, "exclusiveMaximum": _BEYOND},
        {"type": "string", "pattern": rf"^(?=[0-9.]*[1-9])[0-9]{{1,15}}{_DECIMALS}$"},
        examples=[50, "4.92"],
    ),
    "price": _number(
        "Dollars per contract of `outcome`, 0 to 1: 0.65, not 65.",
        {"const": 0},
        {"type": "number", "minimum": _LEAST, "maximum": 1},
        {"type": "string", "pattern": r"^(0(\.[0-9]{1,30})?|1(\.0{1,30})?)$"},
        examples=[0.65, "0.6500"],
    ),
    "timestamp": _time(
        "When the trade was executed: unix seconds (not milliseconds), or RFC 3339 with its offset.", 1698676800.123
    ),
}
_OPTIONAL: Mapping[str, Schema] = {
    "outcome": {
        "enum": ["yes", "no", "YES", "NO", None],
        "description": "The contract that was traded. Missing or null: unknown.",
    },
    "fee": _nullable(
        _number(
            "Dollars for the whole trade, below 0 for a rebate. Missing or null: unknown, not 0.",
            {"const": 0},
            {"type": "number", "minimum": _LEAST, "exclusiveMaximum": _BEYOND},
            {"type": "number", "maximum": -_LEAST, "exclusiveMinimum": -_BEYOND},
            {"type": "string", "pattern": rf"^-?[0-9]{{1,15}}{_DECIMALS}$"},
            examples=[0.8, "0.0175"],
        )
    ),
    "strategy": {
        "anyOf": [_text("The strategy that traded.", most=wire.MAX_STRATEGY_CHARACTERS), {"type": "null"}],
        "description": "Profit can be grouped by it.",
        "examples": ["market making"],
    },
    "order_id": _nullable(_identifier("The exchange's order.", example="9d6203d4-3a98-4982-b93e-b321d2bd7fce")),
}

_TRADE: Schema = {
    "type": "object",
    "description": "One execution. Other fields may be there; they are ignored.",
    "required": list(_REQUIRED),
    "properties": {**_REQUIRED, **_OPTIONAL},
}

_TRADE_COUNT: Schema = {
    "type": ["integer", "null"],
    "minimum": 0,
    "maximum": _SAFE_INTEGER,
    "description": (
        "All trades of this run, also those that /trades no longer lists. It shows how many were lost; "
        "without it only that some were."
    ),
    "examples": [3],
}
_STARTED_AT: Schema = {
    **_nullable(_time("When this run began. It changes with a restart and never else.", "2026-11-21T07:00:00Z")),
}

TRADES: Schema = {
    "$schema": DIALECT,
    "title": "GET /trades of a bot",
    "description": (
        f"The newest {wire.LISTED_TRADES} trades of the bot's run, newest first. A trade keeps its id and its facts: "
        "the same id with other facts is a correction, and twice in one list it is an error."
    ),
    "anyOf": [
        {"type": "array", "items": {"$ref": "#/$defs/trade"}},
        {
            "type": "object",
            "required": ["trades"],
            "properties": {
                "trades": {"type": "array", "items": {"$ref": "#/$defs/trade"}},
                "started_at": _STARTED_AT,
                "trade_count": _TRADE_COUNT,
            },
        },
    ],
    "$defs": {"trade": _TRADE},
}

HEALTH: Schema = {
    "$schema": DIALECT,
    "title": "GET /health of a bot",
    "description": "Whether the bot is alive, and which run of it this is. Every field may be missing.",
    "type": "object",
    "properties": {
        "status": _text(
            f"One of {', '.join(sorted(wire.ALIVE_STATUSES))}: the bot is alive. Another word: it is not.",
            examples=["alive"],
        ),
        "trade_count": _TRADE_COUNT,
        "started_at": _STARTED_AT,
    },
}

STATUS: Schema = {
    "$schema": DIALECT,
    "title": "GET /status of a bot",
    "description": "How the bot describes itself. Every field may be missing, and others may be there.",
    "type": "object",
    "properties": {
        "mode": {
            "enum": ["paper", "live", "PAPER", "LIVE", None],
            "description": "Paper or real money. Missing: unknown, which is never taken for paper.",
        },
        "strategy": {"anyOf": [_text("Its strategy's name."), {"type": "null"}], "examples": ["market making"]},
        "positions": {"type": "array", "items": {"type": "object"}, "description": "In the bot's own form."},
        "last_error": {
            "anyOf": [_text("Its last error, for people.", most=wire.MAX_ERROR_CHARACTERS), {"type": "null"}],
        },
        "idle_reasons": {
            "type": "array",
            "maxItems": wire.MAX_REASONS,
            "description": "Why it traded nothing in its last round.",
            "items": {
                "anyOf": [
                    _text("The reason."),
                    {
                        "type": "object",
                        "required": ["reason"],
                        "properties": {
                            "reason": _text("The reason."),
                            "markets": {"type": ["integer", "null"], "minimum": 0, "maximum": _SAFE_INTEGER},
                        },
                    },
                ]
            },
            "examples": [[{"reason": "spread too wide", "markets": 12}]],
        },
    },
}

SCHEMAS: Mapping[str, Schema] = {"bot-health": HEALTH, "bot-status": STATUS, "bot-trades": TRADES}
"""The schemas by the names under which they are served."""
