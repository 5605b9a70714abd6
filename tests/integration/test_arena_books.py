"""Paper accounts against a real database: every row is written once, and only from the newest state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import answer, behind, enrolled, ledgers_of, now, open_round, paper
from tests.unit.arena.offers import book

from coliseum.arena.agents.enrollment import account_rows
from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, buy, replay
from coliseum.arena.paper.records import AccountSnapshot, AccountStop, EquityMark, PaperDecision, WriteOutcome
from coliseum.arena.paper.trading import liquidation_values, trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import StoredForecast
from coliseum.arena.settling.accounts import mark_accounts, settle_accounts
from coliseum.errors import SourceRefused
from coliseum.store.client import Store
from coliseum.trading.markets import Level, OrderBook
from coliseum.trading.trades import Outcome

DEEP = OrderBook((Level(D("0.40"), D(9000)),), (Level(D("0.56"), D(9000)),))


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


def flat(records: ArenaRecords, agent: str = "uniform") -> AccountSnapshot:
    (found,) = [one for one in paper(records).accounts(agent_id=agent) if one.account.policy == "flat"]
    return found


def reasons(records: ArenaRecords, decision: str) -> dict[str, str]:
    return {note.account_id.rpartition("/")[2]: note.reason for note in paper(records).decisions([decision])}


def replayed(records: ArenaRecords, account_id: str) -> object:
    return replay(entry.row for entry in paper(records).ledger(account_id))


def place(
    records: ArenaRecords,
    stored: StoredForecast,
    rows: tuple[LedgerRow, ...],
    *,
    after: int,
    account: str | None = None,
) -> WriteOutcome:
    """Write rows as the flat account's order for this forecast, as a worker does."""
    account = account or flat(records, stored.agent_id).account.account_id
    note = PaperDecision(
        decision_id=stored.forecast_id,
        account_id=account,
        reason="traded",
        side=Outcome.YES if rows else None,
        contracts=None,
        average_price=None,
        fee=None,
    )
    return paper(records).append_rows(account, rows, after=after, at=now(), round_id=stored.round_id, decision=note)


def order(at: AccountSnapshot, stored: StoredForecast, contracts: int = 10) -> tuple[LedgerRow, ...]:
    fills = [(D("0.50"), D(contracts))]
    return buy(at.state, ticker=stored.ticker, side=Outcome.YES, fills=fills, fee=D("0.18"), key=stored.forecast_id)


def untraded(records: ArenaRecords, *tickers: str, agent: str = "uniform") -> list[StoredForecast]:
    """Forecasts of a new round that no account has traded."""
    round_id = open_round(records, tickers)
    return [answer(records, round_id, agent=agent, ticker=ticker, traded=False) for ticker in tickers]


def test_every_contestant_has_its_own_accounts_with_a_deposit(records: ArenaRecords) -> None:
    season = enrolled(records, model=True)
    found = paper(records).accounts(season=season)
    assert {one.account.account_id: one.account.track for one in found} == {
        f"{season}/market/flat": Track.AWARE,
        f"{season}/market/quarter_kelly": Track.AWARE,
        f"{season}/uniform/flat": Track.BLIND,
        f"{season}/uniform/quarter_kelly": Track.BLIND,
        f"{season}/panel/flat": Track.BLIND,
        f"{season}/panel/quarter_kelly": Track.BLIND,
        f"{season}/oracle/flat": Track.BLIND,
        f"{season}/oracle/quarter_kelly": Track.BLIND,
        f"{season}/oracle/self_sized": Track.BLIND,
    }
    assert {(one.state.cash, one.state.seq) for one in found} == {(D(10_000), 1)}
    before = ledgers_of(records)
    enrolled(records, model=True)
    assert ledgers_of(records) == before


def test_a_repeated_forecast_is_traded_once_per_account(records: ArenaRecords) -> None:
    enrolled(records)
    stored = answer(records, open_round(records))
    first = ledgers_of(records)
    notes = paper(records).decisions([stored.forecast_id])
    assert {note.reason for note in notes} == {"traded"}
    for _ in range(3):
        assert trade_forecast(records, paper(records), stored) == notes
    assert ledgers_of(records) == first
    state = flat(records).state
    assert (state.cash + state.basis + state.fees, state.positions["A"].side) == (D(10_000), Outcome.YES)


def test_the_stored_balances_are_the_replay_of_the_ledger(records: ArenaRecords) -> None:
    enrolled(records)
    first, second = open_round(records, ago=timedelta(minutes=2)), open_round(records, ago=timedelta(minutes=1))
    answer(records, first, p="0.70")
    answer(records, second, p="0.10")
    records.record_result("A", status="finalized", result="no", value=D(0), decided_at=now())
    settle_accounts(paper(records), now=now())
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    settle_accounts(paper(records), now=now())
    for found in paper(records).accounts():
        assert found.state == replayed(records, found.account.account_id)
    kinds = [entry.row.kind for entry in paper(records).ledger(flat(records).account.account_id)]
    assert {LedgerRowKind.CLOSE, LedgerRowKind.REVERSE} < set(kinds)


def test_a_refusal_is_stored_with_its_reason(records: ArenaRecords) -> None:
    enrolled(records)
    stored = answer(records, open_round(records), p="0.43")
    assert reasons(records, stored.forecast_id) == {"flat": "edge_below_minimum", "quarter_kelly": "edge_below_minimum"}
    abstained = answer(records, open_round(records, ago=timedelta(seconds=9)), p=None)
    assert set(reasons(records, abstained.forecast_id).values()) == {"abstained"}
    assert all(len(rows) == 1 for rows in ledgers_of(records).values())


def test_an_account_follows_one_track(records: ArenaRecords) -> None:
    enrolled(records, model=True)
    round_id = open_round(records, books=DEEP)
    aware = answer(records, round_id, agent="oracle", track=Track.AWARE, p="0.9")
    assert paper(records).decisions([aware.forecast_id]) == ()
    blind = answer(records, round_id, agent="oracle", p="0.9", stake="21")
    assert reasons(records, blind.forecast_id) == dict.fromkeys(("flat", "quarter_kelly", "self_sized"), "traded")
    spent = {
        note.account_id.rpartition("/")[2]: note.contracts * note.average_price + note.fee
        for note in paper(records).decisions([blind.forecast_id])
        if note.contracts is not None and note.average_price is not None and note.fee is not None
    }
    assert D(20) < spent["self_sized"] <= 21


def test_a_repeated_forecast_does_not_bet_again(records: ArenaRecords) -> None:
    enrolled(records)
    for minutes in (3, 2):
        stored = answer(records, open_round(records, books=DEEP, ago=timedelta(minutes=minutes)), p="0.70")
    assert reasons(records, stored.forecast_id)["flat"] == "position_held"
    assert flat(records).state.basis <= 50


def test_a_snapshot_that_was_old_when_the_round_opened_is_not_traded(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    behind(postgres_server, "update public.arena_round_markets set snapshot_at = snapshot_at - interval '2 minutes'")
    stored = answer(records, round_id)
    assert set(reasons(records, stored.forecast_id).values()) == {"stale_snapshot"}


def test_no_position_is_opened_in_a_market_that_has_a_result(records: ArenaRecords) -> None:
    enrolled(records)
    round_id = open_round(records)
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    stored = answer(records, round_id)
    assert set(reasons(records, stored.forecast_id).values()) == {"market_inactive"}
    assert paper(records).due_settlements() == {}


def test_forecasters_that_write_one_account_at_a_time_lose_nothing(records: ArenaRecords) -> None:
    enrolled(records)
    tickers = [f"T{number}" for number in range(20)]
    round_id = open_round(records, tickers)
    stored = [answer(records, round_id, ticker=ticker, traded=False) for ticker in tickers]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda one: trade_forecast(records, paper(records), one), stored * 2))
    state = flat(records).state
    assert len(paper(records).decisions([one.forecast_id for one in stored])) == 40
    assert set(state.positions) == set(tickers)
    assert state == replayed(records, flat(records).account.account_id)


def test_rows_computed_from_an_outdated_state_are_not_written(records: ArenaRecords) -> None:
    enrolled(records)
    first, second = untraded(records, "A", "B")
    before = flat(records)
    assert place(records, first, order(before, first), after=1) is WriteOutcome.WRITTEN
    assert place(records, second, order(before, second), after=1) is WriteOutcome.MOVED
    assert place(records, first, order(before, first), after=1) is WriteOutcome.REPEATED
    assert set(flat(records).state.positions) == {"A"}


ORDERS_OF_ACCOUNT = [
    ("overdrawn", LedgerRow(seq=2, key="x", kind=LedgerRowKind.BUY, cash=D(-10_001), ticker="A", side=Outcome.YES,
                            contracts=D(1))),
    ("overdrawn", LedgerRow(seq=2, key="x", kind=LedgerRowKind.FEE, cash=D(-10_001), ticker="A")),
    ("hole", LedgerRow(seq=3, key="x", kind=LedgerRowKind.FEE, cash=D(-1), ticker="A")),
    ("contradicts", LedgerRow(seq=2, key="x", kind=LedgerRowKind.CLOSE, cash=D(1), ticker="A", side=Outcome.YES,
                              contracts=D(1))),
    ("check", LedgerRow(seq=2, key="x", kind=LedgerRowKind.BUY, cash=D(-1), ticker="A", side=Outcome.YES,
                        contracts=D(0))),
    ("not an order", LedgerRow(seq=2, key="x", kind=LedgerRowKind.BUY, cash=D(-1))),
    ("not an order", LedgerRow(seq=2, key="x", kind=LedgerRowKind.DEPOSIT, cash=D(1), ticker="A")),
]  # fmt: skip
ORDERS_OF_POSITION = [
    LedgerRow(seq=4, key="x", kind=LedgerRowKind.BUY, cash=D(-1), ticker="A", side=Outcome.NO, contracts=D(2)),
    LedgerRow(seq=4, key="x", kind=LedgerRowKind.CLOSE, cash=D(9), ticker="A", side=Outcome.YES, contracts=D(11)),
]
PAY_OUTS_OF_POSITION = [
    LedgerRow(seq=4, key="x", kind=LedgerRowKind.SETTLE, cash=D(9), ticker="A", side=Outcome.YES, contracts=D(9)),
    LedgerRow(seq=4, key="x", kind=LedgerRowKind.SETTLE, cash=D(10), ticker="A", side=Outcome.YES, contracts=D(10)),
    LedgerRow(seq=4, key="x", kind=LedgerRowKind.REVERSE, cash=D(-1), ticker="A", side=Outcome.YES, contracts=D(1)),
]


def test_the_database_refuses_rows_that_contradict_the_account(records: ArenaRecords) -> None:
    """The database enforces the rules, whatever computed the rows."""
    enrolled(records)
    (stored,) = untraded(records, "A")
    for message, row in ORDERS_OF_ACCOUNT:
        with pytest.raises(SourceRefused, match=message):
            place(records, stored, (replace(row, key=f"{stored.forecast_id}/0"),), after=1)
    pay_out = LedgerRow(
        seq=2, key="x", kind=LedgerRowKind.SETTLE, cash=D(1), ticker="A", side=Outcome.YES, contracts=D(1)
    )
    account = flat(records).account.account_id
    with pytest.raises(SourceRefused, match="contradicts"):
        paper(records).append_rows(account, [pay_out], after=1, at=now())
    assert len(paper(records).ledger(account)) == 1


def test_the_database_refuses_rows_that_contradict_the_position(records: ArenaRecords) -> None:
    enrolled(records)
    (first,) = untraded(records, "A")
    before = flat(records)
    account = before.account.account_id
    place(records, first, order(before, first), after=1)
    again = answer(records, open_round(records, ago=timedelta(seconds=9)), traded=False)
    for row in ORDERS_OF_POSITION:
        with pytest.raises(SourceRefused, match="contradicts"):
            place(records, again, (replace(row, key=f"{again.forecast_id}/0"),), after=3)
    for row in PAY_OUTS_OF_POSITION:
        with pytest.raises(SourceRefused, match="contradicts"):
            paper(records).append_rows(account, [row], after=3, at=now())
    assert len(paper(records).ledger(account)) == 3


def test_an_order_belongs_to_the_forecast_that_its_account_follows(records: ArenaRecords) -> None:
    """Every id of an order is tied to the others: forecast, account, market, round, keys, and what the note says."""
    enrolled(records, model=True)
    mine, elsewhere = untraded(records, "A", "B")
    others = answer(records, mine.round_id, agent="panel", traded=False)
    aware = answer(records, mine.round_id, agent="oracle", track=Track.AWARE, traded=False)
    rows = order(flat(records), mine)
    account = flat(records).account.account_id
    wrong = (
        ("does not follow", others, rows, account),
        ("does not follow", aware, rows, flat(records, "oracle").account.account_id),
        ("not an order", elsewhere, rows, account),
        ("not an order", mine, order(flat(records), elsewhere), account),
        ("not an order", mine, tuple(replace(row, key=f"{row.key[1:]}") for row in rows), account),
        ("not an order", replace(mine, round_id="r-20000101T000000Z"), rows, account),
        ("no forecast", replace(mine, forecast_id=f"{mine.round_id}/A/market/aware"), rows, account),
    )
    for message, forecast, written, owner in wrong:
        with pytest.raises(SourceRefused, match=message):
            place(records, forecast, written, after=1, account=owner)
    with pytest.raises(SourceRefused, match="name no forecast"):
        paper(records).append_rows(account, rows, after=1, at=now())
    assert {len(rows) for rows in ledgers_of(records).values()} == {1}


@pytest.mark.parametrize(("seconds", "reason"), [(890, "traded"), (910, "late_answer")])
def test_whoever_answers_late_does_not_trade_the_book_of_the_opening(
    records: ArenaRecords, seconds: int, reason: str
) -> None:
    enrolled(records)
    stored = answer(records, open_round(records, ago=timedelta(seconds=seconds), minutes=60))
    assert set(reasons(records, stored.forecast_id).values()) == {reason}


def test_the_database_refuses_a_late_trade_whatever_computed_it(records: ArenaRecords) -> None:
    enrolled(records)
    round_id = open_round(records, ago=timedelta(seconds=910), minutes=60)
    stored = answer(records, round_id, traded=False)
    with pytest.raises(SourceRefused, match="too late for the book"):
        place(records, stored, order(flat(records), stored), after=1)
    assert place(records, stored, (), after=1) is WriteOutcome.WRITTEN


def test_an_outside_agent_has_no_account(records: ArenaRecords, store: Store) -> None:
    season = enrolled(records)
    store.insert(
        "arena_agents",
        [{"agent_id": "e-bob", "kind": "entrant", "name": "Bob", "tracks": ["open"], "season": season}],
    )
    for account in (f"{season}/e-bob/flat", f"{season}/uniform/flat2"):
        row = {
            "account_id": account,
            "agent_id": account.split("/")[1],
            "policy": "flat",
            "deposit": "1",
            "track": "open",
        }
        with pytest.raises(SourceRefused, match="arena_accounts_"):
            records.enroll_season(season, agents=[], accounts=[row])
    assert account_rows([{"agent_id": "e-bob", "kind": "entrant", "tracks": ["open"]}], season) == []


def test_an_unknown_account_is_refused(records: ArenaRecords) -> None:
    enrolled(records)
    note = PaperDecision(
        decision_id="d", account_id="x", reason="traded", side=None, contracts=None, average_price=None, fee=None
    )
    with pytest.raises(SourceRefused, match="no account"):
        paper(records).append_rows("2026Q4/nobody/flat", (), after=0, at=now(), decision=note)


def test_a_debt_after_a_reversal_is_covered_by_the_next_pay_out(records: ArenaRecords) -> None:
    season = enrolled(records)
    account = f"{season}/uniform/flat"

    def at() -> AccountSnapshot:
        return next(iter(paper(records).accounts(account_ids=[account])))

    first, second = untraded(records, "A", "B")
    assert place(records, first, order(at(), first, 19_900), after=1) is WriteOutcome.WRITTEN
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    settle_accounts(paper(records), now=now())
    written = place(records, second, order(at(), second, 19_900 + 9_000), after=at().state.seq)
    assert written is WriteOutcome.WRITTEN
    records.record_result("A", status="finalized", result="no", value=D(0), decided_at=now())
    settle_accounts(paper(records), now=now())
    assert at().state.cash < 0
    records.record_result("B", status="finalized", result="yes", value=D(1), decided_at=now())
    settle_accounts(paper(records), now=now())
    assert at().state == replayed(records, account)
    assert at().state.positions == {}
    assert at().state.cash > 0


def test_marks_are_the_bid_after_the_fee_and_follow_newer_quotes(records: ArenaRecords) -> None:
    season = enrolled(records)
    round_id = open_round(records, books=book("0.40", "0.56"))
    answer(records, round_id)
    held = flat(records)
    contracts = held.state.positions["A"].contracts
    fee = (D("0.07") * contracts * D("0.40") * D("0.60")).quantize(D("0.0001"))
    assert liquidation_values(held)["A"] == (contracts * D("0.40") - fee).quantize(D("0.01"), "ROUND_FLOOR")
    paper(records).record_quotes({"A": (D("0.60"), D("0.64"))}, at=now())
    assert flat(records).open_positions["A"].bid == D("0.60")
    paper(records).record_quotes({"A": (None, D("0.64"))}, at=now())
    assert liquidation_values(flat(records))["A"] == 0
    at = now().replace(second=0, microsecond=0)
    for _ in range(2):
        mark_accounts(paper(records), season=season, also=(), now=at, exchange="sandbox")
    (mark,) = paper(records).marks(held.account.account_id)
    assert mark == EquityMark(at, held.state.cash, held.state.cash)


def test_on_the_real_exchange_there_is_one_mark_an_hour(records: ArenaRecords) -> None:
    season = enrolled(records)
    for minute in (5, 35):
        at = datetime(2026, 11, 21, 8, minute, tzinfo=UTC)
        mark_accounts(paper(records), season=season, also=(), now=at, exchange="kalshi")
    (mark,) = paper(records).marks(flat(records).account.account_id)
    assert mark.at == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_an_account_that_lost_a_tenth_today_only_reduces_until_tomorrow(records: ArenaRecords) -> None:
    season = enrolled(records)
    account = f"{season}/uniform/flat"
    yesterday = now() - timedelta(days=1)
    paper(records).record_marks({account: EquityMark(yesterday, D(12_000), D(12_000))})
    assert mark_accounts(paper(records), season=season, also=(), now=now(), exchange="sandbox") == 1
    assert flat(records).stopped
    stored = answer(records, open_round(records))
    assert reasons(records, stored.forecast_id) == {"flat": "reduce_only", "quarter_kelly": "traded"}
    assert mark_accounts(paper(records), season=season, also=(), now=now(), exchange="sandbox") == 0


def test_after_a_drawdown_stop_the_highest_equity_is_measured_again(records: ArenaRecords) -> None:
    season = enrolled(records)
    account = f"{season}/uniform/flat"
    days = [now() - timedelta(days=number) for number in (3, 2, 1)]
    for at, equity in zip(days, ("14000", "10100", "10050"), strict=True):
        paper(records).record_marks({account: EquityMark(at, D(equity), D(equity))})
    assert flat(records).peak == 14_000
    stop = AccountStop(account_id=account, day=days[1].date(), reason="drawdown", equity=D(10_100), reference=D(14_000))
    paper(records).record_stops([stop, stop][:1])
    assert flat(records).peak == 10_050
    assert not flat(records).stopped
    assert mark_accounts(paper(records), season=season, also=(), now=now(), exchange="sandbox") == 0
