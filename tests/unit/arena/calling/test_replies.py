from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.calling.calls import SECRETS

from coliseum.arena.calling.messages import challenge_proof
from coliseum.arena.calling.replies import EndpointForecast, NoForecast, read_proof, read_reply
from coliseum.json_objects import json_problem

JSON = {"content-type": "application/json"}


def read(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> EndpointForecast | NoForecast:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_reply(status, JSON if headers is None else headers, sent, secrets=SECRETS)


@pytest.mark.parametrize(
    ("body", "probability", "rationale"),
    [
        ({"probability": 0.37, "rationale": "It rarely rains."}, "0.37", "It rarely rains."),
        ({"probability": 1}, "1", ""),
        ({"probability": 0}, "0", ""),
        ({"probability": 1e-9, "rationale": "x" * 4000}, "1E-9", "x" * 4000),
    ],
)
def test_a_forecast_is_read(body: Any, probability: str, rationale: str) -> None:
    assert read(body) == EndpointForecast(Decimal(probability), rationale)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"])
def test_the_content_type_may_have_parameters(kind: str) -> None:
    assert isinstance(read({"probability": 0.5}, headers={"content-type": kind}), EndpointForecast)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [(204, b"", "abstained"), (202, b"", "deferred"), (200, b'{"abstain": true}', "abstained")],
)
def test_no_forecast_can_be_right(status: int, body: bytes, outcome: Any) -> None:
    assert read(body, status=status) == NoForecast(outcome)


WRONG = [
    (b"", "JSON"), (b"{", "JSON"), (b"0.5", "object"), (b"[]", "object"), (b"null", "object"), (b"{}", "expected"),
    (b'{"probability": NaN}', "finite"), (b'{"probability": 1e999}', "finite"), (b'{"probability": -0.1}', "0 to 1"),
    (b'{"probability": 1.01}', "0 to 1"), (b'{"probability": 37}', "0 to 1"), (b'{"probability": "0.5"}', "number"),
    (b'{"probability": true}', "number"), (b'{"probability": null}', "number"), (b'{"probability": [0.5]}', "number"),
    (b'{"probability": 0.5, "probability": 0.6}', "twice"), (b'{"probability": 0.5, "agent_id": "x"}', "no other"),
    (b'{"probability": 0.5, "rationale": "\\u0000"}', "NUL"),
    (b'{"probability": 0.5, "rationale": "\\ud800"}', "surrogate"),
    (b'{"probability": 0.5, "rationale": 5}', "rationale"), (b'{"probability": 0.5, "rationale": null}', "rationale"),
    (b'{"probability": 0.5, "rationale": "' + b"x" * 4001 + b'"}', "4000"), (b"\xff\xfe{}", "UTF-8"),
    (b'{"abstain": false}', "expected"), (b'{"abstain": 1}', "expected"),
    (b'{"abstain": true, "probability": 0.5}', "no other"),
    (b'{"a":' * 20_000, "levels"), (b"[" * 30_000, "levels"), (b'{"probability": ' + b"9" * 5000 + b"}", "JSON"),
    (b'\xef\xbb\xbf{"probability": 0.5}', "JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_reply_says_what_would_be_right(body: bytes, said: str) -> None:
    found = read(body)
    assert isinstance(found, NoForecast)
    assert found.outcome == "wrong"
    assert said in str(found.problem)


@pytest.mark.parametrize("kind", ["", "text/html", "application/xml", "text/json", "application/jsonx"])
def test_another_content_type_is_wrong(kind: str) -> None:
    found = read({"probability": 0.5}, headers={"content-type": kind} if kind else {})
    assert found == NoForecast("wrong", "expected the content type application/json")


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "wait"),
    [
        (301, {"location": "http://169.254.169.254/latest"}, "unreachable", None),
        (307, {}, "unreachable", None),
        (400, {}, "wrong", None),
        (401, {}, "unreachable", None),
        (404, {}, "unreachable", None),
        (422, {}, "wrong", None),
        (410, {}, "stop", None),
        (201, {}, "unreachable", None),
        (429, {"retry-after": "7"}, "unreachable", 7),
        (503, {"retry-after": "999999999999"}, "unreachable", 3600),
        (503, {"retry-after": "-5"}, "unreachable", None),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "unreachable", None),
        (503, {"retry-after": "\u0665"}, "unreachable", None),
    ],
)
def test_other_answers_by_their_status(status: int, headers: dict[str, str], outcome: Any, wait: int | None) -> None:
    found = read(b"<html>", status=status, headers=headers)
    assert isinstance(found, NoForecast)
    assert (found.outcome, found.retry_after) == (outcome, wait)
    assert str(status) in str(found.problem)


@pytest.mark.parametrize(
    "rationale", [SECRETS[0], f"my secret: {SECRETS[1][6:]}", " ".join(SECRETS[0]), SECRETS[0].rstrip("=")]
)
def test_a_rationale_with_the_secret_is_refused_because_it_would_be_public(rationale: str) -> None:
    found = read({"probability": 0.5, "rationale": rationale})
    assert isinstance(found, NoForecast)
    assert "signing secret" in str(found.problem)
    assert SECRETS[0][6:30] not in str(found)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["probability", "rationale", "abstain", "x"]), inner, max_size=3),
).map(lambda value: json.dumps(value).encode()), st.integers(100, 599))  # fmt: skip
def test_every_answer_has_one_meaning_and_no_problem_repeats_it(body: bytes, status: int) -> None:
    found = read(body, status=status)
    if isinstance(found, EndpointForecast):
        assert status == 200
        assert 0 <= found.probability <= 1
        assert json_problem(found.rationale) is None
    else:
        assert found.outcome in {"abstained", "deferred", "wrong", "unreachable", "stop"}
        assert len(found.problem or "") <= 200
        assert (found.problem or "").isprintable()


# ---------------------------------------------------------------- the proof


def prove(body: Any, status: int = 200) -> NoForecast | None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_proof(status, JSON, sent, secrets=SECRETS, challenge="abc")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_proof_may_be_made_with_either_secret(secret: str) -> None:
    assert prove({"proof": challenge_proof(secret, "abc")}) is None


@pytest.mark.parametrize(
    "body",
    [
        {}, {"challenge": "abc"}, {"proof": "abc"}, {"proof": 5}, {"proof": "é"}, {"proof": ""}, b"abc", b"[]",
        {"proof": challenge_proof(SECRETS[0], "abd")}, {"proof": challenge_proof("whsec_other", "abc")},
        {"proof": challenge_proof(SECRETS[0], "abc"), "more": 1}, {"proof": SECRETS[0]},
    ],
)  # fmt: skip
def test_anything_else_is_no_proof(body: Any) -> None:
    found = prove(body)
    assert found is not None
    assert found.outcome == "wrong"
    assert SECRETS[0] not in str(found)


@pytest.mark.parametrize(
    ("status", "outcome"), [(204, "unreachable"), (302, "unreachable"), (410, "stop"), (500, "unreachable")]
)
def test_a_challenge_needs_200(status: int, outcome: str) -> None:
    found = prove({"proof": challenge_proof(SECRETS[0], "abc")}, status)
    assert found is not None
    assert found.outcome == outcome
