"""`coliseum replay DIR`: plays the arena over a recording."""

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
from coliseum_local.score import WIDTH, print_leaderboard, write_text
from coliseum_local.text_files import UnreadableFile

SANDBOX = ReplayPlan(every=timedelta(minutes=3), open_for=timedelta(minutes=1))
"""Markets of the sandbox are open for minutes only."""
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
    """Replay a recording and print the result.

    Returns the exit code: 0, or 1 after printing the problems of the recording to stderr.
    """
    try:
        recording = read_recording(folder)
        plan = _plan(recording.exchange, every_seconds, open_for_seconds, markets)
        report = replay_report(recording, play_season(recording, contestants(), plan), plan, draws=draws)
        text = canonical({**report.body, "digest": report.digest})
        write_text(text + "\n", output)
    except (UnreadableRecording, UnreadableFile) as error:
        print(error, file=sys.stderr)
        return 1
    for problem in report.body["problems"]:
        print(problem, file=sys.stderr)
    if as_json:
        print(text)
    else:
        _print(report)
    return 0


def _plan(exchange: str, every_seconds: int | None, open_for_seconds: int | None, markets: int) -> ReplayPlan:
    default = SANDBOX if exchange == "sandbox" else KALSHI
    return ReplayPlan(
        every=default.every if every_seconds is None else timedelta(seconds=every_seconds),
        open_for=default.open_for if open_for_seconds is None else timedelta(seconds=open_for_seconds),
        markets=markets,
    )


def contestants() -> tuple[ReplayContestant, ...]:
    """The contestants of the roster that need no model, because a recording has no answers of models."""
    return tuple(
        ReplayContestant(
            agent_id=row["agent_id"],
            kind=row["kind"],
            tracks=tuple(Track(name) for name in row["tracks"]),
            params=row["params"],
        )
        for row in roster().others
    )


def read_recording(folder: Path) -> Recording:
    """Read a recording from its folder. Raises UnreadableRecording.

    A last line without a line end is left out, because it may still be written.
    """
    about = _content(folder / "about.json")
    if about is None:
        raise UnreadableRecording(
            [f"{folder}: about.json is missing: this is not a folder that `coliseum record` wrote"]
        )
    files = {kind: _content(folder / f"{kind}.jsonl") or "" for kind in FILES}
    return recording_from(about, {kind: text[: text.rfind("\n") + 1] for kind, text in files.items()})


def _content(path: Path) -> str | None:
    """The text of a file; None if there is no such file. Raises UnreadableRecording if it cannot be read."""
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


def _print(report: ReplayReport) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    recording = report.body["recording"]
    console.print(
        f"{report.body['rounds']:,} rounds over {report.body['markets']:,} markets of {recording['exchange']}, "
        f"{recording['from']} to {recording['to']}",
        highlight=False,
    )
    for track, (scores, leaderboard) in report.leaderboards.items():
        console.print(f"\n{track.value} track", style="bold")
        print_leaderboard(
            scores, leaderboard, ungraded="Nothing is graded: no market of a round was settled in the recording."
        )
    console.print(_accounts_table(report))
    console.print(f"digest {report.digest}", highlight=False)


def _accounts_table(report: ReplayReport) -> RichTable:
    table = RichTable(title="paper accounts", title_justify="left")
    for column in ("account", "value", "ROI", "fees", "bets", "won", "max drawdown"):
        table.add_column(column, justify="left" if column == "account" else "right")
    for name, figures in report.accounts.items():
        table.add_row(
            name,
            f"${figures.value:,.2f}",
            "" if figures.roi is None else f"{figures.roi:+.2%}",
            f"${figures.fees:,.2f}",
            f"{figures.bets:,}",
            "" if figures.win_rate is None else f"{figures.win_rate:.0%}",
            "" if figures.max_drawdown is None else f"{figures.max_drawdown:.1%}",
        )
    return table
