"""The tests fail on broken code: three mutants here, all of them with `make mutants`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos.mutant import Mutant
from tests.chaos.mutants import MUTANTS, ROOT, sow, survives

CASES = "tests/chaos/test_delivery_cases.py"
FOUND_BY = {
    "what waits is dropped when redis fails": CASES,
    "no epoch check": CASES,
    "no restart check": "tests/unit/polling/test_diff.py",
}
"""Three mutants, and tests without chance that find each."""


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in FOUND_BY], ids=lambda one: one.name)
def test_a_mutant_is_killed(mutant: Mutant) -> None:
    assert not survives(replace(mutant, tests=(FOUND_BY[mutant.name],)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_mutant_still_applies(mutant: Mutant, tmp_path: Path) -> None:
    (tmp_path / mutant.path).parent.mkdir(parents=True)
    shutil.copy(ROOT / mutant.path, tmp_path / mutant.path)
    sow(mutant, tmp_path)

    assert (tmp_path / mutant.path).read_text() != (ROOT / mutant.path).read_text()
