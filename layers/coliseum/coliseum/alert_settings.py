"""What an operator writes about alerts: the rules' limits, quiet hours, and the services' addresses. Pure.

The settings are texts, because a Lambda function has room for few variables. Errors never show an address.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

MAX_SERVICES = 20
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_DIGEST_ROUNDS = 20_000


def _limit(default: float | None, *, least: float, most: float, about: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLimits:
    """When each rule raises an alert. None: the rule is off. The unit is the end of the name; `count` is a number."""

    bot_offline_minutes: float | None = _limit(2, least=0, most=1440, about="The bot has been offline for so long.")
    bot_idle_hours: float | None = _limit(24, least=0.1, most=720, about="The bot has not traded for so long.")
    no_poller_minutes: float | None = _limit(3, least=1, most=1440, about="No poller has reported for so long.")
    trades_lost_count: float | None = _limit(1, least=1, most=100_000, about="At least so many trades are lost.")
    fills_differ_minutes: float | None = _limit(
        15, least=5, most=1440, about="A trade has no fill, or a fill no trade, so long after it."
    )
    books_differ_minutes: float | None = _limit(
        10, least=5, most=1440, about="The books and the exchange have had different positions for so long."
    )
    day_loss_percent: float | None = _limit(
        5, least=0.1, most=100, about="The account lost such a share of the day's first equity (UTC), and $10 or more."
    )
    drawdown_percent: float | None = _limit(
        10, least=0.1, most=100, about="Equity is so far below its peak of 30 days."
    )
    exposure_percent: float | None = _limit(
        80, least=1, most=100, about="The positions cost such a share of the equity."
    )
    event_exposure_percent: float | None = _limit(
        50, least=1, most=100, about="The positions in one event cost such a share of the equity."
    )
    closing_hours: float | None = _limit(2, least=0.1, most=720, about="A market with a position closes so soon.")
    exchange_changed_count: float | None = _limit(
        1, least=1, most=1, about="A field of the exchange's answers changed (1), or the rule is off."
    )
    exchange_paused_minutes: float | None = _limit(5, least=1, most=1440, about="Trading has been paused for so long.")
    key_refused_count: float | None = _limit(
        2, least=1, most=60, about="The exchange refused the key so many minutes in a row."
    )
    budget_percent: float | None = _limit(
        80, least=1, most=99, about="The models cost such a share of the day's budget."
    )
    silent_model_count: float | None = _limit(
        1, least=1, most=1, about="A model answered nothing in the last closed round (1), or the rule is off."
    )
    board_rank_count: float | None = _limit(
        None, least=1, most=1, about="Another agent leads the board (1), or the rule is off."
    )


def parse_limits(text: str | None) -> AlertLimits:
    """`name=number` or `name=off`, separated by commas. Raises ValueError that says which name or number is wrong."""
    known = {each.name: each.metadata for each in fields(AlertLimits)}
    values: dict[str, float | None] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in known:
            raise ValueError(f"expected name=number, and the names are {', '.join(known)}; got {part.strip()[:60]!r}")
        if name in values:
            raise ValueError(f"{name} is given twice")
        if value == "off":
            values[name] = None
            continue
        least, most = known[name]["least"], known[name]["most"]
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise ValueError(f"{name}: expected off or a number from {least:g} to {most:g}; got {value[:20]!r}")
        values[name] = float(value)
    return AlertLimits(**values)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` each day in `zone`; over midnight where `end` is not later."""

    begin: time
    end: time
    zone: ZoneInfo

    def end_after(self, now: datetime) -> datetime | None:
        """When the quiet hours that hold `now` end, in UTC; None outside of them."""
        local = now.astimezone(self.zone)
        clock = local.time().replace(tzinfo=None, fold=0)
        over_midnight = self.end <= self.begin
        inside = clock >= self.begin or clock < self.end if over_midnight else self.begin <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and clock >= self.begin else 0)
        return max(now, datetime.combine(day, self.end, self.zone).astimezone(UTC))


def parse_quiet_hours(text: str | None) -> QuietHours | None:
    """`22:00-07:00 Europe/Berlin`. Raises ValueError for another form."""
    if not text:
        return None
    span, _, zone = text.strip().partition(" ")
    begin, hyphen, end = span.partition("-")
    if not hyphen or begin == end:
        raise ValueError("expected two times and a time zone, such as 22:00-07:00 Europe/Berlin")
    return QuietHours(_clock(begin), _clock(end), _zone(zone))


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When the daily digest is sent."""

    at: time
    zone: ZoneInfo

    def due_day_at(self, now: float) -> str:
        """The newest day whose digest is due, as YYYY-MM-DD. `now` in unix seconds."""
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone)
        passed = local.time().replace(tzinfo=None, fold=0) >= self.at
        return (local.date() - timedelta(days=0 if passed else 1)).isoformat()


def parse_digest(text: str | None) -> DigestTime | None:
    """`08:00 Europe/Berlin`. Raises ValueError for another form."""
    if not text:
        return None
    at, _, zone = text.strip().partition(" ")
    return DigestTime(_clock(at), _zone(zone))


def _clock(text: str) -> time:
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError("expected a time such as 07:30, from 00:00 to 23:59")
    return time(int(match[1]), int(match[2]))


def _zone(text: str) -> ZoneInfo:
    try:
        if text.strip() not in {"", "localtime", "posixrules", "Factory"}:
            return ZoneInfo(text.strip())
    except (ValueError, KeyError, OSError):
        pass
    raise ValueError("expected a time zone behind the time, such as UTC or Europe/Berlin")


@dataclass(frozen=True, slots=True)
class AlertService:
    """Where alerts are sent. `name` may be shown and stored, `url` may not."""

    name: str
    url: str = field(repr=False)


def split_addresses(text: str | None) -> tuple[str, ...]:
    """Addresses as Apprise takes them, separated by commas or white space.

    Raises ValueError with the position of a wrong one, counted from 1, and never with the address.
    """
    parts = re.split(r"[\s,]{1,100}(?=[a-z][a-z0-9+.-]{1,30}://)", (text or "").strip(" \t\r\n,"))
    addresses = [part for part in parts if part]
    if len(addresses) > MAX_SERVICES:
        raise ValueError(f"expected at most {MAX_SERVICES} addresses, got {len(addresses)}")
    for position, url in enumerate(addresses, start=1):
        scheme, mark, rest = url.partition("://")
        if not _is_address(scheme, rest) or not mark or not url.isprintable():
            raise ValueError(f"address {position}: expected an address of Apprise, such as tgram://token/chat")
        if url in addresses[: position - 1]:
            raise ValueError(f"address {position}: the same address stands before it")
    return tuple(addresses)


@cache
def parse_services(text: str | None) -> tuple[AlertService, ...]:
    """The addresses with the names of their services, which take a while to compute. Raises as `split_addresses`."""
    return tuple(AlertService(f"{url.partition('://')[0]}-{_digest(url)}", url) for url in split_addresses(text))


def _is_address(scheme: str, rest: str) -> bool:
    """A second scheme may stand behind the question mark only: elsewhere two addresses were not separated."""
    known = _SCHEME.fullmatch(scheme) is not None
    return known and bool(rest) and " " not in rest and "://" not in rest.partition("?")[0]


def _digest(url: str) -> str:
    """Names an address without revealing it: equal for equal addresses, and slow to try out."""
    return hashlib.pbkdf2_hmac("sha256", url.encode(), b"coliseum alert service", _DIGEST_ROUNDS).hex()[:8]
