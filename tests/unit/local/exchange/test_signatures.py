"""Who may come in, and with which words everybody else is turned away."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from coliseum_local.exchange.errors import ApiError
from coliseum_local.exchange.signatures import ApiKey, authenticate

NOW = 1_795_262_400_123
PATH = "/trade-api/v2/portfolio/balance"
RSA = generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = Ed25519PrivateKey.generate()
KEYS = {name: ApiKey(name, "me", key.public_key()) for name, key in (("rsa", RSA), ("ed", ED25519))}


def headers(key: RSAPrivateKey | Ed25519PrivateKey, name: str, *, at: int = NOW, path: str = PATH) -> dict[str, str]:
    message = f"{at}GET{path}".encode()
    if isinstance(key, RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        signature = key.sign(message, pss, hashes.SHA256())
    else:
        signature = key.sign(message)
    return {
        "kalshi-access-key": name,
        "kalshi-access-timestamp": str(at),
        "kalshi-access-signature": base64.b64encode(signature).decode(),
    }


def turned_away(given: dict[str, str], *, method: str = "GET") -> object:
    with pytest.raises(ApiError) as refused:
        authenticate(given, method=method, path=PATH, now_ms=NOW, keys=KEYS)
    assert refused.value.status == 401
    error = refused.value.body["error"]
    return error.get("details", error["code"])


@pytest.mark.parametrize(("key", "name"), [(RSA, "rsa"), (ED25519, "ed")])
@pytest.mark.parametrize("skew", [-10_000, -5_000, 0, 10_000])
def test_a_signed_request_within_ten_seconds_comes_in(
    key: RSAPrivateKey | Ed25519PrivateKey, name: str, skew: int
) -> None:
    given = headers(key, name, at=NOW + skew)
    assert authenticate(given, method="GET", path=PATH, now_ms=NOW, keys=KEYS).account_id == "me"


@pytest.mark.parametrize("skew", [-10_001, 10_001, -300_000, 3_600_000])
def test_a_request_from_another_time_is_expired(skew: int) -> None:
    assert turned_away(headers(ED25519, "ed", at=NOW + skew)) == "header_timestamp_expired"


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "١٧٩٥", "1" * 400, "1795262400.123"])
def test_a_time_that_is_none_is_expired_or_missing(stamp: str) -> None:
    given = headers(ED25519, "ed") | {"kalshi-access-timestamp": stamp}
    assert turned_away(given) in {"header_timestamp_expired", "signature_is_missing_from_headers"}


@pytest.mark.parametrize("name", ["kalshi-access-key", "kalshi-access-timestamp", "kalshi-access-signature"])
def test_each_header_is_needed(name: str) -> None:
    given = headers(ED25519, "ed")
    del given[name]
    assert turned_away(given) == "signature_is_missing_from_headers"


def test_an_unknown_key_is_not_found() -> None:
    assert turned_away(headers(ED25519, "stranger")) == "NOT_FOUND"


@pytest.mark.parametrize(
    "given",
    [
        headers(ED25519, "rsa"),
        headers(RSA, "ed"),
        headers(ED25519, "ed", path=PATH + "?subaccount=0"),
        headers(ED25519, "ed", path="/portfolio/balance"),
        headers(ED25519, "ed") | {"kalshi-access-signature": "not base64!"},
        headers(RSA, "rsa") | {"kalshi-access-signature": "AAAA"},
    ],
    ids=["a key of another kind", "and the reverse", "query signed", "prefix missing", "no base64", "too short"],
)
def test_a_wrong_signature_is_named_as_such(given: dict[str, str]) -> None:
    assert turned_away(given) == "INCORRECT_API_KEY_SIGNATURE"


def test_the_method_is_signed_too() -> None:
    assert turned_away(headers(ED25519, "ed"), method="DELETE") == "INCORRECT_API_KEY_SIGNATURE"
