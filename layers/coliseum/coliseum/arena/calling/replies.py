"""What an endpoint's answer means. Pure.

An answer is read strictly, like the body of a request. A problem never repeats any part of it: a hostile answer may
hold the signing secret, orders to models or a page of text, and problems are shown to people.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from coliseum.arena.calling.messages import challenge_proof
from coliseum.arena.calling.records import CallOutcome
from coliseum.arena.entry.entrants import LONGEST_RATIONALE
from coliseum.json_objects import MAX_DEPTH, RepeatedKey, json_problem, strict_json

LONGEST_RETRY_AFTER = 3600
"""Seconds that an endpoint may ask us to wait."""
_QUESTIONS_FAULT = frozenset({400, 413, 422})
"""The endpoint refuses this question. Any other error concerns the endpoint itself."""
_FORECAST_FORM = 'expected {"probability": 0.37, "rationale": "why"}, or {"abstain": true}'


@dataclass(frozen=True, slots=True)
class EndpointForecast:
    """A forecast, with the probability as it was written."""

    probability: Decimal
    rationale: str


@dataclass(frozen=True, slots=True)
class NoForecast:
    """Why there is none. `problem` is None where the endpoint did nothing wrong."""

    outcome: CallOutcome
    problem: str | None = None
    retry_after: int | None = None
    """Seconds that the endpoint wants us to wait; None where it did not say."""


class _WrongReply(Exception):
    """The message says what was expected."""


def read_reply(
    status: int, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str]
) -> EndpointForecast | NoForecast:
    """The meaning of an answer to a question. Header names are in lower case."""
    if status == 204:
        return NoForecast("abstained")
    if status == 202:
        return NoForecast("deferred")
    if status != 200:
        return _refusal(status, headers, "200 with a forecast, 202 or 204")
    try:
        return _forecast(_json_object(headers, body), secrets)
    except _WrongReply as error:
        return NoForecast("wrong", str(error))


def read_proof(
    status: int, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], challenge: str
) -> NoForecast | None:
    """Why an answer to a challenge is no proof; None where it is one, made with any of the secrets."""
    if status != 200:
        return _refusal(status, headers, "200 with the proof")
    try:
        found = _json_object(headers, body)
    except _WrongReply as error:
        return NoForecast("wrong", str(error))
    proof = found.get("proof")
    if found.keys() != {"proof"} or not isinstance(proof, str) or not proof.isascii():
        return NoForecast("wrong", 'answered the challenge with other JSON than {"proof": "<64 hexadecimal digits>"}')
    right = [hmac.compare_digest(challenge_proof(secret, challenge), proof) for secret in secrets]
    if any(right):
        return None
    return NoForecast("wrong", "the proof is not of this challenge and this agent's signing secret")


def _refusal(status: int, headers: Mapping[str, str], expected: str) -> NoForecast:
    if status == 410:
        return NoForecast("stop", "answered 410: the endpoint does not want to be called")
    if 300 <= status < 400:
        return NoForecast("unreachable", f"answered {status}: redirects are not followed")
    problem = f"answered {status}, expected {expected}"
    if status in _QUESTIONS_FAULT:
        return NoForecast("wrong", problem)
    return NoForecast("unreachable", problem, _retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds. A date, which HTTP allows too, is not read."""
    text = headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= 4 and int(text) <= LONGEST_RETRY_AFTER else LONGEST_RETRY_AFTER


def _json_object(headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """The JSON object in an answer. Raises _WrongReply."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _WrongReply("expected the content type application/json")
    try:
        found = strict_json(body.decode())
        problem = json_problem(found)
    except RecursionError:
        problem = f"at most {MAX_DEPTH} levels of objects and lists are allowed"
    except UnicodeDecodeError:
        problem = "the answer must be UTF-8"
    except RepeatedKey:
        problem = "a key occurs twice in an object"
    except ValueError:
        problem = "the answer must be JSON"
    if problem is not None:
        raise _WrongReply(problem)
    if not isinstance(found, dict):
        raise _WrongReply("the answer must be a JSON object")
    return found


def _forecast(found: Mapping[str, object], secrets: Sequence[str]) -> EndpointForecast | NoForecast:
    if found.keys() == {"abstain"} and found["abstain"] is True:
        return NoForecast("abstained")
    if "probability" not in found or not found.keys() <= {"probability", "rationale"}:
        raise _WrongReply(f"{_FORECAST_FORM}, and no other field")
    number, rationale = found["probability"], found.get("rationale", "")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise _WrongReply("probability must be a number from 0 to 1")
    if not isinstance(rationale, str) or len(rationale) > LONGEST_RATIONALE:
        raise _WrongReply(f"rationale must be a text of at most {LONGEST_RATIONALE} characters")
    joined = "".join(rationale.split())
    if any(secret.removeprefix("whsec_").rstrip("=") in joined for secret in secrets):
        raise _WrongReply("the rationale holds the signing secret, and would be public after the close")
    return EndpointForecast(Decimal(repr(number)), rationale)
