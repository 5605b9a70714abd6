"""Finds the engine that made a leaderboard, and lets it make the leaderboard again.

The engine of this package does it in this process. Older ones are kept as archives of the package's files as they were,
and run in a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coliseum.arena.scoring.report import ENGINE_VERSION
from coliseum.errors import ColiseumError
from coliseum_local.verification import rebuild
from coliseum_local.verification.rows import UnreadableSource

ENGINES = Path(__file__).parent / "engines"
MOST_SECONDS = 3600.0


def engine_of(version: str) -> Path | None:
    """The archive of an older engine; None if this version is not kept."""
    return next((path for path in sorted(ENGINES.glob("*.zip")) if path.stem == version), None)


def is_known(version: str) -> bool:
    """Whether leaderboards of this version can be made again here."""
    return version == ENGINE_VERSION or engine_of(version) is not None


def made_again(
    version: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], report: Mapping[str, Any]
) -> dict[str, Any]:
    """What `rebuild.rebuild` returns, from the engine of this version.

    Raises UnreadableSource if the engine refuses the rows.
    """
    if version == ENGINE_VERSION:
        try:
            return rebuild.rebuild(rows, report)
        except (ColiseumError, LookupError, TypeError, ValueError) as error:
            raise UnreadableSource(f"the engine refuses the rows: {type(error).__name__}: {error}") from None
    archive = engine_of(version)
    assert archive is not None, version
    with TemporaryDirectory(prefix="coliseum-engine-") as folder:
        source, target = Path(folder) / "rows.json", Path(folder) / "report.json"
        source.write_text(json.dumps({"rows": rows, "report": report}), encoding="utf-8")
        command = [sys.executable, "-I", str(rebuild.__file__), str(archive), str(source), str(target)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise UnreadableSource(f"engine {version} took longer than {MOST_SECONDS:g} s") from None
        if ended.returncode != 0:
            last = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
            raise UnreadableSource(f"engine {version} refuses the rows: {last[0]}")
        made: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return made
