"""Signed requests against a receiver that checks them with the library of Standard Webhooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.fixtures.push_receiver import OTHER_SECRET, SECRET, FakeReceiver, receiving

from coliseum.client.reporting.signed_push import (
    ABSENT_SECONDS,
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    RETRY_AFTER_MAX_SECONDS,
    PushResult,
    PushSettingError,
    SignedPush,
)

BODY = b'{"trades":[]}'


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with receiving(FakeReceiver()) as started:
        yield started


PUSHES: list[SignedPush] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while PUSHES:
        PUSHES.pop().disconnect()


def push_to(receiver: FakeReceiver, secret: str = SECRET, clock: Callable[[], float] = time.time) -> SignedPush:
    PUSHES.append(SignedPush(receiver.url, secret, clock=clock))
    return PUSHES[-1]


def test_a_receiver_with_the_librarys_check_takes_it(receiver: FakeReceiver) -> None:
    push = push_to(receiver)
    assert push.send("trades", BODY) is PushResult.PUBLISHED
    assert push.send("status", b"{}") is PushResult.PUBLISHED
    assert [(each.path, each.status) for each in receiver.pushed] == [
        ("/api/python/bot/trades", 200),
        ("/api/python/bot/status", 200),
    ]
    assert (push.problem, push.wait_seconds, len(receiver.connections)) == (None, 0.0, 1)


@pytest.mark.parametrize("base", ["", "/", "/api/python", "/api/python/"])
def test_the_address_may_have_the_prefix(receiver: FakeReceiver, base: str) -> None:
    push = SignedPush(receiver.url + base, SECRET, clock=time.time)
    PUSHES.append(push)
    push.send("trades", BODY)
    assert receiver.pushed[0].path == "/api/python/bot/trades"


def test_several_secrets_sign_at_once(receiver: FakeReceiver) -> None:
    assert push_to(receiver, f"{OTHER_SECRET}, {SECRET}").send("trades", BODY) is PushResult.PUBLISHED


def test_an_idle_connection_that_was_closed_is_opened_again() -> None:
    receiver = FakeReceiver()
    with receiving(receiver):
        push = push_to(receiver)
        push.send("trades", BODY)
    with receiving(receiver):
        assert push.send("trades", BODY) is PushResult.PUBLISHED


def test_a_repetition_keeps_its_id_and_another_body_gets_one(receiver: FakeReceiver) -> None:
    receiver.answers = [(500, {}, b""), (500, {}, b"")]
    push = push_to(receiver)
    results = [push.send("trades", BODY), push.send("trades", BODY), push.send("trades", b'{"trades":[{}]}')]
    assert results == [PushResult.FAILED, PushResult.FAILED, PushResult.PUBLISHED]
    first, second, third = (each.webhook_id for each in receiver.pushed)
    assert first == second != third


def test_what_the_poller_takes_is_left_to_it(receiver: FakeReceiver) -> None:
    receiver.answers = [(202, {}, b'{"waits_for_poll":"the bot has not been polled yet"}')]
    push = push_to(receiver)
    assert push.send("trades", BODY) is PushResult.LEFT
    assert push.problem is None


@pytest.mark.parametrize(
    ("status", "headers", "result", "waits"),
    [
        (500, {}, PushResult.FAILED, (FIRST_WAIT_SECONDS / 2, FIRST_WAIT_SECONDS)),
        (502, {"Retry-After": "7"}, PushResult.FAILED, (7, 7)),
        (503, {"Retry-After": "7"}, PushResult.FAILED, (7, 7)),
        (429, {"Retry-After": "2"}, PushResult.FAILED, (2, 2)),
        (429, {"Retry-After": "99999"}, PushResult.FAILED, (RETRY_AFTER_MAX_SECONDS, RETRY_AFTER_MAX_SECONDS)),
        (429, {"Retry-After": "soon"}, PushResult.FAILED, (FIRST_WAIT_SECONDS / 2, FIRST_WAIT_SECONDS)),
        (301, {"Location": "/"}, PushResult.FAILED, (FIRST_WAIT_SECONDS / 2, FIRST_WAIT_SECONDS)),
        (404, {}, PushResult.FAILED, (ABSENT_SECONDS, ABSENT_SECONDS)),
        (410, {}, PushResult.FAILED, (ABSENT_SECONDS, ABSENT_SECONDS)),
        (413, {}, PushResult.LEFT, (FIRST_WAIT_SECONDS / 2, FIRST_WAIT_SECONDS)),
        (422, {}, PushResult.LEFT, (FIRST_WAIT_SECONDS / 2, FIRST_WAIT_SECONDS)),
    ],
)
def test_each_answer_says_what_to_do_and_how_long_to_wait(
    receiver: FakeReceiver, status: int, headers: dict[str, str], result: PushResult, waits: tuple[float, float]
) -> None:
    receiver.answers = [(status, headers, b'{"detail":"too many\\nrequests"}')]
    push = push_to(receiver)
    assert push.send("trades", BODY) is result
    assert waits[0] <= push.wait_seconds <= waits[1]
    assert push.problem is not None
    assert f"answered {status}: too many requests" in push.problem


def test_waits_double_up_to_half_a_minute_and_end_with_a_success(receiver: FakeReceiver) -> None:
    receiver.answers = [(500, {}, b"")] * 12
    push = push_to(receiver)
    waits = [push.wait_seconds for _ in range(12) if push.send("trades", BODY)]
    longest = [min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**failure) for failure in range(12)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert push.send("trades", BODY) is PushResult.PUBLISHED
    assert (push.failures, push.wait_seconds) == (0, 0.0)


def test_nobody_there_is_a_failure() -> None:
    with receiving(FakeReceiver()) as receiver:
        push = push_to(receiver)
    assert push.send("trades", BODY) is PushResult.FAILED
    assert push.problem == "127.0.0.1 does not answer (ConnectionRefusedError)"


@pytest.mark.parametrize(("off", "side"), [(-3600.0, "behind"), (3600.0, "ahead of")])
def test_a_wrong_clock_is_named_and_the_receivers_is_used(receiver: FakeReceiver, off: float, side: str) -> None:
    push = push_to(receiver, clock=lambda: time.time() + off)
    assert push.send("trades", BODY) is PushResult.FAILED
    assert push.problem is not None
    assert f"s {side} that of 127.0.0.1" in push.problem
    assert push.send("trades", BODY) is PushResult.PUBLISHED


def test_a_clock_that_jumps_there_and_back_costs_one_request_each(receiver: FakeReceiver) -> None:
    off = [0.0, 7200.0, 7200.0, 7200.0, 0.0, 0.0]
    push = push_to(receiver, clock=lambda: time.time() + off[len(receiver.pushed)])
    results = [push.send("trades", BODY) for _ in off[1:]]
    ok, failed = PushResult.PUBLISHED, PushResult.FAILED
    assert results == [ok, failed, ok, ok, failed]


def test_a_wrong_secret_is_not_called_a_wrong_clock_and_is_not_shown(receiver: FakeReceiver) -> None:
    push = push_to(receiver, OTHER_SECRET)
    assert push.send("trades", BODY) is PushResult.FAILED
    assert push.problem is not None
    assert push.problem.endswith("The clocks agree, so check the secret")
    assert OTHER_SECRET[6:] not in f"{push.problem} {vars(push)}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com",
        "ftp://localhost",
        "https://user:word@example.com",
        "https://[",
        "https://a:x",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(PushSettingError, match="url: expected") as caught:
        SignedPush(url, SECRET, clock=time.time)
    assert "word" not in str(caught.value).removesuffix("a password or a query")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_eA==", SECRET[6:], SECRET + ",", "whsec_***" + "A" * 40])
def test_a_secret_that_cannot_be_used_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(PushSettingError, match="expected whsec_ and the base64 of 24 to 64 random bytes") as caught:
        SignedPush("https://example.com", secret, clock=time.time)
    assert not secret[6:] or secret[6:] not in str(caught.value)
