"""Redis' replies as the bodies of Upstash's REST protocol. Pure."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from coliseum_local.redis.resp import Reply, RespError, SimpleString


def json_bytes(value: object) -> bytes:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(reply: Reply, *, base64: bool) -> dict[str, Any]:
    """`{"result": …}` or `{"error": …}`."""
    if isinstance(reply, RespError):
        return {"error": reply.text}
    return {"result": _value(reply, base64=base64)}


def _value(reply: Reply, *, base64: bool) -> Any:
    match reply:
        case list():
            return [_value(item, base64=base64) for item in reply]
        case SimpleString() if reply == b"OK":
            return "OK"  # the one string that base64 replies leave as it is
        case SimpleString() | bytes():
            return b64encode(reply).decode() if base64 else reply.decode(errors="replace")
        case RespError(text):
            return text
    return reply
