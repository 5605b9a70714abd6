"""What the sandbox exchange lists: two dozen series in a dozen categories, each on a fixed rolling schedule.

Event number k of a series opens at k × `every` + `phase` unix seconds and closes `lifetime` seconds later. With a
lifetime of at least `every`, one event is always open. Seed, series and k decide everything about an event, so that it
can be drawn again after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from random import Random
from types import MappingProxyType

from coliseum.trading.fees import FeeType
from coliseum_local.exchange.listing import EventListing, SandboxEvent, SandboxMarket, SandboxSeries
from coliseum_local.exchange.outcome_process import ChoiceProcess, NumberProcess, OutcomeProcess, draw_name

MINUTE, HOUR, DAY = 60, 3600, 86_400
CRYPTO, SPORTS = 2, 3
"""`exchange_index` of these categories."""
SHORT_SERIES_ACTIVITY = 6.0
"""Markets that end within minutes are traded more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikeLadder:
    """Markets on one number: "above K" for several strikes or, with `brackets`, "between" neighbouring strikes."""

    level: float
    spread: float
    """Standard deviation of the final number at the opening."""
    gap: float
    """Distance between strikes; strikes are multiples of it."""
    rungs: int
    decimals: int
    unit: str
    brackets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateField:
    """One market per candidate; exactly one of them wins."""

    odds: tuple[tuple[str, str, float], ...]
    """(ticker suffix, name, share of the probability)."""
    pick: int | None = None
    """Draw this many candidates for each event, with new shares; None takes all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryQuestion:
    """One yes/no market."""

    chance: float
    """Probability of yes at the opening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTemplate:
    """What the events of a series are like. `every`, `lifetime` and `phase` are in seconds."""

    series: SandboxSeries
    question: str
    """The event's title; {date} becomes the close."""
    every: int
    lifetime: int
    settlement_seconds: int
    """From the determination to the payment."""
    shape: StrikeLadder | CandidateField | BinaryQuestion
    structure: str = "linear_cent"
    phase: int = 0
    activity: float = 1.0
    """Factor on the number of visitors and on the size of their orders."""


def _series(ticker: str, title: str, category: str, frequency: str, source: str, **more: object) -> SandboxSeries:
    # A page of the local news server (`coliseum_local.news`), which serves this name on this machine.
    url = "https://news.coliseum.test/desks/" + source.lower().replace(" ", "-")
    defaults: dict[str, object] = {"tags": (category,), **more}
    return SandboxSeries(
        ticker=ticker,
        title=title,
        category=category,
        frequency=frequency,
        source_name=source,
        source_url=url,
        **defaults,  # type: ignore[arg-type]  # the callers below are the only ones
    )


def _duel(names: Sequence[str]) -> CandidateField:
    """Two of the names, drawn for each event."""
    return CandidateField(odds=tuple((name.replace(" ", "")[:3].upper(), name, 1.0) for name in names), pick=2)


def _short(
    ticker: str,
    title: str,
    category: str,
    source: str,
    *,
    question: str,
    shape: StrikeLadder | CandidateField | BinaryQuestion,
    phase: int,
    **more: object,
) -> EventTemplate:
    """A series of events of five minutes that follow each other without overlap."""
    return EventTemplate(
        series=_series(ticker, title, category, "5 minutes", source, **more),
        question=question,
        every=5 * MINUTE,
        lifetime=5 * MINUTE,
        settlement_seconds=5,
        shape=shape,
        phase=phase * MINUTE,
        activity=SHORT_SERIES_ACTIVITY,
    )


_TEAMS = ("Boston", "Denver", "Milwaukee", "Phoenix", "Dallas", "Oklahoma City", "New York", "Sacramento")
_THROWERS = ("Keller", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov")
_PLAYERS = ("Alvarez", "Brandt", "Castelli", "Dvorak", "Ekman", "Fontaine", "Guerra", "Horvat", "Ishida", "Jansen")

_LONG_TEMPLATES: Sequence[EventTemplate] = (
    EventTemplate(
        series=_series(
            "KXBTC5M", "Bitcoin price, 5 minutes", "Crypto", "5 minutes", "Index Desk", exchange_index=CRYPTO
        ),
        question="Bitcoin price at {date}?",
        every=150,
        lifetime=300,
        settlement_seconds=5,
        shape=StrikeLadder(level=96_500, spread=60, gap=50, rungs=3, decimals=2, unit="$"),
        structure="tapered_deci_cent",
        activity=SHORT_SERIES_ACTIVITY,
    ),
    EventTemplate(
        series=_series(
            "KXETH15M", "Ethereum price, 15 minutes", "Crypto", "15 minutes", "Index Desk", exchange_index=CRYPTO
        ),
        question="Ethereum price at {date}?",
        every=15 * MINUTE,
        lifetime=15 * MINUTE,
        settlement_seconds=10,
        shape=StrikeLadder(level=3_400, spread=9, gap=8, rungs=3, decimals=2, unit="$"),
        structure="deci_cent",
        activity=SHORT_SERIES_ACTIVITY,
    ),
    EventTemplate(
        series=_series("KXTENNISSET", "Tennis set winner", "Sports", "custom", "Court Desk", exchange_index=SPORTS),
        question="Set winner, {date}",
        every=4 * MINUTE,
        lifetime=8 * MINUTE,
        settlement_seconds=5,
        shape=_duel(_PLAYERS),
        activity=SHORT_SERIES_ACTIVITY,
    ),
    EventTemplate(
        series=_series(
            "KXNBAGAME",
            "Basketball game",
            "Sports",
            "custom",
            "League Desk",
            exchange_index=SPORTS,
            fee_type=FeeType.QUADRATIC_WITH_MAKER_FEES,
        ),
        question="Game winner, {date}",
        every=6 * HOUR,
        lifetime=12 * HOUR,
        settlement_seconds=60,
        shape=_duel(_TEAMS),
    ),
    EventTemplate(
        series=_series("KXRAINNYC", "Rain in New York, hourly", "Climate and Weather", "hourly", "Weather Desk"),
        question="Will it rain in New York before {date}?",
        every=HOUR,
        lifetime=2 * HOUR,
        settlement_seconds=30,
        shape=BinaryQuestion(chance=0.35),
    ),
    EventTemplate(
        series=_series("KXHIGHNY", "Highest temperature in New York", "Climate and Weather", "daily", "Weather Desk"),
        question="Highest temperature in New York on {date}?",
        every=DAY,
        lifetime=36 * HOUR,
        settlement_seconds=60,
        shape=StrikeLadder(level=54, spread=3, gap=2, rungs=4, decimals=0, unit="°", brackets=True),
    ),
    EventTemplate(
        series=_series(
            "KXINXD", "S&P 500 daily close", "Financials", "daily", "Index Desk", fee_multiplier=Decimal("0.5")
        ),
        question="S&P 500 at {date}?",
        every=DAY,
        lifetime=DAY,
        settlement_seconds=60,
        shape=StrikeLadder(level=6_820, spread=45, gap=25, rungs=3, decimals=2, unit=""),
    ),
    EventTemplate(
        series=_series("KXAPPROVAL", "Presidential approval", "Politics", "weekly", "Poll Desk"),
        question="Presidential approval on {date}?",
        every=7 * DAY,
        lifetime=7 * DAY,
        settlement_seconds=120,
        shape=StrikeLadder(level=42.6, spread=0.8, gap=0.5, rungs=3, decimals=1, unit="%"),
    ),
    EventTemplate(
        series=_series("KXSHUTDOWN", "Government shutdown", "Politics", "monthly", "Records Desk"),
        question="Government shutdown before {date}?",
        every=30 * DAY,
        lifetime=30 * DAY,
        settlement_seconds=120,
        shape=BinaryQuestion(chance=0.3),
    ),
    EventTemplate(
        series=_series("KXCPIYOY", "Inflation", "Economics", "monthly", "Statistics Desk"),
        question="Inflation, year over year, published {date}?",
        every=10 * DAY,
        lifetime=15 * DAY,
        settlement_seconds=120,
        shape=StrikeLadder(level=2.9, spread=0.18, gap=0.1, rungs=3, decimals=2, unit="%"),
    ),
    EventTemplate(
        series=_series(
            "KXFEDDECISION",
            "Central bank decision",
            "Economics",
            "custom",
            "Central Bank",
            fee_type=FeeType.QUADRATIC_WITH_MAKER_FEES,
        ),
        question="Central bank decision on {date}?",
        every=21 * DAY,
        lifetime=21 * DAY,
        settlement_seconds=120,
        shape=CandidateField(
            odds=(
                ("H0", "No change", 0.55),
                ("C25", "Cut 25bps", 0.33),
                ("C50", "Cut more than 25bps", 0.06),
                ("H25", "Hike", 0.06),
            )
        ),
    ),
    EventTemplate(
        series=_series("KXDELIVERIES", "Electric car deliveries", "Companies", "quarterly", "Filings Desk"),
        question="Deliveries reported {date}, in thousands?",
        every=14 * DAY,
        lifetime=14 * DAY,
        settlement_seconds=120,
        shape=StrikeLadder(level=495, spread=14, gap=10, rungs=3, decimals=0, unit="k"),
    ),
)
_SHORT_TEMPLATES: Sequence[EventTemplate] = (
    _short(
        "KXSOL5M",
        "Solana price, 5 minutes",
        "Crypto",
        "Index Desk",
        question="Solana price at {date}?",
        shape=StrikeLadder(level=212, spread=0.5, gap=0.4, rungs=2, decimals=2, unit="$"),
        phase=0,
        exchange_index=CRYPTO,
    ),
    _short(
        "KXNDX5M",
        "Nasdaq-100, 5 minutes",
        "Financials",
        "Index Desk",
        question="Nasdaq-100 at {date}?",
        shape=StrikeLadder(level=25_300, spread=22, gap=20, rungs=2, decimals=2, unit=""),
        phase=1,
        fee_multiplier=Decimal("0.5"),
    ),
    _short(
        "KXDARTSLEG",
        "Darts leg winner",
        "Sports",
        "Board Desk",
        question="Leg winner, {date}",
        shape=_duel(_THROWERS),
        phase=2,
        exchange_index=SPORTS,
    ),
    _short(
        "KXGUST5M",
        "Wind gusts in Chicago, 5 minutes",
        "Climate and Weather",
        "Weather Desk",
        question="Strongest gust in Chicago until {date}?",
        shape=StrikeLadder(level=24, spread=4, gap=4, rungs=1, decimals=0, unit=" mph"),
        phase=3,
    ),
    _short(
        "KXMENTION5M",
        "Words of the daily briefing",
        "Mentions",
        "Records Desk",
        question="Will the speaker say “tariff” before {date}?",
        shape=BinaryQuestion(chance=0.45),
        phase=4,
    ),
    _short(
        "KXDELAY5M",
        "Next departure delayed",
        "Transportation",
        "Flight Desk",
        question="Will the next departure board show a delay before {date}?",
        shape=BinaryQuestion(chance=0.6),
        phase=0,
    ),
    _short(
        "KXVIEWERS5M",
        "Viewers of the night's largest stream",
        "Entertainment",
        "Media Desk",
        question="Viewers at {date}, in thousands?",
        shape=StrikeLadder(level=142, spread=3, gap=3, rungs=1, decimals=0, unit="k"),
        phase=1,
    ),
    _short(
        "KXQUAKE5M",
        "Earthquakes",
        "Science and Technology",
        "Seismic Desk",
        question="Earthquake above magnitude 2.5 anywhere before {date}?",
        shape=BinaryQuestion(chance=0.3),
        phase=2,
    ),
    _short(
        "KXPINGPONG",
        "Table tennis game winner",
        "Sports",
        "Court Desk",
        question="Game winner, {date}",
        shape=_duel(_PLAYERS),
        phase=3,
        exchange_index=SPORTS,
    ),
    _short(
        "KXCHAINFEE5M",
        "Fee of the next block",
        "Crypto",
        "Chain Desk",
        question="Median fee of the block at {date}?",
        shape=StrikeLadder(level=11, spread=1.6, gap=1, rungs=1, decimals=1, unit=" sat"),
        phase=4,
        exchange_index=CRYPTO,
    ),
)
TEMPLATES: Mapping[str, EventTemplate] = MappingProxyType(
    {each.series.ticker: each for each in (*_LONG_TEMPLATES, *_SHORT_TEMPLATES)}
)
"""By series."""
SHORT_SERIES = tuple(each.series.ticker for each in _SHORT_TEMPLATES)


def open_indices(template: EventTemplate, now: float) -> range:
    """Indices of the events that are open now."""
    return range(newest_index(template, now - template.lifetime) + 1, newest_index(template, now) + 1)


def newest_index(template: EventTemplate, now: float) -> int:
    """Index of the event that opened last."""
    return math.floor((now - template.phase) / template.every)


def draw_event(
    template: EventTemplate, index: int, *, seed: str, level: float | None = None
) -> tuple[EventListing, OutcomeProcess]:
    """Event number `index` of a series, with its outcome process at the opening.

    `level` is the number around which a strike ladder is laid; None takes the template's.
    """
    series = template.series
    rng = Random(f"{seed}:{series.ticker}:{index}")
    opens = float(index * template.every + template.phase)
    closes = opens + template.lifetime
    stamp = _stamp(closes, template.every)
    event_ticker = f"{series.ticker}-{stamp}"
    parts, process = _shape(template, event_ticker, opens=opens, closes=closes, rng=rng, level=level)
    date = f"{datetime.fromtimestamp(closes, UTC):%b %d, %H:%M} UTC"
    title = template.question.format(date=date)
    markets = [
        SandboxMarket(
            ticker=ticker,
            event_ticker=event_ticker,
            series_ticker=series.ticker,
            title=title if name == "Yes" else f"{title.rstrip('?')}: {name}?",
            yes_sub_title=name,
            no_sub_title=name,
            rules=f"If the {series.source_name} reports “{name}” for {title.rstrip('?')}, the market resolves to Yes.",
            structure=template.structure,
            created=opens - min(template.every, HOUR),
            updated=opens - min(template.every, HOUR),
            open_time=opens,
            close_time=closes,
            settlement_seconds=template.settlement_seconds,
            exchange_index=series.exchange_index,
            strike_type=strike_type,
            floor_strike=span[0],
            cap_strike=span[1],
        )
        for ticker, name, strike_type, span in parts
    ]
    event = SandboxEvent(
        event_ticker=event_ticker,
        series_ticker=series.ticker,
        title=title,
        sub_title=date,
        mutually_exclusive=isinstance(template.shape, CandidateField)
        or (isinstance(template.shape, StrikeLadder) and template.shape.brackets),
        strike_time=closes,
        created=markets[0].created,
        markets=tuple(market.ticker for market in markets),
    )
    return EventListing(event=event, markets=markets), process


StrikeRange = tuple[float | None, float | None]
MarketPart = tuple[str, str, str | None, StrikeRange]
"""(ticker, name, strike type, (floor, cap))"""


def _shape(
    template: EventTemplate, event: str, *, opens: float, closes: float, rng: Random, level: float | None
) -> tuple[list[MarketPart], OutcomeProcess]:
    shape = template.shape
    if isinstance(shape, StrikeLadder):
        mean = (shape.level if level is None else level) + rng.gauss(0, shape.spread * 0.2)
        return _ladder(shape, event, mean, opens, closes)
    evidence = 4.0 / (closes - opens)
    if isinstance(shape, BinaryQuestion):
        odds = {f"{event}-Y": shape.chance, "": 1 - shape.chance}
        parts: list[MarketPart] = [(f"{event}-Y", "Yes", None, (None, None))]
    else:
        chosen = list(shape.odds)
        if shape.pick is not None:
            chosen = [(suffix, name, rng.uniform(0.6, 1.4)) for suffix, name, _ in rng.sample(chosen, shape.pick)]
        odds = {f"{event}-{suffix}": share for suffix, _, share in chosen}
        parts = [(f"{event}-{suffix}", name, "custom", (None, None)) for suffix, name, _ in chosen]
    total = sum(odds.values())
    weights = {name: math.log(share / total) for name, share in odds.items()}
    return parts, ChoiceProcess(weights=weights, winner=draw_name(odds, rng), evidence=evidence, now=opens, end=closes)


def _ladder(
    shape: StrikeLadder, event: str, mean: float, opens: float, closes: float
) -> tuple[list[MarketPart], OutcomeProcess]:
    middle = round(mean / shape.gap)
    places = max(0, -math.floor(math.log10(shape.gap)))
    first = middle - (shape.rungs - 1) // 2
    strikes = [round((first + rung) * shape.gap, places) for rung in range(shape.rungs)]
    parts = (_brackets if shape.brackets else _thresholds)(shape, event, strikes, places)
    spread = shape.spread / math.sqrt(closes - opens)
    spans = {ticker: span for ticker, _, _, span in parts}
    return parts, NumberProcess(mean=mean, spread=spread, now=opens, end=closes, spans=spans, decimals=shape.decimals)


def _thresholds(shape: StrikeLadder, event: str, strikes: list[float], places: int) -> list[MarketPart]:
    return [
        (f"{event}-T{strike:.{places}f}", f"Above {_amount(shape, strike, places)}", "greater", (strike, None))
        for strike in strikes
    ]


def _brackets(shape: StrikeLadder, event: str, strikes: list[float], places: int) -> list[MarketPart]:
    """ "Below the first", "between neighbours", "above the last": together they cover every number exactly once."""
    borders = strikes[1:]
    low, high = borders[0], borders[-1]
    inner = pairwise(borders)
    return [
        (f"{event}-L{low:.{places}f}", f"{_amount(shape, low, places)} or below", "less_or_equal", (None, low)),
        *(
            (
                f"{event}-B{cap:.{places}f}",
                f"Above {_amount(shape, floor, places)}, up to {_amount(shape, cap, places)}",
                "between",
                (floor, cap),
            )
            for floor, cap in inner
        ),
        (f"{event}-T{high:.{places}f}", f"Above {_amount(shape, high, places)}", "greater", (high, None)),
    ]


def _amount(shape: StrikeLadder, number: float, places: int) -> str:
    text = f"{number:,.{places}f}"
    return f"${text}" if shape.unit == "$" else f"{text}{shape.unit}"


def _stamp(closes: float, every: int) -> str:
    time = datetime.fromtimestamp(closes, UTC)
    return f"{time:%y%b%d}".upper() if every >= DAY else f"{time:%y%b%d%H%M}".upper()
