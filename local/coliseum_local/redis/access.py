"""The standard and the read-only token, made once per state directory, and what each of them allows."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum, auto
from pathlib import Path
from urllib.parse import parse_qs


class TokenRole(Enum):
    FULL = auto()
    READER = auto()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The database's two secrets."""

    token: str = field(repr=False)
    read_only_token: str = field(repr=False)

    def role(self, offered: str) -> TokenRole | None:
        """What the token allows, None for an unknown one. Compares in constant time."""
        matching = None
        for known, role in ((self.token, TokenRole.FULL), (self.read_only_token, TokenRole.READER)):
            if hmac.compare_digest(known.encode(), offered.encode(errors="replace")):
                matching = role
        return matching


def tokens_of(state: Path) -> Tokens:
    """The tokens of this state directory, readable by its owner alone."""
    path = state / "tokens.json"
    if path.exists():
        return Tokens(**json.loads(path.read_text()))
    tokens = Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(tokens)))
    draft.replace(path)  # a crash leaves either no tokens or whole ones
    return tokens


def given_token(headers: Mapping[str, str], query: bytes) -> str:
    """The caller's token: the Authorization header, else the `_token` parameter, else empty."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return parse_qs(query.decode("latin-1")).get("_token", [""])[0]
