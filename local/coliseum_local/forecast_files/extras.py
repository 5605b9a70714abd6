"""Says which packages are missing for a format."""

from __future__ import annotations

from coliseum_local.text_files import UnreadableFile

INSTALL = ".venv/bin/python -m pip install -e '.[files]'"


def missing_extra(name: str, what: str, package: str) -> UnreadableFile:
    """The error that `what` cannot be read without the extra `files`."""
    return UnreadableFile(f"{name}: {what} need the package {package} (extra `files`): {INSTALL}, or export it as CSV")
