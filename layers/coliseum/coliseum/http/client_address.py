"""The network address of a caller, behind CloudFront, behind API Gateway, or without either.

Anyone can send `X-Forwarded-For`, so only the entries count that our own proxies added at its end. API Gateway adds the
address that called it. CloudFront adds the viewer's before; it proves itself with a header that only it knows.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from fastapi import Request

from coliseum.http.routes import settings_of

EDGE_HEADER = "X-Coliseum-Edge"
"""CloudFront sends it with the value of the setting EDGE_MARK."""
IPV6_PREFIX = 64
"""One network of this size belongs to one caller, who can use any address in it."""


def caller_network(request: Request) -> str:
    """The caller's IPv4 address or IPv6 network as text; another name of the caller where it has no address."""
    peer = "" if request.client is None else request.client.host
    if not _from_edge(request):
        return network_of(peer)
    forwarded = [part.strip() for part in ",".join(request.headers.getlist("X-Forwarded-For")).split(",")]
    if forwarded[-1] == peer:
        forwarded.pop()
    return network_of(forwarded[-1] if forwarded and forwarded[-1] else peer)


def hidden_network(request: Request) -> str:
    """`caller_network` as a keyed hash in hex: equal for equal networks, and not to be reversed without our key."""
    settings = settings_of(request)
    key = settings.supabase_service_role_key
    secret = b"" if key is None else key.get_secret_value().encode()
    return hmac.new(secret, caller_network(request).encode(), hashlib.sha256).hexdigest()


def network_of(address: str) -> str:
    """The network that counts as one caller. What is no address is returned as it is, cut to 100 characters."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        parsed = ipaddress.IPv6Address(int(parsed))  # without the scope after %
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def _from_edge(request: Request) -> bool:
    key = settings_of(request).edge_mark
    offered = request.headers.get(EDGE_HEADER, "")
    return key is not None and hmac.compare_digest(
        offered.encode("latin-1", "replace"), key.get_secret_value().encode()
    )
