"""Which IP addresses may be called. Pure.

The networks are those of IANA's special-purpose registries for IPv4 and IPv6 that are not globally reachable, together
with those that carry another address inside (NAT64, 6to4, Teredo) and with the metadata addresses of clouds.
`ipaddress.is_global` is not used, because it lets multicast and some of these pass and differs between Python versions.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_REFUSED_V4 = {
    IPv4Network(network): what
    for network, what in {
        "0.0.0.0/8": "this network",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "shared by carriers",
        "127.0.0.0/8": "loopback",
        "168.63.129.16/32": "a cloud's metadata service",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "reserved",
        "192.0.2.0/24": "for documentation",
        "192.31.196.0/24": "reserved",
        "192.52.193.0/24": "reserved",
        "192.88.99.0/24": "a 6to4 relay",
        "192.168.0.0/16": "private",
        "192.175.48.0/24": "reserved",
        "198.18.0.0/15": "for benchmarks",
        "198.51.100.0/24": "for documentation",
        "203.0.113.0/24": "for documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
    }.items()
}
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = {
    IPv6Network(network): what
    for network, what in {
        "2001::/23": "reserved or Teredo",
        "2001:db8::/32": "for documentation",
        "2002::/16": "6to4",
        "2620:4f:8000::/48": "reserved",
        "3fff::/20": "for documentation",
    }.items()
}


def refusal(address: str) -> str | None:
    """Why `address` (an IPv4 or IPv6 address as text) may not be called; None where it is a public unicast address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "no IP address"
    return _refusal_v4(parsed) if isinstance(parsed, IPv4Address) else _refusal_v6(parsed)


def _refusal_v4(address: IPv4Address) -> str | None:
    return next((what for network, what in _REFUSED_V4.items() if address in network), None)


def _refusal_v6(address: IPv6Address) -> str | None:
    if address.scope_id is not None or address not in _GLOBAL_UNICAST_V6:
        return "not a global unicast address"
    return next((what for network, what in _REFUSED_V6.items() if address in network), None)
