"""A call and a challenge as the database gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coliseum.arena.calling.records import EndpointChallenge, QuestionCall
from coliseum.arena.entry.tokens import signing_secret_from
from coliseum.arena.frozen_context import context_hash

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECRETS = (signing_secret_from(b"a" * 32), signing_secret_from(b"\xff" * 32))
CONTEXT = {"question": {"title": "Rain in Bonn, dès demain?"}, "quote": {"probability": "0.4"}, "sources": []}
CALL = QuestionCall(
    entrant_id="e-pull",
    endpoint="https://agent.example/forecast",
    attempt=1,
    secrets=SECRETS,
    question_id="r-1.KXRAIN",
    round_id="r-1",
    ticker="KXRAIN",
    closes_at=NOW + timedelta(hours=1),
    seconds_left=3600,
    context=CONTEXT,
    context_hash=context_hash(CONTEXT),
)
CHALLENGE = EndpointChallenge(entrant_id="e-pull", endpoint="https://agent.example/forecast", lease=1, secrets=SECRETS)
