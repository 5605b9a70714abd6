"""Tokens of outside agents, codes of claim links, and the secrets that sign requests to endpoints. Pure.

A token has 256 random bits, so its plain sha256 can be stored: there is nothing to guess.
"""

from __future__ import annotations

import base64
import hashlib
import re

PREFIX = "clm_"
RANDOM_BYTES = 32
TOKEN = re.compile(r"clm_[A-Za-z0-9_-]{43}", re.ASCII)
SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=", re.ASCII)
CODE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def token_from(random: bytes) -> str:
    """The token of 32 random bytes: `clm_` and 43 characters."""
    return PREFIX + code_from(random)


def code_from(random: bytes) -> str:
    """43 characters of base64url for 32 random bytes."""
    assert len(random) == RANDOM_BYTES
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def signing_secret_from(random: bytes) -> str:
    """The secret that signs our requests to an endpoint, as Standard Webhooks writes it: `whsec_` and base64."""
    assert len(random) == RANDOM_BYTES
    return f"whsec_{base64.b64encode(random).decode()}"


def hash_of(secret: str) -> str:
    """sha256 of a token or code in hex, as it is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()
