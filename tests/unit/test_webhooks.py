"""The form of a secret with which the bot signs."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.webhooks import check_secret, webhook_secret


@given(st.binary(min_size=24, max_size=64))
def test_the_base64_of_24_to_64_bytes_is_a_secret(key: bytes) -> None:
    check_secret("whsec_" + base64.b64encode(key).decode())


@given(st.binary(max_size=23) | st.binary(min_size=65, max_size=80))
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=f"but it holds {len(key)} bytes"):
        check_secret("whsec_" + base64.b64encode(key).decode())


@pytest.mark.parametrize("text", ["", "whsec_", "whsk_" + "A" * 32, "whsec_" + "A" * 31 + "!", "whsec_ " + "A" * 32])
def test_another_form_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="expected whsec_ and the base64 of 24 to 64 random bytes") as refused:
        check_secret(text)
    assert "AAAA" not in str(refused.value)


def test_a_new_secret_is_one_and_never_the_same() -> None:
    made = {webhook_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in made:
        check_secret(secret)
