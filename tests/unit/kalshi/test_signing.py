from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kalshi.keys import ed25519_key, encrypted, pkcs1, pkcs8, public_pem, rsa_key

from coliseum.errors import ConfigurationError
from coliseum.kalshi.signing import load_private_key, signed_headers

PATHS = st.text(st.characters(codec="utf-8"), max_size=80).map(lambda text: "/trade-api/v2/" + text)


def _signature(headers: dict[str, str]) -> bytes:
    return base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True)


@given(path=PATHS, method=st.sampled_from(["GET", "get", "POST", "DELETE"]), moment=st.integers(0, 10**14))
def test_the_public_rsa_key_verifies_what_the_private_one_signed(path: str, method: str, moment: int) -> None:
    headers = signed_headers("key-id", rsa_key(), method=method, path=path, timestamp_ms=moment)
    salted = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    message = f"{moment}{method.upper()}{path}".encode()
    rsa_key().public_key().verify(_signature(headers), message, salted, hashes.SHA256())


@given(path=PATHS, method=st.sampled_from(["GET", "get", "POST", "DELETE"]), moment=st.integers(0, 10**14))
def test_the_public_ed25519_key_verifies_what_the_private_one_signed(path: str, method: str, moment: int) -> None:
    headers = signed_headers("key-id", ed25519_key(), method=method, path=path, timestamp_ms=moment)
    ed25519_key().public_key().verify(_signature(headers), f"{moment}{method.upper()}{path}".encode())


def test_the_headers_carry_key_and_milliseconds() -> None:
    headers = signed_headers("key-id", ed25519_key(), method="GET", path="/x", timestamp_ms=1_703_123_456_789)
    assert headers["KALSHI-ACCESS-KEY"] == "key-id"
    assert headers["KALSHI-ACCESS-TIMESTAMP"] == "1703123456789"


def test_the_key_itself_says_its_kind_whatever_its_label() -> None:
    assert isinstance(load_private_key(pkcs8(rsa_key()), variable="K"), RSAPrivateKey)
    assert isinstance(load_private_key(pkcs1(rsa_key()), variable="K"), RSAPrivateKey)
    assert isinstance(load_private_key(pkcs8(ed25519_key()), variable="K"), Ed25519PrivateKey)


@pytest.mark.parametrize(
    "damage",
    [
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: pem.replace("\n", "\\r\\n"),
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: pem.replace("\n", " "),
        lambda pem: pem.replace("\n", ""),
        lambda pem: f'  "{pem}"  ',
        lambda pem: "\ufeff" + pem,
    ],
    ids=["escaped", "escaped-crlf", "crlf", "spaces", "one-line", "quoted", "byte-order-mark"],
)
def test_newlines_that_were_lost_on_the_way_are_found_again(damage: object) -> None:
    assert callable(damage)
    for pem in (pkcs1(rsa_key()), pkcs8(ed25519_key())):
        load_private_key(damage(pem), variable="KALSHI_PRIVATE_KEY")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no PEM block"),
        ("3f1b0f0e-7a1c-4d8e-9c55-aaaaaaaaaaaa", "holds no PEM block"),
        ("/run/secrets/kalshi.pem", "holds no PEM block"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----", "holds a damaged PRIVATE KEY"),
        ("-----BEGIN PRIVATE KEY-----\n!!!secret!!!\n-----END PRIVATE KEY-----", "holds a damaged PRIVATE KEY"),
        ("-----BEGIN PRIVATE KEY-----\nsecret", "holds no PEM block"),
    ],
)
def test_what_is_no_key_is_refused_by_name_and_never_shown(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^KALSHI_PRIVATE_KEY: {problem}") as caught:
        load_private_key(text, variable="KALSHI_PRIVATE_KEY")
    assert "secret" not in str(caught.value)
    assert not text or text not in str(caught.value)


def test_keys_of_the_wrong_kind_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="passphrase"):
        load_private_key(encrypted(rsa_key()), variable="K")
    with pytest.raises(ConfigurationError, match="holds a PUBLIC KEY"):
        load_private_key(public_pem(rsa_key()), variable="K")
    with pytest.raises(ConfigurationError, match="holds a key of another kind"):
        load_private_key(pkcs8(ec.generate_private_key(ec.SECP256R1())), variable="K")
