"""Claims about agents: what is claimed, of which events, and when it is decided. Pure, without numpy.

A claim is registered before the events that decide it. It is public at once and is never changed. The verdict comes
from `scoring.claim_verdicts`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from coliseum.arena.calendar import HORIZONS, LATE_RESULTS, season_span
from coliseum.arena.forecasts import Track, canonical, seal
from coliseum.arena.slice_labels import outcome_labels, price_labels
from coliseum.errors import InvalidInput

METRIC = "skill"
MARKET = "market"
"""The other side of a claim about skill above or below the market's price."""
SEVERAL_CLAIMS = (
    "Each claim has its own 5 %: of 40 false claims about one is supported by luck. So the number of claims counts too."
)
SLICES = ("category", "horizon", "price", "outcomes")
"""Kinds of slices that a claim can be about. Which cells are in them is known when a question is asked."""
FIXED_LABELS: Mapping[str, tuple[str, ...]] = {
    "horizon": tuple(label for label, _ in HORIZONS),
    "price": price_labels(),
    "outcomes": outcome_labels(),
}
"""The slices of each kind that the arena has, for the kinds whose labels are known beforehand."""
LEAST_COUNT = 10
"""Below so many clusters no interval is possible."""
MOST_COUNT = 1_000_000
LONGEST_TEXT = 500
LONGEST_NAME = 200

_FIELDS = ("agent", "metric", "against", "direction", "threshold", "population", "stopping", "text")
_POPULATION = ("season", "track", "slice", "since")


class StoppingRule(StrEnum):
    """When a claim is decided."""

    EVERY_LOOK = "every_look"
    """At the first cluster of events after which the confidence sequence leaves the threshold."""
    DATE = "date"
    """Once, over the clusters that are due by a time."""
    CLUSTERS = "clusters"
    """Once, over the first so many clusters in due order."""
    EVENTS = "events"
    """Once, over the first clusters in due order that have so many events together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim about the mean skill of an agent."""

    agent: str
    against: str
    """`market`, or another agent: its forecasts take the place of the price."""
    direction: str
    """`above` or `below` the threshold."""
    threshold: float
    season: str | None
    """None only in a file."""
    track: str | None
    slice: str | None
    since: datetime | None
    """Only events that are first asked at this time or later count. None: from the registration."""
    rule: StoppingRule
    look_at: datetime | None
    count: int | None
    text: str

    @property
    def document(self) -> dict[str, Any]:
        """What the seal covers, with JSON types only. Fields without a value are absent."""
        population = {"season": self.season, "track": self.track, "slice": self.slice, "since": _text(self.since)}
        stopping = {"rule": self.rule.value, "at": _text(self.look_at), "count": self.count}
        return {
            "agent": self.agent,
            "metric": METRIC,
            "against": self.against,
            "direction": self.direction,
            "threshold": self.threshold,
            "population": {name: value for name, value in population.items() if value is not None},
            "stopping": {name: value for name, value in stopping.items() if value is not None},
            "text": self.text,
        }

    @property
    def canonical(self) -> str:
        """The sealed text: JSON with sorted keys, no white space, ASCII only."""
        return canonical(self.document).decode()

    @property
    def seal(self) -> str:
        """sha256 of the canonical text, in hex."""
        return seal(self.document)

    @property
    def claim_id(self) -> str:
        return self.seal[:16]

    @property
    def statement(self) -> str:
        """The claim as a sentence."""
        other = "the market" if self.against == MARKET else self.against
        among = f" in {self.slice}" if self.slice else ""
        if self.threshold == 0:
            return f"{self.agent} is {'better' if self.direction == 'above' else 'worse'} than {other}{among}"
        return f"the skill of {self.agent} against {other} is {self.direction} {self.threshold:+g}{among}"


def claim_from(value: object) -> Claim:
    """The claim in a JSON value. Raises InvalidInput, which names the field, for anything that is not a claim."""
    fields = _object(value, "claim", known=_FIELDS, required=("agent", "direction", "population", "stopping", "text"))
    population = _object(fields["population"], "population", known=_POPULATION)
    if fields.get("metric", METRIC) != METRIC:
        expected = f'"{METRIC}", the only metric with an interval that a claim can rest on'
        raise InvalidInput("metric", fields["metric"], expected)
    agent, against = _name(fields["agent"], "agent"), _name(fields.get("against", MARKET), "against")
    if agent == against:
        raise InvalidInput("against", against, '"market", or an agent other than the one that the claim is about')
    rule, look_at, count = _stopping(fields["stopping"])
    return Claim(
        agent=agent,
        against=against,
        direction=_one_of(fields["direction"], "direction", ("above", "below")),
        threshold=_threshold(fields.get("threshold", 0)),
        season=_season(population.get("season")),
        track=None if population.get("track") is None else _one_of(population["track"], "track", [*Track]),
        slice=_slice(population.get("slice")),
        since=None if population.get("since") is None else _time(population["since"], "since"),
        rule=rule,
        look_at=look_at,
        count=count,
        text=_words(fields["text"]),
    )


def check_registration(claim: Claim, now: datetime) -> None:
    """Raises InvalidInput unless the claim can be registered in the arena at `now`, and decided there."""
    if claim.season is None or claim.track is None:
        field = "season" if claim.season is None else "track"
        raise InvalidInput(field, None, "a season such as 2026Q4 and a track (blind or aware) in population")
    season_end = season_span(claim.season)[1]
    if season_end <= now:
        raise InvalidInput("season", claim.season, "a season that is not over, because only later events count")
    if claim.since is not None and not now < claim.since < season_end:
        raise InvalidInput("since", _text(claim.since), "a time in the future, before the end of the season")
    last = season_end + LATE_RESULTS - timedelta(days=1)
    if claim.look_at is not None and not now < claim.look_at <= last:
        expected = f"a time in the future, until {_text(last)}, when the season's last leaderboards are made"
        raise InvalidInput("at", _text(claim.look_at), expected)
    kind, _, label = (claim.slice or "").partition(":")
    known = FIXED_LABELS.get(kind, (label,))
    if label not in known:
        raise InvalidInput("slice", claim.slice, f"one of {', '.join(f'{kind}:{name}' for name in known)}")


def registered_claim(value: object) -> tuple[Claim, datetime]:
    """The claim of a file and its registration.

    Raises InvalidInput as `claim_from` does, and without a registration.
    """
    if not isinstance(value, Mapping) or value.get("registered_at") is None:
        shown = sorted(value) if isinstance(value, Mapping) else value
        expected = "registered_at, the time at which the claim was made: only rows due after it count"
        raise InvalidInput("claim", shown, expected)
    registered_at = _time(value["registered_at"], "registered_at")
    claim = claim_from({name: part for name, part in value.items() if name != "registered_at"})
    if claim.look_at is not None and claim.look_at <= registered_at:
        raise InvalidInput("at", _text(claim.look_at), "a time after registered_at")
    if claim.since is not None and claim.since <= registered_at:
        raise InvalidInput("since", _text(claim.since), "a time after registered_at; without it all later rows count")
    return claim, registered_at


def claim_of_text(text: str) -> Claim:
    """The claim of a sealed text."""
    return claim_from(json.loads(text))


def chain_after(previous: str, claim_seal: str, registered_at: datetime) -> str:
    """The chain value of a claim: sha256 of the one before, the seal, and the time of registration, a line each."""
    moment = registered_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return hashlib.sha256(f"{previous}\n{claim_seal}\n{moment}".encode()).hexdigest()


def _object(value: object, field: str, *, known: Iterable[str], required: Iterable[str] = ()) -> Mapping[str, Any]:
    known = tuple(known)
    if not isinstance(value, Mapping):
        raise InvalidInput(field, value, f"an object with {', '.join(known)}")
    if unknown := sorted(str(name) for name in value.keys() - set(known)):
        raise InvalidInput(field, unknown[0], f"only the fields {', '.join(known)}")
    if missing := [name for name in required if value.get(name) is None]:
        raise InvalidInput(field, sorted(map(str, value)), f"the field {missing[0]}")
    return value


def _stopping(value: object) -> tuple[StoppingRule, datetime | None, int | None]:
    names = [*StoppingRule]
    fields = _object(value, "stopping", known=("rule", "at", "count"), required=("rule",))
    rule = StoppingRule(_one_of(fields["rule"], "rule", names))
    at, count = fields.get("at"), fields.get("count")
    needs = {StoppingRule.EVERY_LOOK: (False, False), StoppingRule.DATE: (True, False)}.get(rule, (False, True))
    for name, given, needed in (("at", at, needs[0]), ("count", count, needs[1])):
        if needed != (given is not None):
            wanted = f"{name} beside rule {rule}" if needed else f"no {name} beside rule {rule}"
            raise InvalidInput(f"stopping.{name}", given, wanted)
    return rule, None if at is None else _time(at, "at"), None if count is None else _count(count)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not LEAST_COUNT <= value <= MOST_COUNT:
        raise InvalidInput("count", value, f"a whole number from {LEAST_COUNT} to {MOST_COUNT:,}")
    return value


def _threshold(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or abs(value) >= 1:
        raise InvalidInput("threshold", value, "a number between -1 and 1: skill is a difference of Brier scores")
    return float(value) + 0.0


def _name(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise InvalidInput(field, value, f"the name of an agent, of at most {LONGEST_NAME} characters")
    return value


def _words(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_TEXT or not value.isprintable():
        raise InvalidInput("text", value, f"what is claimed and why, in one line of at most {LONGEST_TEXT} characters")
    return value.strip()


def _one_of(value: object, field: str, names: Iterable[str]) -> str:
    names = [str(name) for name in names]
    if not isinstance(value, str) or value not in names:
        raise InvalidInput(field, value, "one of " + ", ".join(names))
    return value


def _season(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else ""
    year, _, quarter = text.partition("Q")
    if not (len(year) == 4 and year.isascii() and year.isdigit() and year > "0000" and quarter in {"1", "2", "3", "4"}):
        raise InvalidInput("season", value, "a quarter such as 2026Q4")
    return text


def _slice(value: object) -> str | None:
    if value is None:
        return None
    kind, colon, label = value.partition(":") if isinstance(value, str) else ("", "", "")
    if (
        kind not in SLICES
        or not colon
        or not 0 < len(label) <= LONGEST_NAME
        or not label.isprintable()
        or (label != label.strip())
    ):
        shown = ", ".join(f"{name}:…" for name in SLICES)
        raise InvalidInput(
            "slice", value, f"one of {shown}, as in a report. Other slices can change after the forecast"
        )
    return f"{kind}:{label}"


def _time(value: object, field: str) -> datetime:
    """A time with its zone. TOML has times of its own; a date is its first instant in UTC."""
    moment: datetime | None = None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year <= 9998:
        raise InvalidInput(field, str(value), "an RFC 3339 time with its zone, such as 2027-01-01T00:00:00Z")
    return moment.astimezone(UTC)


def _text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, with a fraction only if there is one."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
