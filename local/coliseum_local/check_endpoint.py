"""`coliseum check-endpoint URL`: asks an agent's endpoint as Coliseum does, and says what would be right.

It needs no running system. The secret comes from the variable SIGNING_SECRET, because other users of the machine can
see the arguments of a command. The exit code is 1 where a call of Coliseum would fail, else 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit

import httpx

from coliseum.arena.calling.caller import CALL_SECONDS, MOST_BYTES
from coliseum.arena.calling.messages import SignedMessage, challenge_message, question_message
from coliseum.arena.calling.records import EndpointChallenge, QuestionCall
from coliseum.arena.calling.replies import EndpointForecast, NoForecast, read_proof, read_reply
from coliseum.arena.entry.tokens import RANDOM_BYTES, SIGNING_SECRET, code_from, signing_secret_from
from coliseum.arena.frozen_context import context_hash

REPLAY_AGE = timedelta(minutes=10)
"""Standard Webhooks lets a receiver refuse messages that are more than five minutes old."""
Show = Callable[[str], None]


def check_endpoint(
    url: str, *, secret: str, show: Show = print, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Send a challenge, a question, and two requests that must be refused. Returns the exit code."""
    if not SIGNING_SECRET.fullmatch(secret):
        show("error    SIGNING_SECRET: expected the signing_secret of the registration, whsec_ and 44 characters")
        return 1
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        show(f"error    {url!r} is no address; right is http://127.0.0.1:9100/forecast or your https address")
        return 1
    # As the function does: no proxy, no redirects, nothing compressed.
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=CALL_SECONDS) as http:
        check = _Check(http, url, secret, show, clock)
        check.proof()
        check.forecast()
        check.forged()
        check.replayed()
    show(f"{url}: {check.errors} errors" if check.errors else f"{url}: Coliseum can call it")
    return 1 if check.errors else 0


class _Check:
    """The four requests, and how many of them went wrong."""

    def __init__(self, http: httpx.Client, url: str, secret: str, show: Show, clock: Callable[[], datetime]) -> None:
        self.errors = 0
        self._http = http
        self._url = url
        self._secret = secret
        self._show = show
        self._clock = clock

    def proof(self) -> None:
        asked, challenge = self._challenge()
        answer = self._send(challenge_message(asked, challenge, self._clock()))
        if isinstance(answer, str):
            self._error("challenge", answer)
            return
        found = read_proof(*answer, secrets=asked.secrets, challenge=challenge)
        if found is None:
            self._show("ok       challenge: the proof is right")
        else:
            self._error("challenge", f"{found.problem}")

    def forecast(self) -> None:
        began = time.monotonic()
        answer = self._send(question_message(self._question(), seconds=CALL_SECONDS, at=self._clock()))
        if isinstance(answer, str):
            self._error("question", answer)
            return
        took = time.monotonic() - began
        found = read_reply(*answer, secrets=(self._secret,))
        match found:
            case EndpointForecast():
                self._show(f"ok       question: probability {found.probability} in {took:.1f} s")
            case NoForecast(problem=None):
                self._show(f"ok       question: {found.outcome}, so no forecast is stored from this answer")
            case NoForecast():
                self._error("question", f"{found.problem}")

    def forged(self) -> None:
        """Signed with another secret."""
        asked, challenge = self._challenge()
        other = replace(asked, secrets=(signing_secret_from(token_bytes(RANDOM_BYTES)),))
        answer = self._send(challenge_message(other, challenge, self._clock()))
        if not isinstance(answer, str) and answer[0] < 300:
            self._error("signature", f"answered {answer[0]} to a request that Coliseum did not sign; right is 401")
        else:
            self._show("ok       signature: a request with another signature is refused")

    def replayed(self) -> None:
        """Signed rightly, long ago."""
        asked, challenge = self._challenge()
        answer = self._send(challenge_message(asked, challenge, self._clock() - REPLAY_AGE))
        if not isinstance(answer, str) and answer[0] < 300:
            self._show("warning  age: a request that was signed ten minutes ago is answered; better refuse it")
        else:
            self._show("ok       age: an old request is refused")

    def _challenge(self) -> tuple[EndpointChallenge, str]:
        asked = EndpointChallenge(entrant_id="e-sample", endpoint=self._url, lease=1, secrets=(self._secret,))
        return asked, code_from(token_bytes(RANDOM_BYTES))

    def _question(self) -> QuestionCall:
        now = self._clock()
        context = sample_context(now)
        return QuestionCall(
            entrant_id="e-sample",
            endpoint=self._url,
            attempt=1,
            secrets=(self._secret,),
            question_id="r-sample.KXSAMPLE-1",
            round_id="r-sample",
            ticker="KXSAMPLE-1",
            closes_at=now + timedelta(hours=1),
            seconds_left=3600,
            context=context,
            context_hash=context_hash(context),
        )

    def _send(self, message: SignedMessage) -> tuple[int, Mapping[str, str], bytes] | str:
        """(Status, headers, body), or why there is no answer."""
        headers = {**message.headers, "accept-encoding": "identity"}
        try:
            response = self._http.post(self._url, content=message.body, headers=headers)
        except httpx.TimeoutException:
            return f"no answer within {CALL_SECONDS:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"no answer: {error}"
        if response.headers.get("content-encoding", "identity") != "identity":
            return "expected an uncompressed answer"
        if len(response.content) > MOST_BYTES:
            return f"answered more than {MOST_BYTES} bytes"
        return response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content

    def _error(self, place: str, problem: str) -> None:
        self.errors += 1
        self._show(f"error    {place}: {problem}")


def sample_context(now: datetime) -> dict[str, Any]:
    """A context with every part that a real one has (docs/arena.md, "Frozen context")."""
    then = (now + timedelta(hours=6)).isoformat(timespec="seconds").replace("+00:00", "Z")
    at = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "as_of": at,
        "question": {
            "ticker": "KXSAMPLE-1",
            "event_ticker": "KXSAMPLE",
            "series_ticker": "KXSAMPLE",
            "category": "Weather",
            "title": "Will it rain in New York tomorrow?",
            "subtitle": "Yes",
            "rules": "Resolves to Yes if the National Weather Service reports rain.",
            "rules_secondary": "",
            "open_time": at,
            "close_time": then,
            "can_close_early": False,
            "other_outcomes": [],
        },
        "precedent": {"yes": 3, "resolved": 10},
        "sources": [],
        "sourcing": {},
        "terms": {"fee_type": "quadratic", "fee_multiplier": "1.00", "mutually_exclusive": False},
        "quote": {"yes_bid": "0.4000", "yes_ask": "0.4400", "probability": "0.4200", "last_price": None},
        "history": [],
        "activity": {"volume_24h": "100.00", "open_interest": "50.00"},
    }
