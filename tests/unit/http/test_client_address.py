"""Whose request it is, by network address."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr

from coliseum.config import Settings
from coliseum.http.client_address import caller_network, hidden_network, network_of

KEY = "known-to-the-edge"


def request(peer: str, forwarded: list[str], edge: str | None, *, key: str | None = KEY) -> Request:
    app = FastAPI()
    app.state.settings = Settings(
        edge_mark=None if key is None else SecretStr(key), supabase_service_role_key=SecretStr("sb_secret_x")
    )
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if edge is not None:
        headers.append((b"x-coliseum-edge", edge.encode()))
    return Request({"type": "http", "app": app, "client": (peer, 0), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "edge", "network"),
    [
        # CloudFront, then API Gateway, which adds the address of CloudFront.
        ("130.176.1.1", ["198.51.100.7, 130.176.1.1"], KEY, "198.51.100.7"),
        ("130.176.1.1", ["6.6.6.6, 198.51.100.7, 130.176.1.1"], KEY, "198.51.100.7"),
        ("130.176.1.1", ["6.6.6.6, 198.51.100.7"], KEY, "198.51.100.7"),
        ("130.176.1.1", ["6.6.6.6", "198.51.100.7", "130.176.1.1"], KEY, "198.51.100.7"),
        ("130.176.1.1", ["2001:db8::1, 130.176.1.1"], KEY, "2001:db8::/64"),
        ("130.176.1.1", [], KEY, "130.176.1.1"),
        ("130.176.1.1", ["130.176.1.1"], KEY, "130.176.1.1"),
        ("130.176.1.1", [", ,"], KEY, "130.176.1.1"),
        # API Gateway or the local gateway alone.
        ("198.51.100.7", ["198.51.100.7"], None, "198.51.100.7"),
        ("198.51.100.7", ["6.6.6.6, 198.51.100.7"], None, "198.51.100.7"),
        ("198.51.100.7", ["6.6.6.6, 7.7.7.7, 198.51.100.7"], "guessed", "198.51.100.7"),
        ("198.51.100.7", ["6.6.6.6, 198.51.100.7"], "", "198.51.100.7"),
        ("testclient", [], None, "testclient"),
    ],
)
def test_only_what_our_own_proxies_added_counts(
    peer: str, forwarded: list[str], edge: str | None, network: str
) -> None:
    assert caller_network(request(peer, forwarded, edge)) == network


def test_without_a_key_nobody_is_the_edge() -> None:
    assert caller_network(request("198.51.100.7", ["6.6.6.6, 198.51.100.7"], "", key=None)) == "198.51.100.7"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("::ffff:198.51.100.7", "198.51.100.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("", ""), ("x" * 500, "x" * 100), ("1.2.3.4:80", "1.2.3.4:80"),
    ],
)  # fmt: skip
def test_a_network_is_what_one_caller_can_use(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_stored_form_is_a_hash_that_differs_by_network() -> None:
    one, two = (hidden_network(request(peer, [], None)) for peer in ("198.51.100.7", "198.51.100.8"))
    assert one != two
    assert (len(one), len(two)) == (64, 64)
