"""`coliseum score FILE`: anyone's forecasts through the arena's engine, without the arena."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Lines

from coliseum.arena.leaderboard import NO_GATES, Board, board
from coliseum.arena.scoring.cells import Table, completed, table_from
from coliseum.arena.scoring.files.parse import forecasts_from
from coliseum.arena.scoring.files.rows import Text
from coliseum.arena.scoring.report import Report, Rules, canonical, digest_of, score, seed_of
from coliseum.errors import InvalidInput

WIDTH = 150
"""Of the board where it is not a terminal that is written to."""

UNGRADED = "Nothing is graded: no line has an outcome (column y, or --outcomes FILE)."


def score_file(
    forecasts: Path,
    *,
    outcomes: Path | None,
    draws: int,
    own_questions: bool,
    last_hours: bool,
    as_json: bool,
    output: Path | None,
) -> int:
    """The exit code: 0, or 1 after telling what is wrong with the files."""
    try:
        table = _table(forecasts, outcomes)
        report, ranked = scored(table if own_questions else completed(table), draws=draws, last_hours=last_hours)
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 1
    body = body_of(report, ranked)
    text = canonical({**body, "digest": digest_of(body)})
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(text)
    else:
        show(report, ranked)
        print(f"digest {digest_of(body)}")
    return 0


def scored(table: Table, *, draws: int, last_hours: bool, name: str = "file") -> tuple[Report, Board]:
    """Report and ranking, with nobody provisional for being new."""
    rules = Rules(left_out=frozenset()) if last_hours else Rules()
    report = score(table, seed=seed_of(name, table), draws=draws, slice_draws=min(draws, 1000), rules=rules)
    return report, board(report, days={}, gates=NO_GATES)


def body_of(report: Report, ranked: Board) -> dict[str, Any]:
    """What the digest covers."""
    standings = [{key: value for key, value in asdict(one).items() if key != "scores"} for one in ranked.standings]
    return {"report": report.body, "standings": standings, "pairs": [asdict(pair) for pair in ranked.pairs]}


def show(report: Report, ranked: Board, *, ungraded: str = UNGRADED) -> None:
    """The board for people; `ungraded` says why nothing has an outcome, where nothing has."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    body = report.body
    lines = Lines(
        title="{graded_cells:,} graded forecasts of {questions:,} questions in {events:,} events".format(**body),
        title_justify="left",
    )
    for column in ("rank", "tier", "agent", "skill", "95 %", "events", "P(best)", "ranks", "Brier", "strict", "log",
                   "ECE", "log10 E", "coverage"):  # fmt: skip
        lines.add_column(column, justify="left" if column == "agent" else "right")
    for one in ranked.standings:
        lines.add_row(*_cells(one.scores, rank=one.rank, tier=one.tier, agent=one.agent, best=one.best_probability,
                              ranks=one.rank_interval))  # fmt: skip
    console.print(lines)
    if not body["graded_cells"]:
        console.print(ungraded, highlight=False)
    elif not body["paired_cells"]:
        console.print("Nobody is ranked: skill needs the market's probability (column q).")
    console.print(f"engine {body['engine_version']}, rules {body['rules_version']}", highlight=False)


def _cells(
    scores: Mapping[str, Any],
    *,
    rank: int | None,
    tier: int | None,
    agent: str,
    best: float | None,
    ranks: tuple[int, int] | None,
) -> list[str]:
    low_high = scores["skill_interval"]
    return [
        _text(rank, "d"),
        _text(tier, "d"),
        escape(agent),
        _text(scores["skill"], "+.4f"),
        "" if low_high is None else f"{low_high[0]:+.4f} .. {low_high[1]:+.4f}",
        _text(scores["skill_events"], ",d"),
        _text(best, ".0%"),
        "" if ranks is None else f"{ranks[0]}-{ranks[1]}",
        _text(scores["brier"], ".4f"),
        _text(scores["brier_strict"], ".4f"),
        _text(scores["log"], ".4f"),
        _text(scores["ece"], ".4f"),
        _text(scores["log10_evidence"], "+.2f"),
        _text(scores["coverage"], ".1%"),
    ]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _table(forecasts: Path, outcomes: Path | None) -> Table:
    """Raises InvalidInput that lists everything found wrong."""
    parsed = forecasts_from(_read(forecasts), None if outcomes is None else _read(outcomes))
    if parsed.problems:
        told = [str(problem) for problem in parsed.problems]
        raise UnreadableFile([*told, *([f"and {parsed.more} more"] if parsed.more else [])])
    return table_from(parsed.cells)


class UnreadableFile(InvalidInput):
    """Everything that is wrong with the files, line by line."""

    def __init__(self, told: list[str]) -> None:
        super().__init__("file", len(told), "a file without problems")
        self.told = told

    def __str__(self) -> str:
        return "\n".join(self.told)


def _read(path: Path) -> Text:
    try:
        return Text(path.name, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UnreadableFile([f"{path.name}:{line}: not UTF-8 text"]) from None
