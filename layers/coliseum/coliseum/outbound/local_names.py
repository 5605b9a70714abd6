"""Names under `.test` that a program serves itself on this machine. Pure.

Only the local system adds any, in its own process, before it runs functions: the import contracts keep deployed code
from it, and no setting leads here. `.test` never exists in the DNS (RFC 6761), so that no real name can be led inside.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from coliseum.errors import InvalidInput
from coliseum.outbound.targets import is_dns_name

_bases: dict[str, str] = {}


def add_local_name(name: str, base: str) -> None:
    """From now on requests of this process to https://`name` go to `base`, such as http://127.0.0.1:8005.

    Raises InvalidInput unless the name ends in `.test` and the base is a loopback address.
    """
    if not is_dns_name(name) or not name.endswith(".test"):
        raise InvalidInput("name", name, "a name under .test")
    parts = urlsplit(base)
    try:
        loopback = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False
    if parts.scheme != "http" or not loopback or parts.path.strip("/"):
        raise InvalidInput("base", base, "an http address of this machine such as http://127.0.0.1:8005")
    _bases[name] = base.rstrip("/")


def remove_local_name(name: str) -> None:
    """Undo `add_local_name`."""
    _bases.pop(name, None)


def local_base(name: str) -> str | None:
    """The address behind a name that this program serves itself; None for every other name."""
    return _bases.get(name)
