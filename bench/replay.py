"""Measures replays of seasons over recordings: `python -m bench.replay [markets...]`.

The generated markets are open for half a day, twenty at a time, and are recorded every half hour. Every three hours a
round asks about twenty markets. All contestants that need no model take part, with all their accounts. Each size runs
in its own process, so that it has its own peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from tests.unit.arena.replay.recorded import files, rows

from bench import machine
from coliseum.arena.replay.recording import about_text, recording_from
from coliseum.arena.replay.report import replay_report
from coliseum.arena.replay.season import ReplayPlan, play_season
from coliseum_local.replay import contestants

SIZES = (250, 1_000, 4_000)
DRAWS = 10_000
PLAN = ReplayPlan(every=timedelta(hours=3), open_for=timedelta(minutes=10), markets=20)


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("sizes", nargs="*", type=int, metavar="markets")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        print(json.dumps(_season(chosen.sizes[0])))
        return
    print(machine.description())
    lines = []
    for size in chosen.sizes or ((10,) if chosen.quick else SIZES):
        command = [sys.executable, "-m", "bench.replay", "--worker", str(size)]
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        whole = measured["read"] + measured["played"] + measured["scored"]
        lines.append([
            *(f"{measured[name]:,}" for name in ("markets", "rows", "rounds", "forecasts", "decisions")),
            *(f"{seconds:.1f} s" for seconds in (measured["read"], measured["played"], measured["scored"], whole)),
            f"{measured['peak']:,.0f} MiB",
        ])  # fmt: skip
    machine.show(
        f"A season replayed, with {DRAWS:,} bootstrap draws on each track",
        ["markets", "recorded rows", "rounds", "forecasts", "decisions", "read", "play", "score", "whole", "peak"],
        lines,
    )


def _season(markets: int) -> dict[str, Any]:
    texts = files(rows(markets, together=20))
    started = time.perf_counter()
    recording = recording_from(about_text("kalshi"), texts)
    read = time.perf_counter()
    season = play_season(recording, contestants(), PLAN)
    done = time.perf_counter()
    outcome = replay_report(recording, season, PLAN, draws=DRAWS)
    assert outcome.body["markets"] == markets
    return {
        "markets": markets,
        "rows": len(recording.rows),
        "rounds": len(season.rounds),
        "forecasts": sum(map(len, season.answers.values())),
        "decisions": sum(sum(reasons.values()) for reasons in season.reasons.values()),
        "read": read - started,
        "played": done - read,
        "scored": time.perf_counter() - done,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }


if __name__ == "__main__":
    main()
