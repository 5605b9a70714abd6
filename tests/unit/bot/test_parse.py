from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.bot.parse import BotHealth, BotTrades, IdleReason, RejectedTrade, health_from, status_from, trades_from
from coliseum.bot.wire import MAX_REASONS
from coliseum.errors import SourceMalformed
from coliseum.trading.trades import Outcome, Side, Trade, TradeSource

CONTRACT: dict[str, Any] = {
    "timestamp": 1698676800.123,
    "ticker": "PRES24-GOP",
    "side": "BUY",
    "quantity": 50,
    "price": 0.65,
    "trade_id": "abc123",
}
MISSING = object()


def _row(**changes: object) -> dict[str, Any]:
    return {name: value for name, value in (CONTRACT | changes).items() if value is not MISSING}


def _trades(*rows: object) -> BotTrades:
    return trades_from(json.dumps(list(rows)).encode())


def _one(**changes: object) -> Trade:
    (trade,) = _trades(_row(**changes)).trades
    return trade


def _rejected(row: object) -> RejectedTrade:
    """The only thing wrong in a list whose other trades survive."""
    read = _trades(_row(trade_id="before"), row, _row(trade_id="after"))
    assert {trade.trade_id for trade in read.trades} == {"before", "after"}
    (rejected,) = read.rejected
    return rejected


def test_the_contracts_trade_is_read_exactly() -> None:
    assert _one() == Trade(
        trade_id="abc123",
        ticker="PRES24-GOP",
        side=Side.BUY,
        outcome=None,
        quantity=Decimal(50),
        price=Decimal("0.65"),
        timestamp=1698676800.123,
        fee=None,
        order_id=None,
        source=TradeSource.BOT_LIVE,
    )


def test_more_facts_are_kept_and_unknown_keys_ignored() -> None:
    trade = _one(outcome="NO", fee="0.0175", order_id="o-1", side="sell", quantity="10.50", mood="good")
    assert (trade.outcome, trade.fee, trade.order_id) == (Outcome.NO, Decimal("0.0175"), "o-1")
    assert (trade.side, trade.quantity) == (Side.SELL, Decimal("10.5"))


@pytest.mark.parametrize(
    ("written", "read"),
    [("mean reversion", "mean reversion"), (" s ", "s"), ("", None), (7, None), ("a\nb", None), ("x" * 101, None)],
)
def test_a_strategy_is_a_label_and_never_costs_the_trade(written: object, read: str | None) -> None:
    assert _one(strategy=written).strategy == read
    assert _one(strategy=written).digest() == _one().digest()


def test_what_the_bot_does_not_say_stays_unknown() -> None:
    trade = _one(outcome=None, fee=None, order_id=None)
    assert (trade.outcome, trade.fee, trade.order_id) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2023-10-30T14:40:00.123Z", 1698676800.123),
        ("2023-10-30T16:40:00+02:00", 1698676800.0),
        (1698676800, 1698676800.0),
        ("1796062621.75", 1796062621.75),
        ("1698676800", 1698676800.0),
    ],
)
def test_times_are_unix_seconds_or_dates_with_an_offset(written: object, seconds: float) -> None:
    assert _one(timestamp=written).timestamp == seconds


def test_an_id_that_is_a_number_is_its_digits() -> None:
    assert _one(trade_id=7).trade_id == "7"
    assert _one(trade_id=12345678901234567890123).trade_id == "12345678901234567890123"


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"trade_id": MISSING}, "trade_id: got None"),
    ({"ticker": MISSING}, "ticker: got None"),
    ({"side": MISSING}, "side: got None"),
    ({"quantity": MISSING}, "quantity: got None"),
    ({"price": MISSING}, "price: got None"),
    ({"timestamp": MISSING}, "timestamp: got None"),
    ({"quantity": -1}, "quantity: got -1, expected a number of contracts above 0"),
    ({"quantity": 0}, "quantity: got 0"),
    ({"quantity": True}, "quantity: got True"),
    ({"quantity": "1e999999"}, "quantity: got '1e999999'"),
    ({"quantity": float("inf")}, "quantity: got inf"),
    ({"quantity": [50]}, "quantity: got [50]"),
    ({"price": 65}, "price: got 65, expected dollars per contract between 0 and 1 (0.65, not 65)"),
    ({"price": -0.1}, "price: got -0.1"),
    ({"price": float("nan")}, "price: got nan"),
    ({"price": False}, "price: got False"),
    ({"price": "cheap"}, "price: got 'cheap'"),
    ({"price": "0." + "1" * 100}, "price: got "),
    ({"side": "HOLD"}, "side: got 'HOLD', expected BUY or SELL"),
    ({"side": 1}, "side: got 1"),
    ({"side": {"a": 1}}, "side: got {'a': 1}"),
    ({"outcome": "maybe"}, "outcome: got 'maybe', expected yes or no"),
    ({"outcome": False}, "outcome: got False"),
    ({"fee": "free"}, "fee: got 'free'"),
    ({"fee": float("nan")}, "fee: got nan"),
    ({"order_id": "a\x00b"}, "order_id: got 'a\\x00b'"),
    ({"order_id": ""}, "order_id: got ''"),
    ({"timestamp": 1698676800123}, "timestamp: got 1698676800123, expected unix seconds"),
    ({"timestamp": 1}, "timestamp: got 1, expected unix seconds"),
    ({"timestamp": "1698676800123"}, "timestamp: got '1698676800123', expected unix seconds"),
    ({"timestamp": "١٧٩٦٠٦٢٦٢١"}, "timestamp: got "),
    ({"timestamp": -1e300}, "timestamp: got -1e+300"),
    ({"timestamp": float("nan")}, "timestamp: got nan"),
    ({"timestamp": True}, "timestamp: got True"),
    ({"timestamp": "yesterday"}, "timestamp: got 'yesterday'"),
    ({"timestamp": "2023-10-30T14:40:00"}, "timestamp: got '2023-10-30T14:40:00'"),
    ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp: got "),
    ({"timestamp": {}}, "timestamp: got {}"),
    ({"trade_id": "a\nb"}, "trade_id: got 'a\\nb', expected text of 1 to 200 printable characters"),
    ({"trade_id": "a\x7fb"}, "trade_id: got "),
    ({"trade_id": "\ud800"}, "trade_id: got "),
    ({"trade_id": "abc\u202egnp"}, "trade_id: got "),
    ({"trade_id": "x" * 10_000}, "trade_id: got 'xxx"),
    ({"trade_id": "   "}, "trade_id: got '   '"),
    ({"trade_id": True}, "trade_id: got True"),
    ({"trade_id": 1.5}, "trade_id: got 1.5"),
    ({"trade_id": ["a"]}, "trade_id: got ['a']"),
    ({"ticker": "KX\r\nSet-Cookie: a=b"}, "ticker: got 'KX\\r\\nSet-Cookie: a=b'"),
    ({"ticker": "KX A"}, "ticker: got 'KX A'"),
    ({"ticker": "../../etc"}, "ticker: got '../../etc'"),
    ({"ticker": ""}, "ticker: got ''"),
    ({"ticker": "K" * 101}, "ticker: got 'KKK"),
    ({"ticker": 5}, "ticker: got 5"),
]


@pytest.mark.parametrize(("changes", "problem"), HOSTILE)
def test_a_bad_trade_is_rejected_alone_with_its_reason(changes: dict[str, Any], problem: str) -> None:
    rejected = _rejected(_row(**({"trade_id": "bad"} | changes)))
    assert problem in rejected.problem
    assert rejected.problem.isprintable()
    assert len(rejected.problem) < 300


@pytest.mark.parametrize("row", [None, 5, "trade", [], [1], True, {}])
def test_what_is_no_object_is_rejected(row: object) -> None:
    assert _rejected(row).trade_id is None


def test_a_rejection_keeps_a_readable_id_and_no_other() -> None:
    assert _rejected(_row(trade_id="bad", price=65)).trade_id == "bad"
    assert _rejected(_row(trade_id="a\x00", price=65)).trade_id is None


def test_a_rejections_digest_tells_repetitions_apart() -> None:
    first, again = _rejected(_row(trade_id="bad", price=65)), _rejected(_row(price=65, trade_id="bad"))
    other = _rejected(_row(trade_id="bad", price=66))
    assert first.digest == again.digest != other.digest
    assert len(first.digest) == 16


def test_a_number_of_five_thousand_digits_spoils_its_own_trade_only() -> None:
    body = json.dumps([_row(trade_id="a"), _row(trade_id="b", quantity="N")]).replace('"N"', "9" * 5000)
    read = trades_from(body.encode())
    assert [trade.trade_id for trade in read.trades] == ["a"]
    assert [rejected.trade_id for rejected in read.rejected] == ["b"]


@pytest.mark.parametrize("depth", [500, 900, 5_000, 200_000])
def test_deep_nesting_is_rejected_or_malformed_but_never_a_crash(depth: int) -> None:
    body = json.dumps([_row(), _row(trade_id="N")]).replace('"N"', "[" * depth + "]" * depth)
    try:
        assert len(trades_from(body.encode()).rejected) == 1
    except SourceMalformed as error:
        assert error.field == "body"  # noqa: PT017 - either is an honest answer


def test_a_repeated_row_comes_once() -> None:
    read = _trades(_row(), _row(), _row(mood="other"))
    assert (len(read.trades), read.rejected) == (1, ())


def test_an_id_with_two_stories_keeps_the_first() -> None:
    read = _trades(_row(price=0.65), _row(price=0.66))
    assert [trade.price for trade in read.trades] == [Decimal("0.65")]
    assert [rejected.trade_id for rejected in read.rejected] == ["abc123"]
    assert "twice in one list" in read.rejected[0].problem


def _ids(*listed: tuple[str, float]) -> list[str]:
    return [trade.trade_id for trade in _trades(*(_row(trade_id=i, timestamp=1.7e9 + t) for i, t in listed)).trades]


def test_trades_come_out_oldest_first_from_a_list_in_either_order() -> None:
    assert _ids(("c", 3), ("b", 2), ("a", 1)) == ["a", "b", "c"]
    assert _ids(("a", 1), ("b", 2), ("c", 3)) == ["a", "b", "c"]


def test_the_order_is_the_lists_where_the_bots_clock_jumped() -> None:
    assert _ids(("c", -3600), ("b", 2), ("a", 1)) == ["a", "b", "c"]
    assert _ids(("d", 4), ("c", 3), ("b", 31_536_000), ("a", 1)) == ["a", "b", "c", "d"]
    assert _ids(("d", 4), ("c", 86_403), ("b", 2), ("a", 1)) == ["a", "b", "c", "d"]


def test_of_the_same_time_the_later_row_is_older_unless_the_list_rises() -> None:
    assert _ids(("c", 2), ("b", 2), ("a", 1)) == ["a", "b", "c"]
    assert _ids(("b", 1), ("a", 1)) == ["a", "b"]
    assert _ids(("a", 1), ("b", 1), ("c", 2)) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["1796062621.75", "2026-11-30T12:17:01.750-06:00"])
def test_a_time_may_be_text(text: str) -> None:
    assert _one(timestamp=text).timestamp == 1796062621.75


@pytest.mark.parametrize("text", ["1796062621750", "1796062621.75s", "-1796062621", "1e9", "9999999999", "١٧٩٦٠٦٢٦٢١"])
def test_a_text_that_is_no_time_is_rejected(text: str) -> None:
    read = trades_from(json.dumps([_row(timestamp=text)]).encode())

    assert (read.trades, read.rejected[0].problem.partition(":")[0]) == ((), "timestamp")


def test_the_list_may_stand_in_an_object() -> None:
    assert len(trades_from(json.dumps({"trades": [_row()], "count": 1}).encode()).trades) == 1
    assert trades_from(b"[]") == BotTrades((), ())


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html><body>502</body></html>", b'[{"trade_id": "abc', b"null", b"5", b'"x"', b"{}"),
        *(b'{"trades":{}}', b'{"trades":null}', b"\xff\xfe\x00", b"[" * 300_000),
    ],
)
def test_a_bad_envelope_is_malformed(body: bytes) -> None:
    with pytest.raises(SourceMalformed, match="bot: /trades: expected"):
        trades_from(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*CONTRACT, "outcome", "fee"]), inner),
        max_leaves=30,
    )
)
def test_no_row_whatever_breaks_the_list(row: object) -> None:
    read = _trades(_row(trade_id="good"), row)
    assert read.trades[-1].trade_id == "good" or read.trades[0].trade_id == "good"
    assert len(read.trades) + len(read.rejected) == 2


def test_a_healthy_bot_says_so() -> None:
    body = b'{"status":"alive","trade_count":7,"started_at":"2026-11-21T07:00:00Z"}'
    assert health_from(body) == BotHealth(alive=True, trade_count=7, started_at="2026-11-21T07:00:00Z")


@pytest.mark.parametrize(
    ("body", "health"),
    [
        (b"{}", BotHealth(True, None, None)),
        (b'{"status":"OK","trade_count":-1,"started_at":""}', BotHealth(True, None, None)),
        (b'{"status":"stopping","trade_count":true,"started_at":[]}', BotHealth(False, None, None)),
        (b'{"status":5,"trade_count":"7","started_at":1698676800}', BotHealth(False, None, "1698676800")),
        (b'{"status":"alive","trade_count":1.5,"started_at":"a\\u0000b"}', BotHealth(True, None, "a b")),
    ],
)
def test_health_survives_every_shape(body: bytes, health: BotHealth) -> None:
    assert health_from(body) == health


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"null"])
def test_health_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(SourceMalformed, match="bot: /health: expected"):
        health_from(body)


def test_status_tells_mode_strategy_positions_and_the_last_error() -> None:
    body = {"mode": "PAPER", "strategy": "momentum", "positions": [{"ticker": "A"}], "last_error": None, "more": 1}
    status = status_from(json.dumps(body).encode())
    assert (status.mode, status.strategy, status.last_error) == ("paper", "momentum", None)
    assert status.positions == ({"ticker": "A"},)
    assert status.raw["more"] == 1


def test_status_survives_nonsense() -> None:
    status = status_from(b'{"mode":5,"strategy":["x"],"positions":"none","last_error":"a\\nb"}')
    assert (status.mode, status.strategy, status.positions, status.last_error) == (None, None, (), "a b")
    assert len(status_from(json.dumps({"last_error": "x" * 10**6}).encode()).last_error or "") == 1000


def test_idle_reasons_are_read_in_both_forms_and_nonsense_is_dropped() -> None:
    listed = ["waiting", {"reason": "too dear", "markets": 3}, {"reason": "b", "markets": -1}, 7, {"markets": 2}, ""]
    status = status_from(json.dumps({"idle_reasons": listed}).encode())
    assert status.idle_reasons == (IdleReason("waiting", None), IdleReason("too dear", 3), IdleReason("b", None))
    assert status_from(b'{"idle_reasons": "none"}').idle_reasons == ()
    assert len(status_from(json.dumps({"idle_reasons": ["x"] * 999}).encode()).idle_reasons) == MAX_REASONS


def test_status_that_is_no_object_is_malformed() -> None:
    with pytest.raises(SourceMalformed, match="bot: /status"):
        status_from(b"[]")
