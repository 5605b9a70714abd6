"""A request is understood completely, or refused by the name of what is wrong with it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.feed.entries import Entry, EntryId, EntryKind
from coliseum.streaming.subscription import (
    STREAMS,
    Earliest,
    Now,
    Resume,
    Selection,
    Since,
    parse_query,
    parse_subscription,
    series_of,
)

NOON_MS = 1_795_262_400_000
ID = EntryId(1698676800123, 42)


@pytest.mark.parametrize(
    ("query", "header", "begin"),
    [
        (b"", None, Now()),
        (b"", "", Now()),
        (b"since=now", None, Now()),
        (b"since=earliest", None, Earliest()),
        (b"since=1698676800123-42", None, Resume(ID)),
        (b"last_event_id=1698676800123-42&since=now", None, Resume(ID)),
        (b"last_event_id=1-1&since=earliest", "1698676800123-42", Resume(ID)),
        (b"since=-15m", None, Since(NOON_MS - 900_000)),
        (b"since=-30s", None, Since(NOON_MS - 30_000)),
        (b"since=-9999999d", None, Since(0)),
        (b"since=2026-11-21T12:00:00Z", None, Since(NOON_MS)),
        (b"since=2026-11-21T13:00:00%2B01:00", None, Since(NOON_MS)),
        (b"since=2026-11-21T13:00:00+01:00", None, Since(NOON_MS)),
        (b"since=2026-11-21t12:00:00.250z", None, Since(NOON_MS + 250)),
        (b"since=", None, Now()),
    ],
)
def test_the_beginning_is_the_header_else_last_event_id_else_since(
    query: bytes, header: str | None, begin: object
) -> None:
    """SSE-050, SSE-051."""
    assert parse_subscription("trading", parse_query(query), header, now_ms=NOON_MS).start == begin


@pytest.mark.parametrize(
    "cursor",
    [
        "abc", "1", "-1-1", "1-", "1--1", "01-1", "1-1 ", " 1-1", "1-1\n", "1-1\0", "1.0-1", "1e3-1", "٣-٣",
        "99999999999999999-1", "1-1\r\nX: y", pytest.param("x" * 10_000_000, id="ten megabytes"), "$", "+", "*", "null",
    ],
)  # fmt: skip
def test_a_malformed_cursor_is_refused_by_name_and_never_echoed_at_length(cursor: str) -> None:
    """SSE-052."""
    with pytest.raises(InvalidInput, match="Last-Event-ID") as caught:
        parse_subscription("trading", {}, cursor, now_ms=NOON_MS)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"since=yesterday", "since"),
        (b"since=2026-11-21T12:00:00", "since"),
        (b"since=2026-11-21T12:00:00%0AZ", "since"),
        (b"since=2026-11-21x12:00:00Z", "since"),
        (b"since=2026-02-30T12:00:00Z", "since"),
        (b"since=0001-01-01T00:00:00%2B01:00", "since"),
        (b"since=9999-12-31T23:59:59-01:00", "since"),
        (b"since=2026-13-41T12:00:00Z", "since"),
        (b"since=-0m", "since"),
        (b"since=-5y", "since"),
        (b"since=-15m%0a", "since"),
        (b"since=now&since=now", "since"),
        (b"last_event_id=now", "last_event_id"),
        (b"ticker=A%0d%0aX:y", "ticker"),
        (b"ticker=A%00", "ticker"),
        (b"ticker=A%0a", "ticker"),
        (b"series=A%0a", "series"),
        (b"ticker=" + b"A" * 65, "ticker"),
        (b"tickers=" + b",".join(b"T%d" % n for n in range(51)), "ticker"),
        (b"ticker=" + b"A," * 5000, "ticker"),
        (b"series=a%20b", "series"),
        (b"events=trade", "events"),
        (b"events=heartbeat", "events"),
        (b"snapshot=maybe", "snapshot"),
        (b"strict=yes", "strict"),
        (b"x=%ff", "query"),
        (b"\xff", "query"),
        (b"x" * 20_000, "query"),
        (b"&".join(b"a%d=1" % n for n in range(200)), "query"),
    ],
)
def test_a_malformed_query_is_refused_by_name(query: bytes, field: str) -> None:
    """SSE-053."""
    with pytest.raises(InvalidInput) as caught:
        parse_subscription("trading", parse_query(query), None, now_ms=NOON_MS)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["monday", "yesterday"])
def test_an_invalid_start_point_is_refused_with_every_valid_form(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"since: got '\w+', expected now, earliest, an event id .* -15m$"):
        parse_subscription("trading", {"since": [text]}, None, now_ms=NOON_MS)


@given(st.binary(max_size=60), st.none() | st.text(max_size=30))
def test_any_bytes_are_understood_or_refused(query: bytes, header: str | None) -> None:
    with suppress(InvalidInput):
        parse_subscription("trading", parse_query(query), header, now_ms=NOON_MS)


def test_filters_come_from_ticker_and_tickers_with_blanks_allowed() -> None:
    """SSE-041."""
    query = parse_query(b"ticker=A-1,B-2&ticker=%20C-3%20,&tickers=D-4")
    selection = parse_subscription("trading", query, None, now_ms=0).selection
    assert selection.tickers == {"A-1", "B-2", "C-3", "D-4"}


def test_events_narrow_the_preset_and_cannot_widen_it() -> None:
    """SSE-040, SSE-041."""
    assert parse_subscription("trading", parse_query(b"events=new_trades"), None, now_ms=0).selection.kinds == {
        EntryKind.TRADE
    }
    with pytest.raises(InvalidInput, match="events"):
        parse_subscription("trades", parse_query(b"events=bot_status"), None, now_ms=0)


def test_the_presets_are_the_contracts() -> None:
    """SSE-040."""
    assert (
        STREAMS["trades"] == STREAMS["portfolio"] == {EntryKind.TRADE, EntryKind.TRADE_CORRECTED, EntryKind.SOURCE_GAP}
    )
    assert STREAMS["status"] == {EntryKind.BOT_STATUS, EntryKind.EXCHANGE_CHANGED, EntryKind.ALERT}
    assert STREAMS["trading"] == STREAMS["trades"] | STREAMS["status"] | {EntryKind.TRADE_CONTEXT}
    assert frozenset().union(*STREAMS.values()) == frozenset(EntryKind) - {EntryKind.LATER}


def test_status_and_trading_carry_changes_of_the_exchange() -> None:
    """SSE-038: whatever the ticker filter, because a change concerns every market."""
    change = entry(None, EntryKind.EXCHANGE_CHANGED)
    carried = {
        name
        for name in STREAMS
        if parse_subscription(name, parse_query(b"ticker=KXA-1"), None, now_ms=0).selection.takes(change)
    }
    assert carried == {"status", "trading"}


def test_status_and_trading_carry_alerts() -> None:
    """SSE-039: whatever the ticker filter, because an alert concerns the operator."""
    alert = entry(None, EntryKind.ALERT)
    carried = {
        name
        for name in STREAMS
        if parse_subscription(name, parse_query(b"ticker=KXA-1"), None, now_ms=0).selection.takes(alert)
    }
    assert carried == {"status", "trading"}


def entry(ticker: str | None, kind: EntryKind = EntryKind.TRADE) -> Entry:
    return Entry(ID, kind, {} if ticker is None else {"ticker": ticker})


@pytest.mark.parametrize(
    ("tickers", "series", "ticker", "taken"),
    [
        ((), (), "A-1", True),
        (("A-1",), (), "A-1", True),
        (("A-1",), (), "A-12", False),
        ((), ("A",), "A-1", True),
        ((), ("A",), "AB-1", False),
        (("B-2",), ("A",), "A-1", True),
        (("B-2",), ("A",), "B-2", True),
        (("B-2",), ("A",), "C-3", False),
        (("B-2",), (), None, True),
    ],
)
def test_a_market_is_taken_by_its_ticker_or_by_its_series(
    tickers: tuple[str, ...], series: tuple[str, ...], ticker: str | None, taken: bool
) -> None:
    """SSE-041."""
    selection = Selection(STREAMS["trading"], frozenset(tickers), frozenset(series))
    assert selection.takes(entry(ticker)) is taken
    assert selection.takes(entry(ticker, EntryKind.FORECAST)) is False


def test_an_entry_about_several_markets_is_taken_for_any_of_them() -> None:
    """SSE-041."""
    forecast = Entry(EntryId(1, 1), EntryKind.FORECAST, {"tickers": ["A-1", "B-2"]})
    taken = [
        Selection(STREAMS["arena"], frozenset(tickers), frozenset(series)).takes(forecast)
        for tickers, series in ([("B-2",), ()], [(), ("A",)], [(), ()], [("C-3",), ("D",)])
    ]
    assert taken == [True, True, True, False]


def test_the_series_is_what_stands_before_the_first_hyphen() -> None:
    assert (series_of("KXHIGHNY-26NOV21-B45"), series_of("PLAIN")) == ("KXHIGHNY", "PLAIN")


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        (Selection(STREAMS["trades"]), Selection(STREAMS["trading"]), True),
        (Selection(STREAMS["trading"]), Selection(STREAMS["trades"]), False),
        (Selection(STREAMS["trades"], frozenset({"A-1"})), Selection(STREAMS["trades"]), True),
        (Selection(STREAMS["trades"]), Selection(STREAMS["trades"], frozenset({"A-1"})), False),
        (
            Selection(STREAMS["trades"], frozenset({"A-1"})),
            Selection(STREAMS["trades"], frozenset({"A-1", "B-1"})),
            True,
        ),
        (
            Selection(STREAMS["trades"], frozenset({"A-1"})),
            Selection(STREAMS["trades"], frozenset(), frozenset({"A"})),
            True,
        ),
        (
            Selection(STREAMS["trades"], frozenset(), frozenset({"A"})),
            Selection(STREAMS["trades"], frozenset({"A-1"})),
            False,
        ),
    ],
)
def test_one_selection_lies_within_another(inner: Selection, outer: Selection, within: bool) -> None:
    assert inner.within(outer) is within
