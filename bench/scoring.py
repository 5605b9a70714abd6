"""Compares the scoring engine with arena-evaluation, the only other open one: `python -m bench.scoring [sizes...]`.

Ten agents answer every market. Events have two windows, and there are eight categories. "Same work" is what both
engines compute: Brier score, paired skill with its standard error, ECE and reliability bins, over all cells, by
category and by type of event. arena-evaluation starts from cells in memory and ours from columns in memory; making
them is not timed. Only ours computes the rest: about a hundred numbers for each agent in every slice, and 10,000 draws
of all agents and pairs. Each measurement runs in its own process, so that it has its own peak memory. Times are CPU
seconds of all threads; only "until it ends" is the time of a clock, on as many cores as are free.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from arena_evaluation import Cell, Resolution, evaluate_cells  # type: ignore[import-untyped]  # it ships none

from bench import machine
from coliseum.arena.leaderboard import NO_GATES, rank_agents
from coliseum.arena.scoring import brier, calibration, skill
from coliseum.arena.scoring.cells import CellTable, build_table
from coliseum.arena.scoring.nesting import nest
from coliseum.arena.scoring.report import score
from coliseum_local.forecast_files.contents import content_of
from coliseum_local.forecast_files.delimited import delimited_rows
from coliseum_local.forecast_files.parse import FORECASTS, forecasts_from
from coliseum_local.forecast_files.problems import FileProblems

AGENTS = 10
CATEGORIES = 8
SIZES = (10_000, 100_000, 1_000_000)
DRAWS = 10_000
Numbers = dict[str, float | None]


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("sizes", nargs="*", type=int, help="forecasts")
    parser.add_argument("--worker", choices=["ours", "oracle", "file"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        print(json.dumps({"ours": _ours, "oracle": _oracle, "file": _file}[chosen.worker](chosen.sizes[0])))
        return
    print(f"{machine.description()}; times in CPU seconds; load {os.getloadavg()[0]:.1f}")
    same, whole, files = [], [], []
    for size in chosen.sizes or ((1000,) if chosen.quick else SIZES):
        ours, oracle = _measured("ours", size), _measured("oracle", size)
        _agree(ours["numbers"], oracle["numbers"])
        mine = ours["table"] + ours["same"]
        same.append([
            f"{size:,}", f"{oracle['same']:.2f} s", f"{mine:.3f} s", f"{oracle['same'] / mine:.0f} x",
            f"{ours['same']:.3f} s", f"{oracle['same'] / ours['same']:.0f} x",
            _megabytes(oracle), _megabytes(ours["memory_same"]),
        ])  # fmt: skip
        whole.append([
            f"{size:,}", f"{ours['table']:.2f} s", f"{ours['score']:.2f} s", f"{ours['drawn']:.2f} s",
            f"{ours['board']:.2f} s", f"{1e6 * (ours['table'] + ours['drawn']) / size:.1f} us", _megabytes(ours),
        ])  # fmt: skip
        found = _measured("file", size)
        files.append([
            f"{size:,}", f"{found['bytes'] / 2**20:,.0f} MiB", f"{found['exact']:.1f} s", f"{found['read']:.1f} s",
            f"{found['seconds']:.1f} s", f"{found['waited']:.1f} s",
            f"{1e6 * found['seconds'] / size:.1f} us", f"{found['peak']:,.0f} MiB",
        ])  # fmt: skip
    machine.show(
        "The same work: Brier, skill, its error, ECE, bins; all, categories, types. The numbers agree to 1e-12",
        [
            "forecasts",
            "arena-evaluation",
            "ours from columns",
            "faster",
            "ours, table made",
            "faster",
            "its peak",
            "our peak",
        ],
        same,
    )
    machine.show(
        f"The whole report: every metric in every slice, {DRAWS:,} draws of every agent and pair",
        ["forecasts", "table", "scores, no draws", "scores, draws", "board", "per forecast", "peak"],
        whole,
    )  # fmt: skip
    machine.show(
        "`coliseum score FILE --json`: a whole process from a CSV file to the report",
        [
            "forecasts",
            "file",
            "read row by row",
            "read by Arrow",
            "whole process",
            "until it ends",
            "per forecast",
            "peak",
        ],
        files,
    )


def _measured(worker: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.scoring", "--worker", worker, str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _columns(size: int) -> dict[str, Any]:
    """Columns of a table: the market is informed, and every agent knows a little more or less than the market."""
    markets = size // AGENTS
    rng = np.random.default_rng(1)
    q = rng.random(markets)
    y = (rng.random(markets) < q).astype(float)
    p = np.clip(q + rng.normal(0, 0.1, (AGENTS, markets)), 0.01, 0.99)
    return {
        "agent": [f"agent-{agent}" for agent in range(AGENTS) for _ in range(markets)],
        "event": [f"event-{market // 2}" for market in range(markets)] * AGENTS,
        "market": [f"market-{market}" for market in range(markets)] * AGENTS,
        "window": [f"window-{market % 2}" for market in range(markets)] * AGENTS,
        "p": p.ravel(),
        "q": np.tile(q, AGENTS),
        "y": np.tile(y, AGENTS),
        "category": [f"category-{market // 2 % CATEGORIES}" for market in range(markets)] * AGENTS,
    }


def _ours(size: int) -> dict[str, Any]:
    columns = _columns(size)
    before = _peak()
    rows, made = _timed(lambda: build_table(**columns))
    numbers, same = _timed(lambda: _same(rows))
    memory_same = _peak() - before
    _, scored = _timed(lambda: score(rows, seed=1, draws=0, slice_draws=0))
    report, drawn = _timed(lambda: score(rows, seed=1, draws=DRAWS))
    _, ranked = _timed(lambda: rank_agents(report, days={}, gates=NO_GATES))
    return {
        "table": made, "same": same, "score": scored, "drawn": drawn, "board": ranked, "numbers": numbers,
        "memory": _peak() - before, "memory_same": {"memory": memory_same},
    }  # fmt: skip


def _same(rows: CellTable) -> Numbers:
    """Only what arena-evaluation computes, with the parts of our engine."""
    (category,) = (one for one in rows.dimensions if one.name == "category")
    cuts: list[tuple[str, Any, tuple[str, ...]]] = [
        ("", None, ("all",)),
        ("cat:", category.code, category.labels),
        ("type:", np.zeros(len(rows), dtype=np.int64), ("binary",)),
    ]
    errors, differences = brier.brier(rows.p, rows.y), skill.paired_difference(rows)
    found: Numbers = {}
    for prefix, code, labels in cuts:
        graded = nest(rows, rows.graded, code, len(labels))
        paired = graded if bool((rows.paired == rows.graded).all()) else nest(rows, rows.paired, code, len(labels))
        scores, skills = graded.mean(graded.event_values(errors)), paired.event_values(differences)
        means, deviations = paired.mean(skills), paired.error(skills)
        group = rows.agent * len(labels) + (0 if code is None else code)
        bins = calibration.histograms(rows.p, rows.y, group, len(rows.agents) * len(labels))
        for index, agent in enumerate(rows.agents):
            for part, label in enumerate(labels):
                at = index * len(labels) + part
                name = f"{agent}/{prefix}{label}"
                found[f"{name}/brier"] = float(scores[at])
                found[f"{name}/skill"] = float(means[at])
                found[f"{name}/skill_se"] = float(deviations[at])
                found[f"{name}/ece"] = bins[at].expected_error
                found[f"{name}/bins"] = float(len(bins[at].bins))
    return found


def _oracle(size: int) -> dict[str, Any]:
    columns = _columns(size)
    resolutions = (Resolution.NO, Resolution.YES)
    cells = [
        Cell(
            agent=agent,
            event=event,
            window=int(window[-1]),
            probabilities={"yes": p},
            resolutions={"yes": resolutions[int(y)]},
            crowd={"yes": q},
            category=category,
        )
        for agent, event, window, p, q, y, category in zip(
            *(columns[name] for name in ("agent", "event", "window")),
            *(columns[name].tolist() for name in ("p", "q", "y")),
            columns["category"],
            strict=True,
        )
    ]
    before = _peak()
    report, seconds = _timed(lambda: evaluate_cells(cells))
    numbers: Numbers = {}
    for one in report.scores:
        for name in ("brier", "skill", "skill_se", "ece"):
            numbers[f"{one.agent}/{one.slice}/{name}"] = getattr(one, name)
        numbers[f"{one.agent}/{one.slice}/bins"] = float(len(one.reliability))
    return {"same": seconds, "numbers": numbers, "memory": _peak() - before}


def _file(size: int) -> dict[str, Any]:
    columns = _columns(size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forecasts.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        command = [sys.executable, "-m", "coliseum_local", "score", str(path), "--json"]
        begun = time.perf_counter()
        _, seconds = _timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        waited = time.perf_counter() - begun
        peak, content = _peak(resource.RUSAGE_CHILDREN), content_of(path)
        _, read = _timed(lambda: forecasts_from(content))
        _, exact = _timed(lambda: delimited_rows(content.name, content.text(), FORECASTS, FileProblems()))
        return {
            "seconds": seconds,
            "waited": waited,
            "read": read,
            "exact": exact,
            "peak": peak,
            "bytes": path.stat().st_size,
        }


def _agree(ours: Numbers, oracle: Numbers) -> None:
    if ours.keys() != oracle.keys():
        sys.exit(f"other numbers: {sorted(ours.keys() ^ oracle.keys())[:5]}")
    for name, value in ours.items():
        other = oracle[name]
        if value is None or other is None or not math.isclose(value, other, rel_tol=1e-12, abs_tol=1e-12):
            sys.exit(f"{name}: {value} here, {other} there")


def _timed(job: Callable[[], Any]) -> tuple[Any, float]:
    """The answer, and the CPU seconds that it took: of all threads and of processes that have ended.

    Unlike the time of a clock, they are the same beside other work.
    """
    gc.collect()
    started = _cpu_seconds()
    answer = job()
    return answer, _cpu_seconds() - started


def _cpu_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _peak(whose: int = resource.RUSAGE_SELF) -> float:
    """The process's highest memory so far, in MiB."""
    peak = resource.getrusage(whose).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _megabytes(found: dict[str, Any]) -> str:
    return f"+{found['memory']:,.0f} MiB"


if __name__ == "__main__":
    main()
