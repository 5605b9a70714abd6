from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from coliseum_local.verification.archive import engine_files, has_commit
from coliseum_local.verification.engines import ENGINES, engine_of, is_known

ARCHIVES = sorted(ENGINES.glob("*.zip"))


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_a_kept_engine_is_the_package_as_it_was_at_its_commit(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        commit = archive.comment.decode()
        kept = {name: archive.read(name).decode() for name in archive.namelist()}
    if not has_commit(commit):
        pytest.skip(f"the history of this folder does not reach back to {commit}")
    assert kept == engine_files(commit)


def test_an_engine_is_found_by_its_whole_version_only() -> None:
    assert engine_of("1.3.0") == ENGINES / "1.3.0.zip"
    assert [is_known(version) for version in ("1.3.0", "1.3", "*", "../1.3.0", "")] == [True, *[False] * 4]
