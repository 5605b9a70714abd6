from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain

import pytest
from tests.unit.arena.replay.recorded import START, files, recording, rows

from coliseum.arena.agents.roster import roster
from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import LedgerRowKind, replay
from coliseum.arena.replay.recording import (
    RecordedBook,
    RecordedCandle,
    RecordedItem,
    RecordedRow,
    Recording,
    about_text,
    recording_from,
)
from coliseum.arena.replay.report import ReplayReport, replay_report
from coliseum.arena.replay.season import ReplayContestant, ReplayPlan, ReplaySeason, play_season
from coliseum.arena.scoring.report import canonical
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Level, Market, OrderBook
from coliseum.trading.money import ZERO

PLAN = ReplayPlan(every=timedelta(hours=3), open_for=timedelta(minutes=10), markets=6)
CONTESTANTS = tuple(
    ReplayContestant(
        agent_id=row["agent_id"], kind=row["kind"], tracks=tuple(map(Track, row["tracks"])), params=row["params"]
    )
    for row in roster().others
)


@cache
def season() -> ReplaySeason:
    return play_season(recording(40), CONTESTANTS, PLAN)


@cache
def outcome() -> ReplayReport:
    return replay_report(recording(40), season(), PLAN, draws=200)


def test_two_replays_of_a_recording_have_the_same_digest() -> None:
    again = replay_report(recording(40), play_season(recording(40), CONTESTANTS, PLAN), PLAN, draws=200)

    assert again.digest == outcome().digest
    assert json.loads(canonical(again.body))["markets"] == 40


def test_every_contestant_answers_every_question_of_a_round() -> None:
    asked = {(agent, *key) for track in Track for agent, *key in season().questions[track]}

    assert len(season().rounds) == 16
    assert len(season().answers[Track.BLIND]) == len(season().questions[Track.BLIND]) > 0
    assert {agent for agent, *_ in asked} == {contestant.agent_id for contestant in CONTESTANTS}
    assert len(asked) == sum(map(len, season().questions.values())) - len(season().markets)  # the consensus plays both


def test_the_market_has_a_skill_of_0_and_noise_a_negative_one() -> None:
    _, aware = outcome().leaderboards[Track.AWARE]
    _, blind = outcome().leaderboards[Track.BLIND]
    skills = {one.agent: one.scores["skill"] for one in (*aware.standings, *blind.standings)}

    assert skills["market"] == 0
    assert skills["noise"] < -0.02


def poisoned(now: datetime, kind: str) -> Recording:
    """The recording with every row after `now` turned into nonsense that can still be read."""

    def nonsense(seen: RecordedRow) -> RecordedRow:
        item = seen.item
        if seen.at <= now:
            return seen
        if isinstance(item, Market) and kind == "results" and item.result is not None:
            return replace(seen, item=replace(item, result="no" if item.result == "yes" else "yes"))
        if isinstance(item, Market) and kind == "prices" and item.result is None:
            low, high = Decimal("0.01"), Decimal("0.02")
            item = replace(item, yes_bid=low, yes_ask=high, volume_24h=Decimal(1), title="poison")
            return replace(seen, item=item)
        if isinstance(item, RecordedBook) and kind == "prices":
            level = (Level(Decimal("0.01"), Decimal(5)),)
            return replace(seen, item=RecordedBook(item.ticker, OrderBook(level, level)))
        return seen

    changed = (nonsense(seen) for seen in rows(40))
    left = [seen for seen in changed if kind != "gone" or seen.at <= now]
    extra = planted(now) if kind == "planted" else ()
    return recording_from(about_text("sandbox"), files(chain(extra, left)))


def planted(now: datetime) -> Iterator[RecordedRow]:
    """For every row up to `now` another one, one second after `now`, with data that would be look-ahead."""
    for seen in rows(40):
        if seen.at <= now:
            yield RecordedRow(now + timedelta(seconds=1), _revealed(seen.item))


def _revealed(item: RecordedItem) -> RecordedItem:
    match item:
        case Market():
            return replace(item, status="finalized", result="yes", settlement_value=Decimal(1), title="later")
        case RecordedBook(ticker, _):
            return RecordedBook(ticker, OrderBook((Level(Decimal("0.98"), Decimal(5)),), ()))
        case RecordedCandle(ticker, candle):
            price = Decimal("0.99")
            return RecordedCandle(ticker, replace(candle, yes_bid_close=price, yes_ask_close=price))
        case Event():
            return replace(item, mutually_exclusive=False, title="later")
        case Series():
            return replace(item, fee_multiplier=Decimal(0))


@pytest.mark.parametrize("kind", ["results", "prices", "gone", "planted"])
def test_later_rows_change_no_earlier_forecast_or_trade(kind: str) -> None:
    """This holds up to the time at which a round is opened, and for everything that contestants are shown."""
    now = START + timedelta(hours=18)
    other = play_season(poisoned(now, kind), CONTESTANTS, PLAN)
    before = {name for name, held in season().rounds.items() if held.opened_at <= now}

    assert {name for name in other.rounds if other.rounds[name].opened_at <= now} == before
    for track in Track:
        mine = [one for one in season().answers[track] if one.round_id in before]
        assert [one for one in other.answers[track] if one.round_id in before] == mine
    for name, ledger in season().ledgers.all.items():
        bought = [row for row in ledger.rows if row.key.split("/")[0] in before]
        assert [row for row in other.ledgers.all[name].rows if row.key.split("/")[0] in before] == bought
    assert {key: one for key, one in other.markets.items() if key[0] in before} == {
        key: one for key, one in season().markets.items() if key[0] in before
    }


@pytest.mark.parametrize("kind", ["results", "planted"])
def test_changed_rows_take_effect_when_their_time_has_come(kind: str) -> None:
    now = START + timedelta(hours=18)

    found = play_season(poisoned(now, kind), CONTESTANTS, PLAN)

    assert found.results != season().results
    if kind == "planted":  # shown as active again after their end
        assert sum(reasons["market_inactive"] for reasons in found.reasons.values()) > 0


def test_every_ledger_balances() -> None:
    traded = 0
    for ledger in season().ledgers.all.values():
        state = replay(ledger.rows)
        assert state == ledger.state
        assert state.cash + state.basis + state.fees == state.deposits + state.realized
        assert state.positions == {}
        traded += sum(row.kind is LedgerRowKind.BUY for row in ledger.rows)

    assert traded > 50


def test_an_agent_on_both_tracks_has_its_lean_in_the_report() -> None:
    """A rule that reads only precedents does not lean on the price. A consensus that pools the market does."""
    both = ReplayContestant(
        agent_id="twin", kind="statistical", tracks=(Track.BLIND, Track.AWARE), params={"rule": "base_rate"}
    )
    found = play_season(recording(8), [*CONTESTANTS, both], PLAN)
    lean = replay_report(recording(8), found, PLAN, draws=0).body["leans"]

    assert set(lean) == {"twin", "consensus"}
    assert (lean["twin"]["questions"], lean["twin"]["alpha"]) == (len(found.markets), 0)
    assert lean["consensus"]["alpha"] > 0.1
    assert lean["twin"]["aware_skill"] == lean["twin"]["blind_skill"]


def test_the_money_figures_are_in_the_report() -> None:
    body = outcome().body["accounts"]
    noise = next(value for name, value in body.items() if name.endswith("/noise/flat"))
    found = next(value for name, value in outcome().accounts.items() if name.endswith("/noise/flat"))

    assert noise["value"] == f"{found.value:.2f}"
    assert found.value == season().ledgers.all[f"{season().name}/noise/flat"].state.cash
    assert found.fees > ZERO


def test_an_amended_result_is_reversed_and_paid_again() -> None:
    amended: list[RecordedRow] = []
    for seen in rows(4):
        amended.append(seen)
        if isinstance(seen.item, Market) and seen.item.result is not None:
            turned = "no" if seen.item.result == "yes" else "yes"
            amended.append(RecordedRow(seen.at + timedelta(hours=1), replace(seen.item, result=turned)))
    hourly = replace(PLAN, every=timedelta(hours=1))
    other = play_season(recording_from(about_text("sandbox"), files(iter(amended))), CONTESTANTS, hourly)
    once = play_season(recording(4), CONTESTANTS, hourly)

    assert {one.version for one in other.results.values()} == {2}
    assert {name: one.result for name, one in other.results.items()} != {
        name: one.result for name, one in once.results.items()
    }
    kinds = [row.kind for ledger in other.ledgers.all.values() for row in ledger.rows]
    assert kinds.count(LedgerRowKind.REVERSE) * 2 == kinds.count(LedgerRowKind.SETTLE) > 0


def test_a_final_market_without_a_result_is_reported_and_not_paid() -> None:
    torn = [
        replace(seen, item=replace(seen.item, result=None, settlement_value=None))
        if isinstance(seen.item, Market) and seen.item.result is not None
        else seen
        for seen in rows(4)
    ]
    found = play_season(recording_from(about_text("sandbox"), files(iter(torn))), CONTESTANTS, PLAN)

    assert (found.results, len(found.problems)) == ({}, 4)
    assert "is final without a value" in found.problems[0]


def test_an_account_that_lost_too_much_only_reduces_until_the_next_day() -> None:
    """An agent that always forecasts 0.99 loses a quarter of its account and is stopped."""
    gambler = ReplayContestant(
        agent_id="gambler",
        kind="statistical",
        tracks=(Track.BLIND,),
        params={"rule": "base_rate", "parameters": {"prior_yes": 990.0, "prior_no": 1.0}},
    )
    lost = [
        replace(seen, item=replace(seen.item, result="no"))
        if isinstance(seen.item, Market) and seen.item.result is not None
        else seen
        for seen in rows(60)
    ]
    found = play_season(
        recording_from(about_text("sandbox"), files(iter(lost))),
        [gambler],
        replace(PLAN, every=timedelta(hours=1), markets=20),
    )
    account = f"{found.name}/gambler/quarter_kelly"

    assert min(one.equity for one in found.ledgers.all[account].marks) < Decimal(9000)
    assert found.reasons[account]["reduce_only"] > 0
    assert found.reasons[account]["traded"] > 0


def test_the_replay_reports_its_progress() -> None:
    times: list[datetime] = []
    play_season(recording(4), CONTESTANTS[:1], PLAN, on_slot=times.append)

    assert times[:2] == [START, START + timedelta(hours=3)]
