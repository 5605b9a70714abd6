"""Tickets for private streams: a signed permission to read some of the log for ten minutes. Pure.

A native EventSource can send no header and reuses its URL. So the ticket travels in the query, is not the operator's
token, names the stream and filter that it is for, and stays valid for reconnects until it expires.
Format: base64url(JSON).base64url(HMAC-SHA-256).
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
    """Its holder may read what `selection` takes, until `expires_at` (unix seconds)."""

    selection: Selection
    expires_at: int

    def signed(self, secret: str) -> str:
        """The text that `parse_ticket` reads with the same secret."""
        claims = {
            "scope": _SCOPE,
            "kinds": sorted(self.selection.kinds),
            "tickers": sorted(self.selection.tickers),
            "series": sorted(self.selection.series),
            "exp": self.expires_at,
        }
        text = _base64url(json.dumps(claims, separators=(",", ":")).encode())
        return f"{text}.{_base64url(_mac(secret, text))}"


def parse_ticket(text: str, secret: str, *, now: float) -> Ticket | None:
    """The ticket in this text; None where it is forged, malformed or expired. `now` is unix seconds."""
    claims_text, _, mac_text = text.partition(".")
    try:
        if len(text) > 8192 or not hmac.compare_digest(_mac(secret, claims_text), _from_base64url(mac_text)):
            return None
        claims = json.loads(_from_base64url(claims_text))
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


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
