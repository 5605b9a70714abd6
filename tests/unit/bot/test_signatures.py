"""Signatures of the bot's pushes, made by the library of the specification and broken in many ways."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from coliseum.bot.signatures import HEADERS, SignatureCheck
from coliseum.errors import NotPermitted

OLD, NEW = "whsec_" + "A" * 32, "whsec_" + "B" * 32
BODY = b'{"trades": []}'


def signed(secret: str = NEW, body: bytes = BODY, *, age: timedelta = timedelta()) -> dict[str, str]:
    at = datetime.now(UTC) - age
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_several_secrets_is_good(secret: str) -> None:
    assert SignatureCheck([OLD, NEW]).require(signed(secret), BODY) == "msg_1"


def test_a_signature_that_is_written_by_hand_is_good() -> None:
    headers = signed()
    text = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    digest = hmac.new(base64.b64decode(NEW.removeprefix("whsec_")), text, hashlib.sha256).digest()
    headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    assert SignatureCheck([NEW]).require(headers, BODY) == "msg_1"


def test_one_good_signature_among_others_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,AAAA v1,{'A' * 43}= {headers['webhook-signature']}"
    assert SignatureCheck([NEW]).require(headers, BODY) == "msg_1"


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "v1", "v1,", "v1,!!", "v1  v1", ",", "v1,\u00e9", "\x00", "v1," + "A" * 44, "v1a,AAAA"),
        *("+1796000000", " 1796000000 ", "1796000000.25", "-1", "1e9", "9" * 400, "nan", "\u0661\u0662"),
    ],
)
def test_a_forged_header_is_refused_with_a_reason(name: str, value: str) -> None:
    with pytest.raises(NotPermitted) as refused:
        SignatureCheck([OLD, NEW]).require({**signed(), name: value}, BODY)
    assert refused.value.status == 401
    assert not {OLD, NEW, OLD.removeprefix("whsec_")} & set(str(refused.value).split())


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6), timedelta(days=9)])
def test_another_time_than_ours_is_refused_although_it_is_signed(age: timedelta) -> None:
    with pytest.raises(NotPermitted, match="timestamp"):
        SignatureCheck([NEW]).require(signed(age=age), BODY)


def test_a_secret_that_is_not_known_is_refused() -> None:
    with pytest.raises(NotPermitted, match="no signature was made with a secret known here"):
        SignatureCheck([OLD]).require(signed(NEW), BODY)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_with_one_other_byte_is_refused(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    with pytest.raises(NotPermitted):
        SignatureCheck([NEW]).require(signed(), bytes(body))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_header_at_all_gets_through_or_raises_anything_else(one: str, two: str, three: str) -> None:
    with pytest.raises(NotPermitted):
        SignatureCheck([NEW]).require(dict(zip(HEADERS, (one, two, three), strict=True)), BODY)
