"""What of a URL may be called: https, port 443, a DNS name, no user. Pure.

The request is built from these checked parts, never from the text, so that a second URL parser cannot read another host
out of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from coliseum.errors import InvalidInput

LONGEST_URL = 2048
"""Characters."""
EXPECTED = "an https URL with a DNS name, without user and without a port other than 443"
_VISIBLE = re.compile(r"[!-~]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL. `path` begins with a slash and holds the query."""

    host: str
    path: str

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.path}"


def target(url: str, *, field: str = "url") -> Target:
    """The parts of `url`, without its fragment. Raises InvalidInput, which names `field`, for anything else."""
    if len(url) > LONGEST_URL or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise InvalidInput(field, url, f"{EXPECTED}, in at most {LONGEST_URL} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInput(field, url, EXPECTED) from None
    usual = parts.scheme == "https" and port in {None, 443} and "@" not in parts.netloc
    if not usual or not is_dns_name(host):
        raise InvalidInput(field, url, EXPECTED)
    return Target(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def redirected(start: Target, location: str) -> Target:
    """Where a redirect from `start` leads. Raises InvalidInput where it may not be followed."""
    return target(urljoin(start.url, location), field="location")


def is_dns_name(host: str) -> bool:
    """Whether `host` is a name of at least two labels that no resolver can read as an IP address (`127.1`)."""
    labels = host.split(".")
    named = len(labels) > 1 and len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return named and not labels[-1][0].isdigit()
