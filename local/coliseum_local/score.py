"""`coliseum score FILE`: anyone's forecasts through the arena's engine, without the arena."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from coliseum.arena.leaderboard import NO_GATES, Leaderboard, leaderboard_body, rank_agents
from coliseum.arena.scoring.cells import CellTable, with_unanswered_questions
from coliseum.arena.scoring.files.parse import forecasts_from
from coliseum.arena.scoring.report import ALL, ScoreReport, ScoreRules, canonical, digest_of, score, seed_of
from coliseum.errors import InvalidInput
from coliseum_local.text_files import UnreadableFile, text_of

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
    form: str,
    output: Path | None,
) -> int:
    """The exit code: 0, or 1 after telling what is wrong with the files. `form` is board, json or csv."""
    try:
        table = _table(forecasts, outcomes)
        report, ranked = scored(
            table if own_questions else with_unanswered_questions(table), draws=draws, last_hours=last_hours
        )
        body = leaderboard_body(report, ranked)
        put(canonical({**body, "digest": digest_of(body)}) + "\n", output)
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 1
    if form == "json":
        print(canonical({**body, "digest": digest_of(body)}))
    elif form == "csv":
        print(sheet(report, ranked), end="")
        print(f"digest {digest_of(body)}", file=sys.stderr)
    else:
        show(report, ranked)
        print(f"digest {digest_of(body)}")
    return 0


def put(text: str, output: Path | None) -> None:
    """Write `text` to the file, where one is wanted. Raises UnreadableFile."""
    if output is None:
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(f"{output}: {error.strerror or error}") from None


def scored(table: CellTable, *, draws: int, last_hours: bool, name: str = "file") -> tuple[ScoreReport, Leaderboard]:
    """Report and ranking, with nobody provisional for being new."""
    rules = ScoreRules(left_out=frozenset()) if last_hours else ScoreRules()
    report = score(table, seed=seed_of(name, table), draws=draws, slice_draws=min(draws, 1000), rules=rules)
    return report, rank_agents(report, days={}, gates=NO_GATES)


def show(report: ScoreReport, ranked: Leaderboard, *, ungraded: str = UNGRADED) -> None:
    """The board for people; `ungraded` says why nothing has an outcome, where nothing has."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    body = report.body
    lines = RichTable(
        title="{graded_cells:,} graded forecasts of {questions:,} questions in {events:,} events".format(**body),
        title_justify="left",
    )
    for column in ("rank", "tier", "agent", "skill", "95 %", "events", "P(best)", "ranks", "Brier", "market", "strict",
                   "log", "ECE", "log10 E", "coverage"):  # fmt: skip
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
        _text(scores["market_brier"], ".4f"),
        _text(scores["brier_strict"], ".4f"),
        _text(scores["log"], ".4f"),
        _text(scores["ece"], ".4f"),
        _text(scores["log10_evidence"], "+.2f"),
        _text(scores["coverage"], ".1%"),
    ]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def sheet(report: ScoreReport, ranked: Leaderboard) -> str:
    """The numbers as CSV: a row per slice and agent, a column per number, two for an interval."""
    rows = list(_flat(report, ranked))
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(report: ScoreReport, ranked: Leaderboard) -> Iterator[dict[str, Any]]:
    standings = {one.agent: one for one in ranked.standings}
    for name in sorted(report.body["slices"], key=lambda name: (name != ALL, name)):
        for agent, numbers in sorted(report.scores(name).items()):
            line = standings[agent] if name == ALL else None
            yield {
                "slice": name,
                "agent": agent,
                "rank": None if line is None else line.rank,
                "tier": None if line is None else line.tier,
                **_ends("rank_interval", None if line is None else line.rank_interval),
                "best_probability": None if line is None else line.best_probability,
                "separated": None if line is None else line.separated,
                **dict(_numbers(numbers)),
            }


def _numbers(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in numbers.items():
        if name.endswith("interval"):
            yield from _ends(name, value).items()
        elif not isinstance(value, list | dict):
            yield name, value


def _ends(name: str, interval: Any) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _table(forecasts: Path, outcomes: Path | None) -> CellTable:
    """Raises UnreadableFile that lists everything found wrong."""
    parsed = forecasts_from(text_of(forecasts), None if outcomes is None else text_of(outcomes))
    if parsed.table is None:
        more = [f"and {parsed.more:,} more"] if parsed.more else []
        raise UnreadableFile(*map(str, parsed.problems), *more)
    return parsed.table
