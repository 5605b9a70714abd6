"""`coliseum replay DIR`: the arena over a recording, in seconds instead of months."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from coliseum.arena.agents.roster import roster
from coliseum.arena.forecasts import Track
from coliseum.arena.replay.recording import FILES, Recording, UnreadableRecording, recording_from
from coliseum.arena.replay.report import ReplayReport, replay_report
from coliseum.arena.replay.season import ReplayContestant, ReplayPlan, play_season
from coliseum.arena.scoring.report import canonical
from coliseum_local.score import WIDTH, put, show
from coliseum_local.text_files import UnreadableFile

SANDBOX = ReplayPlan(every=timedelta(minutes=3), open_for=timedelta(minutes=1))
"""Sandbox markets live for minutes."""
KALSHI = ReplayPlan(every=timedelta(hours=1), open_for=timedelta(minutes=10))


def replay(
    folder: Path,
    *,
    every_seconds: int | None,
    open_for_seconds: int | None,
    markets: int,
    draws: int,
    as_json: bool,
    output: Path | None,
) -> int:
    """The exit code: 0, or 1 after telling what is wrong with the recording."""
    try:
        recording = read(folder)
        plan = _plan(recording.exchange, every_seconds, open_for_seconds, markets)
        outcome = replay_report(recording, play_season(recording, players(), plan), plan, draws=draws)
        text = canonical({**outcome.body, "digest": outcome.digest})
        put(text + "\n", output)
    except (UnreadableRecording, UnreadableFile) as error:
        print(error, file=sys.stderr)
        return 1
    for problem in outcome.body["problems"]:
        print(problem, file=sys.stderr)
    if as_json:
        print(text)
    else:
        _show(outcome)
    return 0


def _plan(exchange: str, every_seconds: int | None, open_for_seconds: int | None, markets: int) -> ReplayPlan:
    usual = SANDBOX if exchange == "sandbox" else KALSHI
    return ReplayPlan(
        every=usual.every if every_seconds is None else timedelta(seconds=every_seconds),
        open_for=usual.open_for if open_for_seconds is None else timedelta(seconds=open_for_seconds),
        markets=markets,
    )


def players() -> tuple[ReplayContestant, ...]:
    """The roster's contestants that need no model: a recording has no model's answers."""
    return tuple(
        ReplayContestant(
            agent_id=row["agent_id"],
            kind=row["kind"],
            tracks=tuple(Track(name) for name in row["tracks"]),
            params=row["params"],
        )
        for row in roster().others
    )


def read(folder: Path) -> Recording:
    """A recording from its folder; a last line that is being written is left out. Raises UnreadableRecording."""
    about = _content(folder / "about.json")
    if about is None:
        raise UnreadableRecording([f"{folder}: no about.json: not a folder that `coliseum record` wrote"])
    files = {kind: _content(folder / f"{kind}.jsonl") or "" for kind in FILES}
    return recording_from(about, {kind: text[: text.rfind("\n") + 1] for kind, text in files.items()})


def _content(path: Path) -> str | None:
    """None where there is no such file."""
    try:
        content = path.read_bytes()
        return content.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableRecording([f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8"]) from None
    except OSError as error:
        raise UnreadableRecording([f"{path}: {error.strerror or error}"]) from None


def _show(outcome: ReplayReport) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    recording = outcome.body["recording"]
    console.print(
        f"{outcome.body['rounds']:,} rounds over {outcome.body['markets']:,} markets of {recording['exchange']}, "
        f"{recording['from']} to {recording['to']}",
        highlight=False,
    )
    for track, (report, ranked) in outcome.boards.items():
        console.print(f"\n{track.value} track", style="bold")
        show(report, ranked, ungraded="Nothing is graded: no market of a round was settled in the recording.")
    console.print(_accounts(outcome))
    console.print(f"digest {outcome.digest}", highlight=False)


def _accounts(outcome: ReplayReport) -> RichTable:
    lines = RichTable(title="paper accounts", title_justify="left")
    for column in ("account", "value", "ROI", "fees", "bets", "won", "max drawdown"):
        lines.add_column(column, justify="left" if column == "account" else "right")
    for name, found in outcome.accounts.items():
        lines.add_row(
            name,
            f"${found.value:,.2f}",
            "" if found.roi is None else f"{found.roi:+.2%}",
            f"${found.fees:,.2f}",
            f"{found.bets:,}",
            "" if found.win_rate is None else f"{found.win_rate:.0%}",
            "" if found.max_drawdown is None else f"{found.max_drawdown:.1%}",
        )
    return lines
