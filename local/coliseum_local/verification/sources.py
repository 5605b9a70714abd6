"""Where a verification reads from: an address, or a folder with exports that somebody saved."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from coliseum_local.verification.downloads import Downloads
from coliseum_local.verification.rows import (
    CheckedAgent,
    CheckedAttempt,
    CheckedCell,
    CheckedClaim,
    CheckedDecision,
    CheckedForecast,
    CheckedMarket,
    CheckedReport,
    CheckedResult,
    CheckedRound,
    CheckedRow,
    CheckedSeal,
    CheckedSealRoot,
    UnreadableSource,
    json_from,
    row_from,
)

Row = TypeVar("Row", bound=CheckedRow)
MODELS: Mapping[str, type[CheckedRow]] = {
    "agents": CheckedAgent,
    "rounds": CheckedRound,
    "markets": CheckedMarket,
    "forecasts": CheckedForecast,
    "decisions": CheckedDecision,
    "attempts": CheckedAttempt,
    "results": CheckedResult,
    "seals": CheckedSeal,
    "seal-roots": CheckedSealRoot,
    "cells": CheckedCell,
    "reports": CheckedReport,
    "claims": CheckedClaim,
}
MOST_FILE_BYTES = 512 * 1024 * 1024
MOST_LINE_BYTES = 32 * 1024 * 1024


class ExportSource(Protocol):
    """Rows of exports."""

    def rows(self, model: type[Row], **filters: str) -> list[Row]:
        """All rows of the export of this model that pass the filters. Raises UnreadableSource."""
        ...

    def has(self, model: type[CheckedRow]) -> bool:
        """Whether the source has this export: a folder that was saved earlier may lack a newer one."""
        ...


class AddressSource:
    """Exports of a deployment. With a folder, what is read is saved there too."""

    def __init__(self, downloads: Downloads, *, save: Path | None = None) -> None:
        self._downloads = downloads
        self._save = save
        self._begun: set[str] = set()

    def rows(self, model: type[Row], **filters: str) -> list[Row]:
        name = name_of(model)
        found: list[Row] = []
        for page in self._downloads.export_pages(name, "jsonl", filters):
            self._keep(name, page.content)
            lines = page.content.splitlines()
            found += [row_from(model, line, f"{page.url} line {number}") for number, line in enumerate(lines, start=1)]
        return found

    def has(self, model: type[CheckedRow]) -> bool:
        return True

    def _keep(self, name: str, content: bytes) -> None:
        if self._save is None:
            return
        with (self._save / f"{name}.jsonl").open("ab" if name in self._begun else "wb") as file:
            file.write(content)
        self._begun.add(name)


class FolderSource:
    """Exports as files: `forecasts.jsonl`, `rounds.jsonl.gz` and so on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, model: type[Row], **filters: str) -> list[Row]:
        path = self._path(name_of(model))
        return [
            row
            for number, line in enumerate(lines_of(path), start=1)
            if line.strip()
            for row in [row_from(model, line, f"{path}:{number}")]
            if _passes(row, filters)
        ]

    def has(self, model: type[CheckedRow]) -> bool:
        return any(path.is_file() for path in self._paths(name_of(model)))

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.jsonl", self._folder / f"{name}.jsonl.gz"

    def _path(self, name: str) -> Path:
        for path in self._paths(name):
            if path.is_file():
                return path
        raise UnreadableSource(f"{self._folder}: {name}.jsonl is missing; `coliseum export {name}` writes it")


def name_of(model: type[CheckedRow]) -> str:
    """The name of the export whose rows the model reads."""
    return next(name for name, known in MODELS.items() if known is model)


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, unpacked if it is gzip. Raises UnreadableSource."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                if len(line) > MOST_LINE_BYTES:
                    raise UnreadableSource(f"{path}: a line is longer than {MOST_LINE_BYTES:,} bytes")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableSource(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def report_in(path: Path, digest: str | None) -> CheckedReport:
    """The report in a file: a row of the export `reports`, as a JSON document or a line. Raises UnreadableSource."""
    if not path.is_file():
        raise UnreadableSource(f"{path}: no such file, and no address that begins with http:// or https://")
    if path.stat().st_size > MOST_FILE_BYTES:
        raise UnreadableSource(f"{path}: larger than {MOST_FILE_BYTES:,} bytes")
    lines = [line for line in lines_of(path) if line.strip()]
    try:
        json_from(b"".join(lines))
        lines = [b"".join(lines)]
    except (ValueError, RecursionError):
        pass  # not one document: a line for each report
    reports = [row_from(CheckedReport, line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
    chosen = [report for report in reports if digest in {None, report.digest}]
    if len(chosen) != 1:
        raise UnreadableSource(f"{path}: {len(chosen)} reports; choose one with --digest")
    return chosen[0]


def _passes(row: CheckedRow, filters: Mapping[str, str]) -> bool:
    """Filters as the API applies them; a filter on a field that the model leaves out is up to the caller."""
    for name, wanted in filters.items():
        if name == "day":
            created_at: datetime = getattr(row, "created_at")  # noqa: B009
            if created_at.astimezone(UTC).date() != date.fromisoformat(wanted):
                return False
        elif getattr(row, name, wanted) != wanted:
            return False
    return True
