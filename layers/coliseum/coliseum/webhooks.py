"""The form of a Standard Webhooks secret (https://www.standardwebhooks.com, 1.0.0)."""

from __future__ import annotations

import base64
import binascii
from secrets import token_bytes

SECRET_PREFIX = "whsec_"  # noqa: S105 - the form of a secret, not one
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""The lengths that the specification allows."""


def webhook_secret() -> str:
    """A new secret."""
    return SECRET_PREFIX + base64.b64encode(token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Raises ValueError where `secret` is not `whsec_` and the base64 of 24 to 64 bytes. The error does not show it.

    The library itself drops characters that are no base64, and takes a secret of one byte.
    """
    form = f"{SECRET_PREFIX} and the base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} random bytes"
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"expected {form}, but it holds characters that are no base64") from None
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"expected {form}, but it does not start with {SECRET_PREFIX}")
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ValueError(f"expected {form}, but it holds {len(key)} bytes")
