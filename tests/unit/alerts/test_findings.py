"""The rules' conditions as tables, each at its limit and beside it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.alert_settings import AlertLimits, parse_limits
from coliseum.alerts.facts import (
    DeepFacts,
    EquityAt,
    ExchangeFacts,
    FillCounts,
    LogFacts,
    ModelAnswers,
    OpenPosition,
    SeenUpTo,
    StoredFacts,
)
from coliseum.alerts.findings import Seen, findings, losses_to_explain, subject
from coliseum.alerts.rules import RuleName
from coliseum.alerts.states import AlertPhase, AlertState, RuleFinding
from coliseum.feed.protocol import PollerHeartbeat

NOW = 1_796_000_000.0
LIMITS = AlertLimits()
DEEP = DeepFacts(
    peak=None,
    fills=FillCounts(matched=0, unconfirmed=0, unreported=0),
    budget_share=None,
    budget_day=None,
    models=(),
)
STORED = StoredFacts(
    version=1,
    seen=SeenUpTo(),
    states={},
    memory={},
    acknowledged=frozenset(),
    last_trade_at=None,
    positions=None,
    equity=None,
    day_first=None,
    deep=None,
)


def heartbeat(age: float = 0) -> PollerHeartbeat:
    at = int(1000 * (NOW - age))
    return PollerHeartbeat(owner="p", at=at, fresh_for=20_000, bot_ok_at=at, bot=None)


def log(*, status: str = "online", age: float | None = 0) -> LogFacts:
    beat = None if age is None else heartbeat(age)
    return LogFacts(
        entries=(), seen=SeenUpTo(), heartbeat=beat, bot={"status": status, "since": "2026-12-01T00:00:00Z"}
    )


def found(
    limits: AlertLimits = LIMITS, *, log: LogFacts | None = None, exchange: ExchangeFacts | None = None, **stored: Any
) -> dict[RuleName, RuleFinding]:
    seen = Seen(now=NOW, stored=replace(STORED, **stored), log=log, exchange=exchange or ExchangeFacts())
    return findings(seen, limits)


def holds(finding: RuleFinding | None) -> bool | None:
    return None if finding is None else bool(finding.holding)


def position(ticker: str, basis: str, *, event: str | None = None, contracts: str = "10") -> OpenPosition:
    return OpenPosition(ticker=ticker, contracts=Decimal(contracts), basis=Decimal(basis), event_ticker=event)


def test_where_nothing_is_known_nothing_is_found() -> None:
    assert found() == {}


@pytest.mark.parametrize(("age", "expected"), [(0, False), (59, False), (61, True), (None, True)])
def test_a_poller_without_a_fresh_report_is_missing(age: float | None, expected: bool) -> None:
    assert holds(found(log=log(age=age))[RuleName.NO_POLLER]) is expected


def test_nothing_is_said_of_the_bot_while_no_poller_reports() -> None:
    silent = found(log=log(status="offline", age=None), last_trade_at=0.0)
    assert silent.keys() == {RuleName.NO_POLLER}


@pytest.mark.parametrize(
    ("status", "hours", "idle"), [("online", 23.9, False), ("online", 24, True), ("offline", 50, None)]
)
def test_an_idle_bot_is_online_and_has_traded_before(status: str, hours: float, idle: bool | None) -> None:
    seen = found(log=log(status=status), last_trade_at=NOW - 3600 * hours)
    assert holds(seen.get(RuleName.BOT_IDLE)) is idle
    assert holds(seen[RuleName.BOT_OFFLINE]) is (status == "offline")


def test_a_bot_that_never_traded_is_not_idle() -> None:
    assert RuleName.BOT_IDLE not in found(log=log())


@pytest.mark.parametrize(
    ("ours", "theirs", "differ"),
    [("10", {"KXA-1": "10"}, False), ("10", {"KXA-1": "9.99"}, True), ("10", {}, True), ("-10", {"KXA-1": "10"}, True)],
)
def test_books_differ_where_one_position_does(ours: str, theirs: dict[str, str], differ: bool) -> None:
    exchange = ExchangeFacts(positions={ticker: Decimal(count) for ticker, count in theirs.items()})
    seen = found(positions=(position("KXA-1", "5", contracts=ours),), exchange=exchange)
    assert holds(seen[RuleName.BOOKS_DIFFER]) is differ


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((5, 0, 0), False), ((5, 1, 0), True), ((5, 0, 1), True), ((0, 9, 9), None)],
)
def test_fills_are_compared_where_some_match(counts: tuple[int, int, int], expected: bool | None) -> None:
    fills = FillCounts(matched=counts[0], unconfirmed=counts[1], unreported=counts[2])
    seen = found(positions=(), exchange=ExchangeFacts(positions={}), deep=replace(DEEP, fills=fills))
    assert holds(seen.get(RuleName.FILLS_DIFFER)) is expected


def test_fills_are_not_judged_while_the_books_are_not_current() -> None:
    fills = FillCounts(matched=5, unconfirmed=5, unreported=0)
    exchange = ExchangeFacts(positions={"KXA-1": Decimal(1)})
    assert RuleName.FILLS_DIFFER not in found(positions=(), exchange=exchange, deep=replace(DEEP, fills=fills))


@pytest.mark.parametrize(
    ("equity", "state"), [("951", "none"), ("959.99", "between"), ("950", "holding"), ("960.01", "none")]
)
def test_the_days_loss_begins_at_its_limit_and_ends_at_four_fifths_of_it(equity: str, state: str) -> None:
    seen = found(day_first=EquityAt(Decimal(1000), NOW - 3600), exchange=ExchangeFacts(equity=Decimal(equity)))
    finding = seen[RuleName.DAY_LOSS]
    expected = "between" if equity == "951" else state
    assert ("holding" if finding.holding else "between" if finding.between else "none") == expected


def test_a_small_loss_is_none_whatever_its_share() -> None:
    exchange = ExchangeFacts(equity=Decimal("90.01"))
    assert not holds(found(day_first=EquityAt(Decimal(100), NOW - 60), exchange=exchange)[RuleName.DAY_LOSS])
    exchange = ExchangeFacts(equity=Decimal(90))
    assert holds(found(day_first=EquityAt(Decimal(100), NOW - 60), exchange=exchange)[RuleName.DAY_LOSS])


def test_a_withdrawal_is_no_loss_and_a_deposit_hides_none() -> None:
    first = EquityAt(Decimal(1000), NOW - 3600)
    for moved, equity, lost in [("-500", "500", False), ("500", "1400", True), ("-500", "440", True)]:
        exchange = ExchangeFacts(equity=Decimal(equity), transfers=((NOW - 60, Decimal(moved)),))
        assert holds(found(day_first=first, exchange=exchange)[RuleName.DAY_LOSS]) is lost
    before = ExchangeFacts(equity=Decimal(500), transfers=((NOW - 7200, Decimal(-500)),))
    assert holds(found(day_first=first, exchange=before)[RuleName.DAY_LOSS])


def test_a_drawdown_is_from_the_peak() -> None:
    deep = replace(DEEP, peak=EquityAt(Decimal(2000), NOW - 86_400))
    for equity, deep_enough in [("1800", True), ("1801", False)]:
        seen = found(deep=deep, exchange=ExchangeFacts(equity=Decimal(equity)))
        assert holds(seen[RuleName.DRAWDOWN]) is deep_enough


def test_transfers_are_asked_for_only_where_equity_fell() -> None:
    first = EquityAt(Decimal(1000), NOW - 3600)
    for equity, asked in [("1000", False), ("940", True)]:
        exchange = ExchangeFacts(equity=Decimal(equity))
        seen = Seen(now=NOW, stored=replace(STORED, day_first=first), log=None, exchange=exchange)
        assert losses_to_explain(seen, LIMITS) is asked


def test_an_old_snapshot_is_no_equity() -> None:
    first = EquityAt(Decimal(1000), NOW - 3600)
    assert RuleName.DAY_LOSS not in found(day_first=first, equity=EquityAt(Decimal(500), NOW - 1000))
    assert holds(found(day_first=first, equity=EquityAt(Decimal(500), NOW - 800))[RuleName.DAY_LOSS])


def test_exposure_counts_all_positions_and_each_event() -> None:
    positions = (
        position("KXA-26-X", "300", event="KXA-26"),
        position("KXA-26-Y", "300", event="KXA-26"),
        position("KXB-26-Z", "250"),
    )
    seen = found(positions=positions, exchange=ExchangeFacts(equity=Decimal(1000)))
    assert holds(seen[RuleName.EXPOSURE])
    assert seen[RuleName.EVENT_EXPOSURE].holding.keys() == {"KXA-26"}
    assert seen[RuleName.EVENT_EXPOSURE].between == frozenset()


@pytest.mark.parametrize(
    ("facts", "rule", "expected"),
    [
        (ExchangeFacts(trading=False), RuleName.EXCHANGE_PAUSED, True),
        (ExchangeFacts(trading=True), RuleName.EXCHANGE_PAUSED, False),
        (ExchangeFacts(), RuleName.EXCHANGE_PAUSED, None),
        (ExchangeFacts(key_refused=True), RuleName.KEY_REFUSED, True),
        (ExchangeFacts(key_refused=False), RuleName.KEY_REFUSED, False),
        (ExchangeFacts(), RuleName.KEY_REFUSED, None),
    ],
)
def test_the_exchange_is_judged_by_its_answers(facts: ExchangeFacts, rule: RuleName, expected: bool | None) -> None:
    assert holds(found(exchange=facts).get(rule)) is expected


@pytest.mark.parametrize(
    ("share", "names"), [("0.79", set()), ("0.8", {"2026-12-01.near"}), ("1", {"2026-12-01.near", "2026-12-01.spent"})]
)
def test_the_budget_is_told_at_its_limit_and_when_it_is_spent(share: str, names: set[str]) -> None:
    deep = replace(DEEP, budget_share=Decimal(share), budget_day="2026-12-01")
    assert found(deep=deep)[RuleName.BUDGET].holding.keys() == names


def test_a_model_is_silent_that_was_asked_and_answered_nothing() -> None:
    models = (
        ModelAnswers(agent_id="a", round_id="r", done=0, failed=8),
        ModelAnswers(agent_id="b", round_id="r", done=1, failed=7),
        ModelAnswers(agent_id="c", round_id="r", done=0, failed=0),
    )
    state = AlertState(phase=AlertPhase.FIRING, since=0, episode=1, text="t")
    states = {(RuleName.SILENT_MODEL, "c"): state, (RuleName.SILENT_MODEL, "b"): state}
    finding = found(deep=replace(DEEP, models=models), states=states)[RuleName.SILENT_MODEL]
    assert finding.holding.keys() == {"a"}
    assert finding.between == {"c"}, "a model that was not asked stays as it is, one that answered is well"


def test_a_rule_that_is_off_is_not_judged() -> None:
    limits = parse_limits("day_loss_percent=off,exposure_percent=off,bot_idle_hours=off,budget_percent=off")
    seen = found(
        limits,
        log=log(),
        last_trade_at=0.0,
        day_first=EquityAt(Decimal(1000), NOW - 60),
        positions=(),
        deep=replace(DEEP, budget_share=Decimal(1)),
        exchange=ExchangeFacts(equity=Decimal(1)),
    )
    off = {RuleName.DAY_LOSS, RuleName.EXPOSURE, RuleName.BOT_IDLE, RuleName.BUDGET}
    assert not off & seen.keys()


@given(st.text(max_size=200))
def test_a_subject_fits_into_an_id_and_a_path(text: str) -> None:
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in subject(text))
    assert 1 <= len(subject(text)) <= 80
