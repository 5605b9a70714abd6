"""Authentication of a request: its three KALSHI-ACCESS headers are checked against the registered public keys."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from coliseum_local.exchange.errors import authentication, nested_error

MAX_SKEW_MS = 10_000
PublicKey = RSAPublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A registered key and the account it belongs to."""

    key_id: str
    account_id: str
    public_key: PublicKey


def authenticate(
    headers: Mapping[str, str], *, method: str, path: str, now_ms: int, keys: Mapping[str, ApiKey]
) -> ApiKey:
    """The key that signed `timestamp + METHOD + path` (the full path without its query).

    Raises ApiError with the body that Kalshi was recorded to send: missing header, unknown key, timestamp more than
    `MAX_SKEW_MS` from `now_ms`, wrong signature.
    """
    key_id = headers.get("kalshi-access-key")
    timestamp = headers.get("kalshi-access-timestamp")
    signature = headers.get("kalshi-access-signature")
    if not key_id or not timestamp or not signature:
        raise nested_error(401, "signature_is_missing_from_headers")
    key = keys.get(key_id)
    if key is None:
        raise authentication("NOT_FOUND")
    if not _is_fresh(timestamp, now_ms):
        raise nested_error(401, "header_timestamp_expired")
    if not _is_genuine(key.public_key, signature, f"{timestamp}{method}{path}".encode()):
        raise authentication("INCORRECT_API_KEY_SIGNATURE")
    return key


def _is_fresh(timestamp: str, now_ms: int) -> bool:
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16
    return digits and abs(now_ms - int(timestamp)) <= MAX_SKEW_MS


def _is_genuine(public_key: PublicKey, signature: str, message: bytes) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(public_key, RSAPublicKey):
            salted = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
            public_key.verify(raw, message, salted, hashes.SHA256())
        else:
            public_key.verify(raw, message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
