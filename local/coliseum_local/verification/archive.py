"""Keeps an engine for the verification of its leaderboards: the files of the package at a commit, as an archive.

`python -m coliseum_local.verification.archive COMMIT` (`make engine COMMIT=…`) writes `engines/<engine version>.zip`
with the modules that make a leaderboard and everything that they import.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from coliseum_local.verification.engines import ENGINES

ROOT = Path(__file__).parents[3]
SOURCES = "layers/coliseum/"
STARTS = (
    "coliseum.arena.forecasts",
    "coliseum.arena.records.rows",
    "coliseum.arena.reporting.reports",
    "coliseum.arena.scoring.cells",
    "coliseum.arena.scoring.report",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def has_commit(commit: str) -> bool:
    """Whether the history of this folder holds the commit."""
    ended = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    return ended.returncode == 0


def engine_files(commit: str) -> dict[str, str]:
    """The text of each file of the archive, by its path in it."""
    listed = _git("ls-tree", "-r", "--name-only", commit, "--", SOURCES).splitlines()
    known = {path.removeprefix(SOURCES) for path in listed}
    files: dict[str, str] = {}
    waiting = list(STARTS)
    while waiting:
        name = waiting.pop()
        path = next(path for path in _paths(name) if path in known)
        if path not in files:
            files[path] = _git("show", f"{commit}:{SOURCES}{path}")
            parents = name.split(".")[:-1]
            waiting += [".".join(parents[:length]) for length in range(1, len(parents) + 1)]
            waiting += [found for found in _imports(files[path]) if known.intersection(_paths(found))]
    return dict(sorted(files.items()))


def write_archive(commit: str) -> Path:
    """Write the archive of the engine at this commit. Returns its path."""
    files = engine_files(commit)
    path = ENGINES / f"{_version(files['coliseum/arena/scoring/report.py'])}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = commit.encode()
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return path


def _version(text: str) -> str:
    _, _, rest = text.partition('ENGINE_VERSION = "')
    return rest.partition('"')[0]


def _paths(module: str) -> tuple[str, str]:
    base = module.replace(".", "/")
    return f"{base}.py", f"{base}/__init__.py"


def _imports(text: str) -> Iterator[str]:
    """What a file imports when it is imported, modules or names in them; not what its functions import."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module is not None:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(f"wrote {write_archive(sys.argv[1])}")
