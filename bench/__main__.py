"""Run every benchmark: `make bench`. `make bench ARGUMENTS="latency imports"` runs some of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench import machine

NOT_BENCHMARKS = {"machine", "cost"}
"""Modules of this folder that measure nothing."""


def main() -> None:
    """Run each benchmark in its own process, so that none inherits another's memory or imports."""
    known = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py") if file.stem not in NOT_BENCHMARKS)
    parser = machine.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    options = parser.parse_args()
    chosen = options.names or known
    arguments = ["--quick"] if options.quick else []
    if unknown := sorted(set(chosen) - set(known)):
        parser.error(f"no benchmark named {unknown[0]!r}; there are {', '.join(known)}")
    failed = [
        name
        for name in chosen
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=False).returncode
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
