from __future__ import annotations

import json
from typing import Any

import pytest

from coliseum.bot.findings import (
    Finding,
    Severity,
    health_findings,
    run_findings,
    stability_findings,
    status_findings,
    trades_findings,
)

NOW = 1_698_676_900.0
ROW: dict[str, Any] = {
    "trade_id": "a",
    "ticker": "PRES24-GOP",
    "side": "BUY",
    "quantity": 50,
    "price": 0.65,
    "timestamp": 1698676800.123,
}


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def of_rows(*rows: object, count: int | None = None) -> list[Finding]:
    return trades_findings(body(list(rows)), now=NOW, trade_count=count)


def row(trade_id: str, *, at: float = 0.0, **changes: object) -> dict[str, Any]:
    return {**ROW, "trade_id": trade_id, "timestamp": ROW["timestamp"] - at, **changes}


def test_a_good_list_says_so() -> None:
    assert of_rows(row("b"), row("a", at=1), count=2) == [
        Finding(Severity.OK, "/trades", "2 rows, all readable, newest first")
    ]
    assert of_rows(count=0)[0].severity is Severity.OK


@pytest.mark.parametrize(
    ("changes", "severity", "says"),
    [
        ({"price": 65}, "error", "price: got 65, expected dollars per contract between 0 and 1 (0.65, not 65)"),
        ({"timestamp": 1698676800123}, "error", "not milliseconds"),
        ({"timestamp": "2026-11-21T07:00:00"}, "error", "RFC 3339 with its offset"),
        ({"side": "LONG"}, "error", "side: got 'LONG', expected BUY or SELL"),
        ({"quantity": 0}, "error", "a number of contracts above 0"),
        ({"quantity": None, "qty": 5}, "error", "quantity: missing; rename `qty` to it"),
        ({"trade_id": None, "id": "x"}, "error", "trade_id: missing; rename `id` to it"),
        ({"ticker": None}, "error", "ticker: missing; right is the exchange's market ticker"),
        ({"trade_id": {}}, "error", "trade_id: got {}, expected text of 1 to 200 printable characters, or a whole"),
        ({"trade_id": 1.5}, "error", "trade_id: got 1.5, expected text of 1 to 200 printable characters, or a whole"),
        ({"strategy": 5}, "warning", "strategy: got 5; right is text of 1 to 100 characters. It is ignored"),
        ({"outcome": "maybe"}, "error", "outcome: got 'maybe', expected yes or no"),
        ({"timestamp": NOW + 18_000}, "warning", "18000 s ahead of this machine's clock"),
    ],
)
def test_a_wrong_row_is_named_with_what_would_be_right(changes: dict[str, Any], severity: str, says: str) -> None:
    (finding,) = of_rows({**ROW, **changes}, row("z", at=50))
    assert (finding.severity, finding.place.partition(" (")[0]) == (severity, "/trades row 1")
    assert says in finding.text


def test_every_missing_field_is_one_sentence_of_its_own() -> None:
    found = of_rows({"trade_id": "a", "market": "M", "qty": 5, "side": "BUY", "timestamp": NOW})
    assert [finding.text for finding in found] == [
        "ticker: missing; rename `market` to it",
        "quantity: missing; rename `qty` to it",
        "price: missing; right is dollars per contract, 0 to 1 (0.65, not 65)",
    ]


@pytest.mark.parametrize("wrong", [None, 5, "text", [], [[[]]]])
def test_a_row_that_is_no_object_is_named(wrong: Any) -> None:
    assert (of_rows(row("a"), wrong)[0].severity, of_rows(row("a"), wrong)[0].place) == ("error", "/trades row 2")


def test_an_id_that_stands_twice_is_an_error_only_with_other_facts() -> None:
    (same,) = of_rows(row("a"), row("a"))
    (other,) = of_rows(row("a"), row("a", quantity=7))
    assert (same.severity, other.severity) == ("warning", "error")
    assert "has the id of row 1 and other facts" in other.text


def test_a_list_in_no_order_names_the_first_row_that_is_too_new() -> None:
    (finding,) = of_rows(row("c", at=1), row("b", at=5), row("d", at=0))
    assert (finding.severity, finding.place) == ("warning", "/trades row 3 ('d')")


def test_a_list_that_begins_with_its_oldest_trade_is_right() -> None:
    assert of_rows(row("a", at=2), row("b", at=1))[0].text == "2 rows, all readable, oldest first"


@pytest.mark.parametrize(
    ("rows", "count", "severity", "says"),
    [
        (101, None, "warning", "101 rows; right are the newest 100"),
        (3, 2, "error", "3 rows, but /health counts 2 trades"),
        (3, 7, "warning", "3 rows, but /health counts 7 trades"),
    ],
)
def test_the_list_and_the_count_must_fit(rows: int, count: int | None, severity: str, says: str) -> None:
    (finding,) = of_rows(*(row(str(number), at=number) for number in range(rows)), count=count)
    assert finding.severity == severity
    assert says in finding.text


@pytest.mark.parametrize("answer", [b"", b"<html>", b"5", b'{"items": []}', b"[" * 3000])
def test_an_answer_that_is_no_list_is_one_error(answer: bytes) -> None:
    (finding,) = trades_findings(answer, now=NOW, trade_count=None)
    assert (finding.severity, finding.place) == ("error", "/trades")
    assert "right is a list of trades" in finding.text


def test_a_complete_health_is_right() -> None:
    good = {"status": "alive", "trade_count": 3, "started_at": "2026-11-21T07:00:00Z"}
    assert [finding.severity for finding in health_findings(body(good))] == ["ok"]


@pytest.mark.parametrize(
    ("answer", "severity", "says"),
    [
        ({"status": "dead", "trade_count": 0, "started_at": 1698676800}, "error", "'dead' means that the bot is not"),
        ({"trade_count": -1, "started_at": 1698676800}, "warning", "trade_count: got -1"),
        ({"trade_count": 1}, "warning", "started_at: missing; right is the time when this run began"),
        ({"trade_count": 1, "started_at": "run 5"}, "warning", "started_at: 'run 5' is not a time with its zone"),
        ([], "error", "expected an object, got list; right is a JSON object"),
    ],
)
def test_what_a_health_lacks_is_named(answer: Any, severity: str, says: str) -> None:
    (finding,) = health_findings(body(answer))
    assert finding.severity == severity
    assert says in finding.text


@pytest.mark.parametrize(
    ("answer", "severity", "says"),
    [
        ({"mode": "paper"}, "ok", "mode paper"),
        ({}, "warning", "mode: missing; right is paper or live"),
        ({"mode": "dry-run"}, "warning", "mode: got 'dry-run'; right is paper or live"),
        ({"mode": "live", "positions": {}}, "warning", "positions: got {}; right is a list"),
        ({"mode": "live", "idle_reasons": "spread"}, "warning", "idle_reasons: got 'spread'; right is a list"),
        ({"mode": "live", "idle_reasons": ["a", 5]}, "warning", "idle_reasons, entry 2: got 5; right is a text, or an"),
        ({"mode": "live", "idle_reasons": [{"why": "a"}]}, "warning", "entry 1: got {'why': 'a'}; right is a text"),
        ({"mode": "live", "idle_reasons": [" "]}, "warning", "idle_reasons, entry 1: got ' '; right is a text"),
        (
            {"mode": "live", "idle_reasons": [{"reason": "a", "markets": -3}]},
            "warning",
            "idle_reasons, entry 1: `markets` is -3; right is a whole number of 0 or more. It is ignored",
        ),
        ({"mode": "live", "idle_reasons": ["a"] * 21}, "warning", "idle_reasons: got 21 reasons; right are at most 20"),
        ("x", "error", "right is a JSON object"),
    ],
)
def test_what_a_status_lacks_is_named(answer: Any, severity: str, says: str) -> None:
    (finding,) = status_findings(body(answer))
    assert finding.severity == severity
    assert says in finding.text


def test_ids_that_change_from_answer_to_answer_are_an_error() -> None:
    assert stability_findings(body([row("a")]), body([row("b", at=-1), row("a")])) == []
    (finding,) = stability_findings(body([row("a")]), body([row("z")]))
    assert "the same trade was 'a' in one answer and 'z' in the next" in finding.text


def test_a_start_that_changes_from_answer_to_answer_is_an_error() -> None:
    assert run_findings(body({"started_at": 1}), body({"started_at": 1})) == []
    assert run_findings(body({"started_at": 1}), body({"started_at": 2}))[0].severity == "error"
