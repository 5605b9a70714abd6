"""What is sent to an endpoint: a challenge or a question, signed as Standard Webhooks 1.0.0 says. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from coliseum.arena.calendar import time_text
from coliseum.arena.calling.records import EndpointChallenge, QuestionCall
from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import visible_context


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """The body and the headers of a request. The signature is one of exactly these bytes."""

    body: bytes
    headers: Mapping[str, str]


def challenge_message(asked: EndpointChallenge, challenge: str, at: datetime) -> SignedMessage:
    """Asks for the proof: `challenge` is a text that was never used before."""
    data = {"entrant_id": asked.entrant_id, "challenge": challenge}
    message_id = f"challenge_{hashlib.sha256(challenge.encode()).hexdigest()[:32]}"
    return _signed("arena.challenge", data, message_id=message_id, secrets=asked.secrets, at=at)


def challenge_proof(secret: str, challenge: str) -> str:
    """What an endpoint answers to a challenge: HMAC-SHA256 under the whole text of the secret, in hex.

    Signatures use the decoded secret as their key, so that no challenge can be made to give a signature.
    """
    return hmac.new(secret.encode(), challenge.encode(), "sha256").hexdigest()


def question_message(call: QuestionCall, *, seconds: float, at: datetime) -> SignedMessage:
    """Asks a question that must be answered within `seconds`. Its id is the same whenever the question is repeated."""
    data = {
        "entrant_id": call.entrant_id,
        "question_id": call.question_id,
        "round_id": call.round_id,
        "ticker": call.ticker,
        "closes_at": time_text(call.closes_at),
        "answer_within_seconds": max(1, int(seconds)),
        "context": visible_context(call.context, Track.OPEN),
        "context_hash": call.context_hash,
    }
    named = f"{call.entrant_id}/{call.question_id}"
    message_id = f"question_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
    return _signed("arena.question", data, message_id=message_id, secrets=call.secrets, at=at)


def _signed(
    kind: str, data: Mapping[str, Any], *, message_id: str, secrets: Sequence[str], at: datetime
) -> SignedMessage:
    at = at.astimezone(UTC)  # the library takes any time for UTC
    body = json.dumps({"type": kind, "timestamp": time_text(at), "data": data}, separators=(",", ":"))
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in secrets]
    headers = {
        "content-type": "application/json",
        "accept": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return SignedMessage(body.encode("ascii"), headers)
