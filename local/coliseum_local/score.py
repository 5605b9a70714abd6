"""`coliseum score FILE`: scores a file of forecasts with the arena's engine."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from coliseum.arena import readings
from coliseum.arena.leaderboard import (
    NO_GATES,
    AgentStanding,
    Leaderboard,
    leaderboard_body,
    rank_agents,
)
from coliseum.arena.scoring.cells import CellTable, with_unanswered_questions
from coliseum.arena.scoring.crowds import pool_names
from coliseum.arena.scoring.event_scores import event_scores
from coliseum.arena.scoring.report import ALL, ScoreReport, ScoreRules, canonical, digest_of, score, seed_of
from coliseum.arena.scoring.roles import Role
from coliseum.errors import InvalidInput
from coliseum_local.board_words import print_words
from coliseum_local.claims import claim_lines, claims_body
from coliseum_local.forecast_files.contents import content_of
from coliseum_local.forecast_files.parse import forecasts_from
from coliseum_local.published_board import published_report, score_as_published
from coliseum_local.text_files import UnreadableFile

WIDTH = 170
"""Characters of a line if the output is not a terminal."""

GROUPS_SHOWN = 6
"""Groups in the printed table at most."""
ROLE_REASONS = {"human": "a person or a group of people, shown for comparison", "reference": "shown for comparison"}
"""Why an agent with this role in its file is not ranked."""
FRACTIONS = (
    "Graded forecasts whose outcome is between 0 and 1: {:,}. Accuracy, precision, recall, F1, confidence, "
    "overconfidence and AUC leave them out."
)
UNGRADED = "Nothing is graded: no line has an outcome (column y, or --outcomes FILE)."


def score_file(
    forecasts: Path,
    *,
    outcomes: Path | None,
    draws: int,
    own_questions: bool,
    last_hours: bool,
    claims: Sequence[Path] = (),
    form: str,
    output: Path | None,
    crowds: Collection[str] = (),
    crowd_of: Collection[str] = (),
    events: bool = False,
    board: Path | None = None,
) -> int:
    """Score and print a file. `form` is table, json or csv; `claims` are files with a registered claim each.

    `crowds` are the kinds of pools to add, `crowd_of` the agents that they pool (all if empty). With `events` JSON and
    CSV have the scores of every event too. `board` is a file with a published leaderboard of which `forecasts` are the
    cells: they are scored by its rules.

    Returns the exit code: 0, or 1 after printing the problems of the files to stderr.
    """
    try:
        table = _table(forecasts, outcomes)
        if not own_questions and board is None:  # the cells of a leaderboard have a row for every question
            table = with_unanswered_questions(table)
        rules = ScoreRules(
            left_out=frozenset() if last_hours else ScoreRules().left_out,
            crowds=frozenset(crowds),
            crowd_of=frozenset(crowd_of) or None,
        )
        published = None if board is None else published_report(board)
        if published is None:
            report, leaderboard = score_table(table, draws=draws, rules=rules)
        else:
            report, leaderboard = score_as_published(table, published)
            if report.body["input_hash"] != published.input_hash:
                print(f"these are not the cells of the leaderboard {published.digest}", file=sys.stderr)
        more = {"event_scores": event_scores(table, rules)} if events else {}
        body = leaderboard_body(
            report, leaderboard, operations=None if published is None else published.report.get("operations")
        )
        left_out = frozenset(report.body["rules"]["left_out"])
        decided = claims_body(claims, table, left_out=left_out, now=datetime.now(UTC))
        body |= {"claims": decided} if claims else {}
        write_text(canonical({**body, **more, "digest": digest_of(body)}) + "\n", output)
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 1
    if form == "json":
        print(canonical({**body, **more, "digest": digest_of(body)}))
    elif form == "csv":
        print(csv_text(report, leaderboard, more.get("event_scores", ())), end="")
        print(*claim_lines(decided), f"digest {digest_of(body)}", sep="\n", file=sys.stderr)
    else:
        print_leaderboard(report, leaderboard)
        print(*claim_lines(decided), sep="\n", end="\n" if decided else "")
        print(f"digest {digest_of(body)}")
    return 0


def write_text(text: str, output: Path | None) -> None:
    """Write `text` to the file; nothing if `output` is None. Raises UnreadableFile if it cannot be written."""
    if output is None:
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(f"{output}: {error.strerror or error}") from None


def score_table(
    table: CellTable, *, draws: int, rules: ScoreRules, name: str = "file"
) -> tuple[ScoreReport, Leaderboard]:
    """Score and rank a table without gates. The seed of the draws depends on `name` and the cells.

    Pools that the rules add, and agents with a role, are shown and not ranked.
    """
    report = score(table, seed=seed_of(name, table), draws=draws, slice_draws=min(draws, 1000), rules=rules)
    references = {agent: ROLE_REASONS[role] for agent, role in table.role_by_agent.items()} | pool_names(rules.crowds)
    return report, rank_agents(report, days={}, gates=NO_GATES, references=references)


def print_leaderboard(report: ScoreReport, leaderboard: Leaderboard, *, ungraded: str = UNGRADED) -> None:
    """Print the leaderboard as a table. `ungraded` is the explanation to print if nothing is graded."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    body = report.body
    table = RichTable(
        title="{graded_cells:,} graded forecasts of {questions:,} questions in {events:,} events".format(**body),
        title_justify="left",
    )
    for column in ("rank", "tier", "agent", "verdict", "skill", "95 %", "events", "first in", "ranks", "Brier",
                   "market", "strict", "log", "ECE", "log10 E", "coverage"):  # fmt: skip
        table.add_column(column, justify="left" if column == "agent" else "right", no_wrap=column != "agent")
    for standing in leaderboard.standings:
        table.add_row(*_row(standing))
    console.print(table)
    _print_groups(console, leaderboard)
    print_words(console, report, leaderboard)
    if body["fractional_cells"]:
        console.print(FRACTIONS.format(body["fractional_cells"]), highlight=False)
    if not body["graded_cells"]:
        console.print(ungraded, highlight=False)
    elif not body["paired_cells"]:
        console.print("No agent is ranked: skill needs the market's probability (column q).")
    console.print(f"engine {body['engine_version']}, rules {body['rules_version']}", highlight=False)


def _print_groups(console: Console, leaderboard: Leaderboard) -> None:
    """Print the Brier score in each group and its macro-average, if the file has groups."""
    rows = {standing.agent: standing.scores for standing in leaderboard.standings if "groups" in standing.scores}
    groups = sorted({group for scores in rows.values() for group in scores["groups"]})
    if not groups:
        return
    console.print("Brier score by group, and the mean of the groups", highlight=False)
    table = RichTable()
    for column in ("agent", *groups[:GROUPS_SHOWN], "macro", "reason"):
        table.add_column(escape(column), justify="left" if column in {"agent", "reason"} else "right")
    for agent, scores in rows.items():
        means = [scores["groups"].get(group, {}).get("brier") for group in groups[:GROUPS_SHOWN]]
        texts = [_text(value, ".4f") for value in (*means, scores["brier_macro"])]
        table.add_row(escape(agent), *texts, escape(scores["macro_reason"] or ""))
    console.print(table)
    if len(groups) > GROUPS_SHOWN:
        console.print(f"--json and --csv have the other {len(groups) - GROUPS_SHOWN} groups.", highlight=False)


def _row(standing: AgentStanding) -> list[str]:
    scores, ranks = standing.scores, standing.rank_interval
    interval = scores["skill_interval"]
    return [
        _text(standing.rank, "d"),
        _text(standing.tier, "d"),
        escape(standing.agent),
        readings.reading(scores, role=standing.role).verdict.value
        if standing.role is Role.COMPETITOR
        else standing.role,
        _text(scores["skill"], "+.4f"),
        readings.interval_text(interval),
        _text(scores["skill_events"], ",d"),
        _text(standing.best_probability, ".0%"),
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


def csv_text(report: ScoreReport, leaderboard: Leaderboard, event_rows: Iterable[Mapping[str, Any]] = ()) -> str:
    """All numbers as CSV: a row for each slice and agent, a column for each number and two for an interval.

    A row of a group names it in the column `group`, a row of an event has the slice `event:NAME`.
    """
    rows = list(_flat_rows(report, leaderboard))
    for row in event_rows:
        numbers = {name: value for name, value in row.items() if name != "event"}
        rows.append({"slice": f"event:{row['event']}", **numbers})
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat_rows(report: ScoreReport, leaderboard: Leaderboard) -> Iterator[dict[str, Any]]:
    standings = {standing.agent: standing for standing in leaderboard.standings}
    for name in sorted(report.body["slices"], key=lambda name: (name != ALL, name)):
        for agent, numbers in sorted(report.scores(name).items()):
            standing = standings[agent] if name == ALL else None
            yield {
                "slice": name,
                "agent": agent,
                "rank": None if standing is None else standing.rank,
                "tier": None if standing is None else standing.tier,
                "tier_reason": None if standing is None else standing.tier_reason,
                **_ends("rank_interval", None if standing is None else standing.rank_interval),
                "best_probability": None if standing is None else standing.best_probability,
                "best_probability_reason": None if standing is None else standing.best_probability_reason,
                "separated": None if standing is None else standing.separated,
                **dict(_numbers(numbers)),
            }
            for group, means in numbers.get("groups", {}).items():
                yield {"slice": name, "agent": agent, "group": group, **means}


def _numbers(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in numbers.items():
        if name.endswith("interval") or name == "skill_sequence":
            yield from _ends(name, value).items()
        elif not isinstance(value, list | dict):
            yield name, value


def _ends(name: str, interval: Any) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _table(forecasts: Path, outcomes: Path | None) -> CellTable:
    """The table of a file. Raises UnreadableFile, which lists the problems of the files."""
    parsed = forecasts_from(content_of(forecasts), None if outcomes is None else content_of(outcomes))
    for warning in parsed.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if parsed.table is None:
        more = [f"and {parsed.more:,} more"] if parsed.more else []
        raise UnreadableFile(*map(str, parsed.problems), *more)
    return parsed.table
