"""Tickets for private streams: a signed permission to read some of the log for ten minutes. Pure.

A native EventSource can send no header and reuses its URL, so the ticket travels in the query, is not the access
token, names what it opens, and stays valid for reconnects until it expires. Form: base64url(JSON).base64url(HMAC).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from coliseum.feed.entries import EntryKind
from coliseum.streaming.subscription import Selection

LIFETIME_SECONDS = 600
_SCOPE = "sse:read"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who holds it may read what `selection` takes, until `expires_at` (unix seconds)."""

    selection: Selection
    expires_at: int

    def signed(self, secret: str) -> str:
        claims = {
            "scope": _SCOPE,
            "kinds": sorted(self.selection.kinds),
            "tickers": sorted(self.selection.tickers),
            "series": sorted(self.selection.series),
            "exp": self.expires_at,
        }
        text = _armoured(json.dumps(claims, separators=(",", ":")).encode())
        return f"{text}.{_armoured(_mac(secret, text))}"


def ticket_from(text: str, secret: str, *, now: float) -> Ticket | None:
    """The ticket behind this text; None where it is forged, broken or over."""
    claims_text, _, mac_text = text.partition(".")
    try:
        if len(text) > 8192 or not hmac.compare_digest(_mac(secret, claims_text), _bare(mac_text)):
            return None
        claims = json.loads(_bare(claims_text))
        if claims["scope"] != _SCOPE or claims["exp"] <= now:
            return None
        selection = Selection(
            frozenset(EntryKind(name) for name in claims["kinds"]),
            frozenset(claims["tickers"]),
            frozenset(claims["series"]),
        )
        return Ticket(selection, int(claims["exp"]))
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None


def _mac(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), b"coliseum-ticket\0" + text.encode(), hashlib.sha256).digest()


def _armoured(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bare(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
