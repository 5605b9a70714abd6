"""The public answers of the arena for a season in a real Postgres. Each is checked against the OpenAPI document."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from functions.arena.app import build
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import World
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

ARENA = f"{API}/arena"


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> World:
    return arena_world.build_alone(postgres_server)


@pytest.fixture(scope="module")
def client(postgres_server: PostgresServer) -> Iterator[TestClient]:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        yield client


def get(client: TestClient, path: str, template: str | None = None, **query: Any) -> Any:
    """The JSON body, checked against the document."""
    response = client.get(ARENA + path, params=query)
    assert response.status_code == 200, response.text
    check(f"/arena{template or path}", 200, response.json())
    return response.json()


def test_agents_are_listed_with_their_state(client: TestClient, world: World) -> None:
    body = get(client, "/agents")
    states = {one["agent_id"]: one["status"] for one in body["items"]}
    assert states == dict.fromkeys(["market", "modest", "sharp", "shy", "uniform"], "active") | {"lama": "needs_key"}
    assert (body["source"], body["stale"], body["next_cursor"]) == ("postgres", False, None)
    assert [one["agent_id"] for one in get(client, "/agents", status="needs_key")["items"]] == ["lama"]


def test_an_agent_shows_its_work_cost_failures_and_rank(client: TestClient, world: World) -> None:
    body = get(client, "/agents/modest", "/agents/{agent_id}")
    assert body["totals"]["decisions"] == {"done": 6, "failed": 1}
    assert (body["totals"]["failures"], body["totals"]["cost_unknown"]) == ({"timeout": 1}, 1)
    assert (body["totals"]["cost_usd"], body["totals"]["attempts"]) == ("0.0075", 7)
    (board,) = body["boards"]
    assert (board["report"]["track"], board["standing"]["missing"]) == ("aware", ["4 of 5 events"])
    assert [one["policy"] for one in body["accounts"]] == ["flat", "quarter_kelly"]
    waiting = get(client, "/agents/lama", "/agents/{agent_id}")
    assert (waiting["status"], waiting["model"], waiting["boards"]) == ("needs_key", "meta/lama-9", [])


def test_rounds_are_newest_first_with_their_questions_by_status(client: TestClient, world: World) -> None:
    body = get(client, "/rounds")
    assert [one["round_id"] for one in body["items"]] == [world.open, world.closed]
    assert body["items"][1]["decisions"] == {"done": 29, "failed": 1}
    assert (body["items"][1]["status"], body["items"][1]["exchange"]) == ("partial", "sandbox")
    assert [one["round_id"] for one in get(client, "/rounds", status="open")["items"]] == [world.open]
    assert get(client, "/rounds", season="1999Q1")["items"] == []


def test_a_round_shows_its_markets_and_their_results(client: TestClient, world: World) -> None:
    body = get(client, f"/rounds/{world.closed}", "/rounds/{round_id}")
    assert [(one["ticker"], one["result"]) for one in body["asked"]] == [
        (ticker, outcome)
        for ticker, outcome in zip(world.tickers, ["no", "yes", "yes", "yes", "yes", None], strict=True)
    ]
    assert body["asked"][0]["probability"] == 0.425
    assert (body["asked"][0]["yes_bid"], body["asked"][0]["yes_ask"]) == ("0.4000", "0.4500")


def test_the_markets_in_play_are_those_of_open_rounds(client: TestClient, world: World) -> None:
    assert [one["ticker"] for one in get(client, "/markets")["items"]] == [world.secret_ticker]
    assert get(client, "/markets", category="Nothing")["items"] == []


def test_what_contestants_saw_is_public_when_the_round_is_closed(client: TestClient, world: World) -> None:
    template = "/rounds/{round_id}/markets/{ticker}"
    closed = get(client, f"/rounds/{world.closed}/markets/{world.tickers[0]}", template)
    still_open = get(client, f"/rounds/{world.open}/markets/{world.secret_ticker}", template)
    assert closed["book"] == arena_world.BOOK
    assert closed["context"]["question"]["ticker"] == world.tickers[0]
    assert (still_open["opened"], still_open["book"], still_open["context"]) == (False, None, None)


def walk(client: TestClient, path: str, **query: Any) -> list[Any]:
    """All items of a list, read with three items a page."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = client.get(ARENA + path, params={**query, "limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert page["count"] == len(page["items"]) <= 3
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


@pytest.mark.parametrize(
    ("query", "count"),
    [({}, 34), ({"agent": "sharp"}, 7), ({"ticker": "KXA1-26"}, 4), ({"track": "aware"}, 13), ({"agent": "lama"}, 0)],
)
def test_forecasts_are_filtered_and_paged_without_repetition(
    client: TestClient, world: World, query: dict[str, str], count: int
) -> None:
    found = [one["forecast_id"] for one in walk(client, "/forecasts", **query)]
    assert len(found) == len(set(found)) == count
    assert found == sorted(found, reverse=True)
    assert found == [one["forecast_id"] for one in get(client, "/forecasts", **query)["items"]]


def test_a_forecast_of_a_closed_round_shows_everything_that_its_seal_covers(client: TestClient, world: World) -> None:
    by_id = get(client, f"/forecasts/{world.forecast_id}", "/forecasts/{round_id}/{ticker}/{agent_id}/{track}")
    by_seal = get(client, f"/forecasts/{by_id['seal']}", "/forecasts/{seal}")
    canonical = json.dumps(by_id["payload"], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert hashlib.sha256(canonical.encode()).hexdigest() == by_id["seal"]
    assert (by_id["probability"], by_id["abstain"], by_id["result"]) == (0.91, False, "no")
    assert by_id["payload"]["rationale"] == arena_world.REASONS
    assert [one["cost_usd"] for one in by_id["attempts"]] == ["0.00125"]
    assert {**by_seal, "as_of": None} == {**by_id, "as_of": None}
    shy = get(client, f"/forecasts/{world.closed}/{world.tickers[0]}/shy/blind", "/forecasts/{seal}")
    assert (shy["probability"], shy["abstain"]) == (None, True)


def test_a_proof_can_be_checked_without_our_code(client: TestClient, world: World) -> None:
    for path in (world.forecast_id, world.secret_id):
        template = "/forecasts/{round_id}/{ticker}/{agent_id}/{track}/proof"
        proof = get(client, f"/forecasts/{path}/proof", template)
        node = hashlib.sha256(b"\0" + bytes.fromhex(proof["seal"])).digest()
        for step in proof["steps"]:
            sibling = bytes.fromhex(step["sibling"])
            pair = sibling + node if step["side"] == "left" else node + sibling
            node = hashlib.sha256(b"\1" + pair).digest()
        assert node.hex() == proof["root"]["root"]
        assert (proof["verified"], proof["root"]["leaves"], proof["root"]["status"]) == (True, 34, "provisional")


def test_a_days_seals_give_its_root(client: TestClient, world: World) -> None:
    day = world.made_at.date().isoformat()
    listed = walk(client, f"/seals/{day}")
    body = get(client, f"/seals/{day}", "/seals/{day}", limit=1000)
    assert listed == body["items"] == sorted(set(listed))
    level = [hashlib.sha256(b"\0" + bytes.fromhex(seal)).digest() for seal in listed]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    assert level[0].hex() == body["root"]["root"]
    assert get(client, "/seals/2001-01-01", "/seals/{day}")["root"] is None


def test_the_leaderboard_shows_its_report_and_sorts_without_ranking(client: TestClient, world: World) -> None:
    board = get(client, "/leaderboard")
    by_brier = get(client, "/leaderboard", metric="brier")
    assert (board["report"]["digest"], board["report"]["exchange"]) == (world.digest, "sandbox")
    assert board["report"]["gates"] == {"coverage": 0.5, "events": 5, "days": 0.0}
    assert (board["items"][0]["agent_id"], board["items"][0]["rank"]) == ("sharp", 1)
    assert {one["agent_id"]: one["rank"] for one in board["items"]} == {
        one["agent_id"]: one["rank"] for one in by_brier["items"]
    }
    briers = [one["value"] for one in by_brier["items"] if one["value"] is not None]
    assert briers == sorted(briers)
    weather = get(client, "/leaderboard", slice="category:Weather")
    assert weather["items"][0]["scores"]["events"] == 3
    assert "category:Weather" in board["slices"]


def test_a_board_of_the_past_is_the_one_that_was_known_then(client: TestClient, world: World) -> None:
    before = (world.made_at.timestamp() - 1, world.made_at.timestamp() + 1)
    early = get(client, "/leaderboard", known_at=f"{before[0]:.3f}")
    late = get(client, "/leaderboard", as_of=f"{before[1]:.3f}")
    assert (early["items"], early["report"], early["count"]) == ([], None, 0)
    assert "No leaderboard was published" in early["reason"]
    assert late["report"]["digest"] == world.digest
    assert get(client, "/leaderboard", season="1999Q1")["reason"] == early["reason"]


def test_calibration_has_bins_with_wilson_intervals(client: TestClient, world: World) -> None:
    body = get(client, "/calibration", agent="sharp")
    (line,) = body["items"]
    (filled,) = [part for part in line["bins"] if part["count"]]
    assert (filled["low"], filled["high"], filled["count"], filled["observed"]) == (0.9, 1.0, 5, 0.8)
    low, high = filled["interval"]
    assert low < 0.8 < high
    assert line["numbers"]["bias"] == pytest.approx(0.11)


def test_separability_names_every_pair(client: TestClient, world: World) -> None:
    pairs = get(client, "/separability")["items"]
    (pair,) = [one for one in pairs if {one["first"], one["second"]} == {"sharp", "uniform"}]
    assert (pair["first"], pair["events"]) == ("sharp", 5)
    assert pair["difference"] == pytest.approx(0.25 - (4 * 0.09**2 + 0.91**2) / 5)
    # The events are of one series and overlap, so they are one cluster, which says nothing about its own spread.
    assert (pair["clusters"], pair["events_needed"], pair["interval"]) == (1, None, None)
    assert "1 common cluster" in pair["reason"]
    assert get(client, "/separability", agent="nobody")["items"] == []


def test_evidence_is_read_from_each_published_leaderboard(client: TestClient, world: World) -> None:
    (line,) = get(client, "/evidence", agent="sharp")["items"]
    board = get(client, "/leaderboard")
    (now,) = [one for one in board["items"] if one["agent_id"] == "sharp"]
    assert line["log10_evidence"] == pytest.approx(now["scores"]["log10_evidence"])
    assert (line["skill"], line["rank"], line["digest"]) == (now["value"], now["rank"], world.digest)
    bounds = line["skill_sequence_low"], line["skill_sequence_high"]
    assert list(bounds) == (now["scores"]["skill_sequence"] or [None, None])
    assert line["skill_sequence_clusters"] == now["scores"]["skill_sequence_clusters"]
    assert line["separated"] == now["separated"]
    assert get(client, "/evidence", known_at="0")["reason"]


def test_an_account_is_the_replay_of_its_public_ledger(client: TestClient, world: World) -> None:
    template = "/accounts/{season}/{agent_id}/{policy}"
    account = get(client, f"/accounts/{world.account}", template)
    ledger = walk(client, f"/accounts/{world.account}/ledger")
    assert [row["seq"] for row in ledger] == list(range(1, len(ledger) + 1))
    assert Decimal(account["ledger_cash"]) == sum(Decimal(row["cash"]) for row in ledger)
    assert [one["ticker"] for one in account["positions"]] == [world.tickers[-1]]
    assert account["reasons"] == {"traded": 6}
    assert len(account["curve"]) == 1
    assert account["equity"] == account["curve"][0]["equity"]
    figures = account["figures"]
    assert figures["value"] == account["equity"]
    assert Decimal(figures["value"]) - Decimal(figures["net_of_models"]) == Decimal("0.0075")  # six attempts
    assert (figures["bets"], figures["win_rate"]) == (5, 0.8)
    assert figures["roi"] == pytest.approx(float(Decimal(account["equity"]) / 10_000 - 1))
    assert Decimal(figures["exposure"]) == Decimal(account["positions"][0]["cost"])
    get(client, f"/accounts/{world.account}/ledger", f"{template}/ledger")
    curve = get(client, f"/accounts/{world.account}/curve", f"{template}/curve")
    assert curve["items"] == account["curve"]
    assert (
        get(client, f"/accounts/{world.account}/curve", f"{template}/curve", since="2099-01-01T00:00:00Z")["count"] == 0
    )


def test_non_trades_have_their_reasons(client: TestClient, world: World) -> None:
    template = "/accounts/{season}/{agent_id}/{policy}/decisions"
    decisions = get(client, f"/accounts/{world.season}/modest/flat/decisions", template, action="none")
    assert {one["reason"] for one in decisions["items"]} == {"edge_below_minimum"}
    assert len(decisions["items"]) == 5
    shy = get(client, f"/accounts/{world.season}/shy/flat/decisions", template)
    assert {one["reason"] for one in shy["items"]} == {"abstained"}


def test_accounts_are_listed_by_agent_and_policy(client: TestClient, world: World) -> None:
    assert len(walk(client, "/accounts")) == len(get(client, "/accounts", season=world.season)["items"]) > 10
    (one,) = get(client, "/accounts", agent="sharp", policy="flat")["items"]
    assert (one["account_id"], one["deposit"]) == (world.account, "10000.00")


def test_the_attribution_adds_up_to_the_profit_in_the_ledger(client: TestClient, world: World) -> None:
    body = get(client, "/attribution", agent="sharp")
    for one in body["items"]:
        parts = [Decimal(one[name]) for name in ("edge", "sizing", "spread", "depth", "fees", "luck")]
        rows = walk(client, f"/accounts/{one['account_id']}/ledger")
        settled = [row for row in rows if row["ticker"] in world.tickers[:-1]]
        assert sum(parts) == Decimal(one["net"]) == sum(Decimal(row["cash"]) for row in settled)
        assert (one["orders"], one["waiting"], one["unexplained"]) == (5, 1, 0)
        assert Decimal(one["spread"]) < 0
        assert Decimal(one["fees"]) < 0


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("agents", 6, "agent_id"),
        ("rounds", 2, "round_id"),
        ("markets", 7, "round_id"),
        ("forecasts", 34, "forecast_id"),
        ("decisions", 35, "decision_id"),
        ("attempts", 30, "decision_id"),
        ("results", 5, "ticker"),
        ("ledger", None, "account_id"),
        ("marks", None, "account_id"),
        ("paper-decisions", None, "decision_id"),
        ("reports", 2, "digest"),
    ],
)
def test_exports_are_the_same_rows_in_both_forms(
    client: TestClient, world: World, name: str, count: int | None, first: str
) -> None:
    lines = [json.loads(line) for line in client.get(f"{ARENA}/exports/{name}.jsonl").text.splitlines()]
    table = list(csv.DictReader(io.StringIO(client.get(f"{ARENA}/exports/{name}.csv").text)))
    assert count in {None, len(lines)}
    assert len(lines) == len(table) > 0
    assert list(lines[0]) == list(table[0])
    assert next(iter(lines[0])) == first
    assert [row[first] for row in lines] == [row[first] for row in table]


def test_an_export_names_its_next_page(client: TestClient, world: World) -> None:
    found, url = [], f"{ARENA}/exports/forecasts.jsonl?limit=10"
    while url:
        response = client.get(url)
        found += [json.loads(line)["forecast_id"] for line in response.text.splitlines()]
        link = response.headers.get("link")
        url = link.partition(">")[0].removeprefix("<") if link else ""
    assert len(found) == len(set(found)) == 34


def test_a_published_root_that_does_not_fit_the_seals_is_an_error(
    client: TestClient, world: World, postgres_server: PostgresServer
) -> None:
    day = world.made_at.date().isoformat()
    root = get(client, f"/seals/{day}", "/seals/{day}")["root"]["root"]
    wipe = "set session_replication_role = replica; delete from arena_seal_roots;"
    insert = "insert into arena_seal_roots (leaves, day, root) values (34, '{}', '{}')"
    wrong, right = insert.format(day, "0" * 64), insert.format(day, root)
    try:
        postgres_server.execute(wipe + wrong)
        refused = client.get(f"{ARENA}/forecasts/{world.forecast_id}/proof")
        postgres_server.execute(wipe + right)
        proof = client.get(f"{ARENA}/forecasts/{world.forecast_id}/proof").json()
    finally:
        postgres_server.execute(wipe)
    assert (refused.status_code, refused.json()["source"]) == (502, "postgres")
    assert (proof["root"]["status"], proof["verified"]) == ("published", True)
