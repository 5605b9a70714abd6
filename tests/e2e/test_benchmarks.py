"""Every benchmark runs, with sizes so small that its figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bench import machine
from bench.__main__ import NOT_BENCHMARKS

pytestmark = pytest.mark.slow
NAMES = sorted(file.stem for file in Path(machine.__file__).parent.glob("[a-z]*.py") if file.stem not in NOT_BENCHMARKS)


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_its_table_and_the_machine(name: str, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--quick"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert machine.description() in done.stdout
    assert "┃" in done.stdout
