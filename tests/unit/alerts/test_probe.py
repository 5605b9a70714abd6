"""What the exchange's answers mean for alerts, against a server that answers as the exchange does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.unit.kalshi import payloads
from tests.unit.kalshi.stage import Asked, Reply, Stage, reply

from coliseum.alerts.facts import ExchangeFacts
from coliseum.alerts.probe import CLOSES_SECONDS, ExchangeProbe
from coliseum.kalshi.client import Credentials, Kalshi

TICKER = "KXRAIN-26NOV21-NYC"
PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@contextmanager
def probe_of(
    answers: Mapping[str, Reply], *, has_key: bool = True, clock: Callable[[], float] = lambda: 0.0
) -> Iterator[tuple[ExchangeProbe, Stage]]:
    """A probe of an exchange whose answers are the usual ones but for `answers`, by path."""

    def script(asked: Asked) -> Reply:
        return answers.get(asked.path) or reply(payloads.BODIES[asked.path])

    with Stage(script).open() as stage:
        kalshi = Kalshi(stage.url, Credentials("key", private_key=PEM) if has_key else None, jitter=lambda: 0.0)
        yield ExchangeProbe(kalshi, has_key=has_key, clock=clock), stage
        kalshi.close()


def test_a_working_exchange_gives_money_positions_and_closing_times() -> None:
    with probe_of({}) as (probe, _):
        facts = probe.look([TICKER])
    assert (facts.trading, facts.key_refused) == (True, False)
    assert facts.equity == Decimal("98.0186") + Decimal("1.98")
    assert facts.positions == {TICKER: Decimal("-10.50")}
    assert facts.closes.keys() == {TICKER}


def test_without_a_key_only_public_data_are_asked_for() -> None:
    with probe_of({}, has_key=False) as (probe, stage):
        facts = probe.look([])
    assert facts == ExchangeFacts(trading=True)
    assert [asked.path for asked in stage.asked] == ["/exchange/status"]


@pytest.mark.parametrize(
    "status", [{"exchange_active": True, "trading_active": False}, {"exchange_active": False, "trading_active": True}]
)
def test_an_exchange_that_is_closed_or_pauses_trading_is_paused(status: dict[str, bool]) -> None:
    with probe_of({"/exchange/status": reply(status)}) as (probe, _):
        assert probe.look([]).trading is False


@pytest.mark.parametrize(("status", "refused"), [(401, True), (403, True), (500, None), (429, None)])
def test_a_key_is_refused_where_the_exchange_says_so_and_unknown_where_it_fails(
    status: int, refused: bool | None
) -> None:
    with probe_of({"/portfolio/balance": reply({"error": {"code": "no", "message": "no"}}, status)}) as (probe, _):
        facts = probe.look([])
    assert (facts.key_refused, facts.equity, facts.positions) == (refused, None, None)


def test_closing_times_are_read_again_after_ten_minutes_and_for_a_new_position() -> None:
    now = [0.0]
    with probe_of({}, has_key=False, clock=lambda: now[0]) as (probe, stage):
        for at in (0.0, 60.0, CLOSES_SECONDS):
            now[0] = at
            probe.look([TICKER])
        assert sum(asked.path == "/markets" for asked in stage.asked) == 2


def test_only_applied_transfers_count() -> None:
    with probe_of({}) as (probe, _):
        assert probe.transfers() == ((1_795_255_200.0, Decimal("123.45")),)


def test_without_an_exchange_nothing_is_known() -> None:
    probe = ExchangeProbe(None, has_key=False, clock=lambda: 0.0)
    assert (probe.look([TICKER]), probe.transfers()) == (ExchangeFacts(), ())
