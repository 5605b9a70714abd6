"""What one client asks for: stream, filters and start point, parsed completely before the first byte. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs

from coliseum.errors import InvalidInput
from coliseum.feed.entries import Entry, EntryId, EntryKind
from coliseum.trading.timestamps import moment_from

MAX_NAMES = 50
"""Tickers or series in one filter."""
_TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_AGE = re.compile(r"-([1-9]\d{0,6})(s|m|h|d)", re.ASCII)
_AGE_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MAX_VALUE_CHARACTERS = 4096

_TRADES = (EntryKind.TRADE, EntryKind.TRADE_CORRECTED, EntryKind.SOURCE_GAP)
STREAMS: Mapping[str, frozenset[EntryKind]] = {
    "trading": frozenset(
        {*_TRADES, EntryKind.BOT_STATUS, EntryKind.TRADE_CONTEXT, EntryKind.EXCHANGE_CHANGED, EntryKind.ALERT}
    ),
    "trades": frozenset(_TRADES),
    "portfolio": frozenset(_TRADES),
    "status": frozenset({EntryKind.BOT_STATUS, EntryKind.EXCHANGE_CHANGED, EntryKind.ALERT}),
    "arena": frozenset(
        {
            EntryKind.ROUND_OPENED,
            EntryKind.FORECAST,
            EntryKind.PAPER_TRADE,
            EntryKind.SETTLED,
            EntryKind.LEADERBOARD_CHANGED,
        }
    ),
}
EVENT_NAMES: Mapping[EntryKind, str] = {
    kind: "new_trades" if kind is EntryKind.TRADE else kind.value for kind in EntryKind if kind is not EntryKind.LATER
}
_FILTERS = frozenset({"ticker", "tickers", "series", "events", "ticket"})
STREAM_PARAMETERS = _FILTERS | {"since", "last_event_id", "snapshot", "strict"}
"""The query parameters of a stream."""
POLL_PARAMETERS = _FILTERS | {"stream", "after", "wait"}
"""Those of the long poll."""
_KINDS = {name: kind for kind, name in EVENT_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries a client gets. Equal selections share their encoded bytes."""

    kinds: frozenset[EntryKind]
    tickers: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()

    def takes(self, entry: Entry) -> bool:
        """Whether the client gets this entry. One without a market passes every ticker filter of its kind."""
        if entry.kind not in self.kinds:
            return False
        if not entry.tickers or not (self.tickers or self.series):
            return True
        return any(ticker in self.tickers or series_of(ticker) in self.series for ticker in entry.tickers)

    def within(self, other: Selection) -> bool:
        """True where `other` takes everything that this one takes."""
        if not self.kinds <= other.kinds:
            return False
        if not (other.tickers or other.series):
            return True
        has_names = bool(self.tickers or self.series)
        tickers_in = all(name in other.tickers or series_of(name) in other.series for name in self.tickers)
        return has_names and tickers_in and self.series <= other.series


@dataclass(frozen=True, slots=True)
class Now:
    """Begin with the next entry that is published."""


@dataclass(frozen=True, slots=True)
class Earliest:
    """Begin with the oldest entry that is still in the log."""


@dataclass(frozen=True, slots=True)
class Since:
    """Begin with the first entry at or after a time."""

    ms: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after this entry, or announce what is missing."""

    after: EntryId


StartPoint = Now | Earliest | Since | Resume


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One client's request."""

    stream: str
    selection: Selection
    start: StartPoint
    snapshot: Literal["auto", "none", "always"] = "auto"
    strict: bool = False
    """Respond with 503 while Redis is down, for clients that can retry by themselves."""


def series_of(ticker: str) -> str:
    """The exchange's series: everything before the first hyphen."""
    return ticker.partition("-")[0]


def parse_query(query_string: bytes) -> dict[str, list[str]]:
    """Names and values. Raises InvalidInput for a query that is too long or is not URL-encoded UTF-8."""
    if len(query_string) > 16_384:
        raise InvalidInput("query", f"{len(query_string)} bytes", "at most 16384 bytes")
    try:
        return parse_qs(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise InvalidInput("query", "…", "an URL-encoded UTF-8 query of at most 100 fields") from None


def parse_subscription(
    stream: str, query: Mapping[str, Sequence[str]], last_event_id: str | None, *, now_ms: int
) -> Subscription:
    """A client's request; `last_event_id` is the header. Raises InvalidInput, naming the field that is malformed."""
    return Subscription(
        stream=stream,
        selection=_selection(stream, query),
        start=_start_point(query, last_event_id, now_ms),
        snapshot=_choice(query, "snapshot", ("auto", "none", "always")),  # type: ignore[arg-type]  # one of these
        strict=_choice(query, "strict", ("0", "1")) == "1",
    )


def single(query: Mapping[str, Sequence[str]], field: str) -> str | None:
    """The one value of a field that may be given once. Raises InvalidInput."""
    values = query.get(field, ())
    if len(values) > 1:
        raise InvalidInput(field, f"{len(values)} values", "one value")
    return values[0] if values else None


START_POINTS = (
    "now, earliest, an event id such as 1698676800123-42, an RFC 3339 time with its offset such as "
    "2026-11-21T12:00:00Z, or an age such as -15m"
)


def parse_start_point(field: str, text: str, now_ms: int) -> StartPoint:
    """`earliest`, `now`, an event id, an RFC 3339 time, or `-15m`. Raises InvalidInput."""
    if text in {"now", "earliest"}:
        return Now() if text == "now" else Earliest()
    age = _AGE.fullmatch(text)
    if age is not None:
        return Since(max(0, now_ms - 1000 * int(age[1]) * _AGE_SECONDS[age[2]]))
    with suppress(ValueError, OverflowError):  # OverflowError: outside the calendar in UTC
        return Since(max(0, int(moment_from(text).astimezone(UTC).timestamp() * 1000)))
    try:
        return Resume(EntryId.parse(text[:80]))
    except InvalidInput:
        raise InvalidInput(field, text[:80], START_POINTS) from None


def _start_point(query: Mapping[str, Sequence[str]], last_event_id: str | None, now_ms: int) -> StartPoint:
    if last_event_id:
        return Resume(_entry_id("Last-Event-ID", last_event_id))
    by_query = single(query, "last_event_id")
    if by_query:
        return Resume(_entry_id("last_event_id", by_query))
    since = single(query, "since")
    return parse_start_point("since", since, now_ms) if since else Now()


def _entry_id(field: str, text: str) -> EntryId:
    try:
        return EntryId.parse(text[:80])
    except InvalidInput as error:
        raise InvalidInput(field, text[:80], error.expected) from None


def _selection(stream: str, query: Mapping[str, Sequence[str]]) -> Selection:
    kinds = STREAMS[stream]
    wanted = _names(query, "events")
    unknown = wanted - {EVENT_NAMES[kind] for kind in kinds}
    if unknown:
        raise InvalidInput("events", min(unknown), f"names among {', '.join(sorted(EVENT_NAMES[k] for k in kinds))}")
    if wanted:
        kinds = frozenset(_KINDS[name] for name in wanted)
    tickers = _names(query, "ticker") | _names(query, "tickers")
    series = _names(query, "series")
    for field, names in (("ticker", tickers), ("series", series)):
        if len(names) > MAX_NAMES:
            raise InvalidInput(field, f"{len(names)} names", f"at most {MAX_NAMES}")
        for name in names:
            if not _TICKER.fullmatch(name):
                raise InvalidInput(field, name, "letters, digits, '.', '_' and '-', at most 64")
    return _shared(Selection(kinds, tickers, series))


@lru_cache(maxsize=64)
def _shared(selection: Selection) -> Selection:
    """One object for equal selections: thousands of clients ask for the same one, and it is a key of many lookups."""
    return selection


def _names(query: Mapping[str, Sequence[str]], field: str) -> frozenset[str]:
    values = query.get(field, ())
    if sum(map(len, values)) > _MAX_VALUE_CHARACTERS:
        raise InvalidInput(field, "…", f"at most {_MAX_VALUE_CHARACTERS} characters")
    # Blanks around a name are allowed. A line break or NUL stays in the name, which is refused then.
    return frozenset(name.strip(" ") for value in values for name in value.split(",") if name.strip(" "))


def _choice(query: Mapping[str, Sequence[str]], field: str, allowed: Sequence[str]) -> str:
    value = single(query, field)
    if value is None:
        return allowed[0]
    if value not in allowed:
        raise InvalidInput(field, value[:80], " or ".join(allowed))
    return value
