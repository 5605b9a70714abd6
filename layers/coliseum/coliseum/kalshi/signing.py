"""Request + key → headers. RSA-PSS and Ed25519 alike; the key itself says which, never its PEM label.

Signed are `timestamp_ms + METHOD + path`: the path from the host's root, without query. Host and body are not signed.
"""

from __future__ import annotations

import base64
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from coliseum.errors import ConfigurationError

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

_SHA256 = hashes.SHA256()
_SALTED = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=padding.PSS.DIGEST_LENGTH)
_PEM_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_EXPECTED = "expected the PEM text of an RSA or Ed25519 private key, from -----BEGIN to -----END"


def load_private_key(text: str, *, variable: str) -> PrivateKey:
    """The key in `text`, wherever its newlines went: `\\n` in two characters, spaces and CRLF are all read.

    Raises ConfigurationError that names `variable` and never shows the text.
    """
    block = _pem_block(text)
    if block is None:
        raise ConfigurationError(variable, f"holds no PEM block; {_EXPECTED}")
    label, body = block
    if "ENCRYPTED" in label or "ENCRYPTED" in body:
        raise ConfigurationError(variable, "is protected by a passphrase; expected an unencrypted private key")
    if "PRIVATE KEY" not in label:
        raise ConfigurationError(variable, f"holds a {label}; {_EXPECTED}")
    pem = _rewrapped(label, body)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(variable, f"holds a damaged {label}; {_EXPECTED}") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigurationError(variable, f"holds a key of another kind, {type(key).__name__}; {_EXPECTED}")
    return key


def _pem_block(text: str) -> tuple[str, str] | None:
    """Label and content of the first block that is complete."""
    for begin in _PEM_BEGIN.finditer(text):
        end = text.find(f"-----END {begin[1]}-----", begin.end())
        if end >= 0:
            return begin[1], text[begin.end() : end]
    return None


def _rewrapped(label: str, body: str) -> bytes:
    """The block as RFC 7468 wants it: 64 characters a line."""
    text = re.sub(r"\\r|\\n|\s", "", body)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def signed_headers(
    key_id: str, private_key: PrivateKey, *, method: str, path: str, timestamp_ms: int
) -> dict[str, str]:
    """The three headers that prove who asks. A retry must sign again: the exchange accepts about ±10 seconds."""
    message = f"{timestamp_ms}{method.upper()}{path}".encode()
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": str(timestamp_ms),
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(_signature(private_key, message)).decode(),
    }


def _signature(private_key: PrivateKey, message: bytes) -> bytes:
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(message)
    return private_key.sign(message, _SALTED, _SHA256)
