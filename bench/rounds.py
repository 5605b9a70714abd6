"""A whole round of models that need a second to answer: its wall time, and CPU and calls for each decision.

`python -m bench.rounds --against TREE` plays the same round in another checkout that is set up (`make .venv/.dev`), and
compares. Workers are processes that take batches of ten decisions, as the forecaster's containers do.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from bench import machine
from bench.imports import ROOT

WORKER = Path(__file__).with_name("_round_worker.py")
PATHS = ("layers/coliseum", "layers/streaming", "local", ".")

Cost = dict[str, float]


def main() -> None:
    """Print the table."""
    parser = machine.parser(__doc__)
    parser.add_argument("--against", type=Path, metavar="TREE", help="another checkout, to compare with")
    parser.add_argument("--repeat", type=int, default=3, help="rounds in each tree, of which the median counts")
    chosen = parser.parse_args()
    size = (2, 1, 1, 0.0) if chosen.quick else (10, 8, 4, 1.0)
    trees = {"this tree": ROOT} | ({} if chosen.against is None else {str(chosen.against): chosen.against.resolve()})
    played: dict[str, list[Cost]] = {name: [] for name in trees}
    for _ in range(1 if chosen.quick else chosen.repeat):
        for name, tree in trees.items():  # in turn, so that both meet the same machine
            played[name].append(_play(tree, *size))
    print(machine.description())
    models, markets, workers, latency = size
    machine.show(
        f"A round of {models} models and {markets} markets, answers after {latency:g} s, {workers} workers",
        ["", "tracks", "decisions", "wall s", "wall ms each", "CPU ms each", "Postgres each", "Redis each"],
        [_row(name, costs) for name, costs in played.items()],
    )


def _row(name: str, costs: list[Cost]) -> list[str]:
    each = {key: sorted(cost[key] for cost in costs)[len(costs) // 2] for key in costs[0]}
    decisions = each["decisions"]
    return [
        name,
        f"{each['tracks']:.0f}",
        f"{decisions:.0f}",
        f"{each['wall']:.1f}",
        f"{1000 * each['wall'] / decisions:.0f}",
        f"{1000 * each['cpu'] / decisions:.1f}",
        f"{each['postgres'] / decisions:.1f}",
        f"{each['redis'] / decisions:.1f}",
    ]


def _play(tree: Path, models: int, markets: int, workers: int, latency: float) -> Cost:
    arguments = [f"--models={models}", f"--markets={markets}", f"--workers={workers}", f"--latency={latency}"]
    done = subprocess.run(
        [str(tree / ".venv" / "bin" / "python"), str(WORKER), *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / path) for path in PATHS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    cost: Cost = json.loads(done.stdout.splitlines()[-1])
    return cost


if __name__ == "__main__":
    main()
