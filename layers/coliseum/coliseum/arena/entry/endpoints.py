"""The form of an address at which an outside agent wants to be called. Pure: whether it is public is checked later."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from coliseum.errors import InvalidInput
from coliseum.outbound.targets import target

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)


def check_endpoint(text: str) -> str:
    """The address. Raises ValueError with what would be right.

    Right is `https://name.example/path`: no port but 443, no user, no fragment, and a DNS name instead of a number.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("an address such as https://agent.example/forecast is needed") from None
    if parts.scheme != "https" or not parts.hostname or not text.isascii() or any(mark in text for mark in " \\\t\r\n"):
        raise ValueError("an address such as https://agent.example/forecast is needed")
    if port not in {None, 443}:
        raise ValueError("only port 443 is possible")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("an address without user, password and fragment is needed")
    labels = parts.hostname.rstrip(".").split(".")
    if _is_number(parts.hostname) or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("a public DNS name is needed, not a number or a local name")
    try:
        target(text)  # also knows spellings of numbers such as 0x7f.0x0.0x0.0x1
    except InvalidInput as error:
        raise ValueError(f"an address that can be called is needed: {error.expected}") from None
    if labels[-1].isdigit() or labels[-1] in {"local", "internal", "localhost", "home", "lan", "arpa"}:
        raise ValueError("a public DNS name is needed, not a number or a local name")
    return text


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
