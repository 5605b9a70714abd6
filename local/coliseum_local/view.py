"""What `make run` shows: a table of what runs where, then the system live; plain lines where stdout is no terminal.

The most important part comes first, because a low terminal cuts off the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from coliseum.trading.trades import Trade
from coliseum_local.observation import Observation
from coliseum_local.supervisor import ServiceStatus

EVENTS_SHOWN = 6


def table(standings: Iterable[ServiceStatus]) -> Table:
    """What runs where."""
    grid = Table(title="Coliseum", title_justify="left", title_style="bold")
    for heading in ("service", "address", "what it is", "pid"):
        grid.add_column(heading)
    for standing in standings:
        pid = standing.keeper.pid if standing.keeper is not None else None
        grid.add_row(standing.service.name, standing.url or "–", standing.note, str(pid or "–"))
    return grid


def links(gateway: str) -> Text:
    lines = (
        f"Live trades  curl -N {gateway}/api/python/sse/trading",
        f"Portfolio    {gateway}/api/python/portfolio/summary",
        f"Leaderboard  {gateway}/api/python/arena/leaderboard",
        f"Documents    {gateway}/docs",
    )
    return Text("\n".join(lines))


class LiveView:
    """The screen of a terminal, redrawn at every look."""

    def __init__(self, console: Console) -> None:
        self._events: list[str] = []
        self._last = Observation()
        self._live = Live(self._screen(), console=console, refresh_per_second=4, auto_refresh=False)

    def open(self) -> None:
        self._live.start()

    def close(self) -> None:
        self._live.stop()

    def event(self, text: str) -> None:
        self._events = [*self._events, f"{_clock()} {text}"][-EVENTS_SHOWN:]

    def show(self, observation: Observation) -> None:
        self._last = observation
        self._live.update(self._screen(), refresh=True)

    def _screen(self) -> RenderableType:
        hint = "Ctrl-C stops everything; the state stays"
        parts = [Panel(_facts(self._last), subtitle=hint, subtitle_align="left")]
        if self._events:
            parts.append(Panel(Text("\n".join(self._events)), title="events", title_align="left"))
        return Group(*parts, _trades(self._last.trades))


class PlainView:
    """Lines for a log: what changed, and a summary now and then."""

    SUMMARY_EVERY = 60

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_state: tuple[bool, str | None] | None = None
        self._seen: set[str] = set()
        self._looks = 0

    def open(self) -> None:
        """Nothing to set up."""

    def close(self) -> None:
        """Nothing to put back."""

    def event(self, text: str) -> None:
        self._print(text)

    def show(self, observation: Observation) -> None:
        state = observation.bot_alive, observation.mode_warning
        if state != self._shown_state:
            self._shown_state = state
            self._print(f"bot {_bot(observation)}")
        for trade in reversed(observation.trades):
            if trade.trade_id not in self._seen:
                self._print("trade " + " ".join(_trade_cells(trade)))
        self._seen = {trade.trade_id for trade in observation.trades} or self._seen
        if self._looks % self.SUMMARY_EVERY == 0:
            self._print(" · ".join(" ".join(line.split()) for line in _facts(observation).plain.splitlines()))
        self._looks += 1

    def _print(self, text: str) -> None:
        self._console.print(f"{_clock()} {text}", markup=False, highlight=False, soft_wrap=True)


def _facts(observation: Observation) -> Text:
    lines = [
        f"bot          {_bot(observation)}",
        *(_schedule(schedule) for schedule in observation.schedules),
        f"streams      {_or_unknown(observation.streams_open)} open",
        f"redis        {_or_unknown(observation.commands)} commands billed",
    ]
    return Text("\n".join(lines))


def _bot(observation: Observation) -> str:
    """Always with the mode, paper or live, and with the age of that where the bot does not answer now."""
    problems = (f"WARNING: {observation.mode_warning}" if observation.mode_warning else None, observation.bot_problem)
    problem = "".join(f"; {text}" for text in problems if text)
    if observation.bot_alive:
        parts = (
            ()
            if observation.bot is None
            else (observation.bot.mode or "mode not known", observation.bot.strategy or "")
        )
        return " ".join(("online", *parts)).rstrip() + problem
    if observation.mode is None or observation.mode_age_seconds is None:
        return f"offline, mode not known{problem}"
    return f"offline, {observation.mode} when it last answered {_ago(observation.mode_age_seconds)} ago{problem}"


def _ago(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _schedule(schedule: dict[str, Any]) -> str:
    result = schedule.get("last_result")
    counts = result.items() if isinstance(result, dict) else ()
    figures = ", ".join(f"{name} {value}" for name, value in counts if type(value) is int and value)
    runs = f"{schedule['function']:<14}{schedule['fired']} runs, {schedule['failed']} failed"
    return f"{runs}; last: {figures}" if figures else runs


def _trades(trades: Sequence[Trade]) -> Table:
    grid = Table(title="last trades", title_justify="left")
    for heading in ("time", "side", "quantity", "ticker", "price"):
        grid.add_column(heading)
    for trade in trades:
        grid.add_row(*map(Text, _trade_cells(trade)))
    return grid


def _trade_cells(trade: Trade) -> list[str]:
    time = datetime.fromtimestamp(trade.timestamp, UTC).strftime("%H:%M:%S")
    side = " ".join((trade.side.value, *([trade.outcome.value] if trade.outcome is not None else [])))
    return [time, side, f"{trade.quantity.normalize():f}", trade.ticker, f"{trade.price.normalize():f}"]


def _or_unknown(value: int | None) -> str:
    return "?" if value is None else str(value)


def _clock() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")
