"""`coliseum export NAME`: writes a whole public table of the arena into one file, page by page."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import httpx

from coliseum.errors import ConfigurationError
from coliseum_local.installation import read_dotenv
from coliseum_local.run import ROOT
from coliseum_local.services import GATEWAY
from coliseum_local.variables import merged
from coliseum_local.verification.downloads import DownloadedPage, Downloads
from coliseum_local.verification.rows import UnreadableSource, json_from

FORMS = ("csv", "jsonl", "parquet")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")


def export(
    name: str,
    *,
    url: str | None,
    form: str,
    filters: Mapping[str, str],
    output: Path | None,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Write the export `name` to `output` (None: `name.form`). Returns the exit code: 0, or 2 after printing why not.

    `url` is an address of the deployment; None: the system on this machine.

    The file appears only when it is whole. An older file of this name stays until then.
    """
    target = output or Path(f"{name}.{form}")
    try:
        with closing(Downloads(url or local_address(), transport=transport)) as downloads:
            pages = downloads.export_pages(name, "csv" if form == "csv" else "jsonl", filters)
            rows = _write(target, pages, form)
    except (UnreadableSource, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{rows:,} rows in {target}")
    return 0


def local_address(root: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """The address of the system on this machine, by COLISEUM_PORT in the environment or in `.env`.

    Raises ConfigurationError for a port that is none.
    """
    variables = merged(os.environ if environment is None else environment, read_dotenv(root), folder=str(root))
    try:
        port = GATEWAY.port(variables)
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise ConfigurationError(name, problem) from None
    if not port:
        raise ConfigurationError(GATEWAY.port_variable, "is 0, which is any free port: name the address with --url")
    return f"http://127.0.0.1:{port}"


def _write(target: Path, pages: Iterator[DownloadedPage], form: str) -> int:
    try:
        file = NamedTemporaryFile(  # noqa: SIM115  # renamed below
            dir=target.parent, prefix=f".{target.name}-", delete=False
        )
    except OSError as error:
        raise UnreadableSource(f"{target}: {error.strerror or error}") from None
    unfinished = Path(file.name)
    try:
        with file:
            rows = {"csv": _write_csv, "jsonl": _write_lines, "parquet": _write_parquet}[form](file, pages)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o644)
        unfinished.replace(target)
    except OSError as error:
        raise UnreadableSource(f"{target}: {error.strerror or error}") from None
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    return rows


def _write_csv(file: IO[bytes], pages: Iterable[DownloadedPage]) -> int:
    """The header once, then the rows of all pages."""
    header, rows = b"", 0
    for page in pages:
        first, end, rest = page.content.partition(b"\n")
        if not header:
            header = first
            file.write(first + end)
        elif header != first:
            raise UnreadableSource(f"{page.url}: its columns are not those of the first page")
        rows += _csv_rows(page)
        file.write(rest)
    return rows


def _csv_rows(page: DownloadedPage) -> int:
    """The number of rows below the header. A quoted field may hold line ends. Raises UnreadableSource."""
    if not page.content:
        raise UnreadableSource(f"{page.url}: an empty answer, expected CSV with a header")
    try:
        text = page.content.decode()
        names, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UnreadableSource(f"{page.url}: not CSV with a header: {error}") from None
    if not all(_COLUMN.fullmatch(name) for name in names):
        raise UnreadableSource(f"{page.url}: not CSV with a header: its first line is {text[:60]!r}")
    uneven = next((number for number, row in enumerate(rows, start=1) if len(row) != len(names)), None)
    if uneven is not None or not text.endswith("\n"):
        raise UnreadableSource(f"{page.url}: row {uneven or len(rows)} is not whole")
    return len(rows)


def _write_lines(file: IO[bytes], pages: Iterable[DownloadedPage]) -> int:
    rows = 0
    for page in pages:
        rows += sum(1 for _ in _objects(page))
        file.write(page.content)
    return rows


def _write_parquet(file: IO[bytes], pages: Iterable[DownloadedPage]) -> int:
    """Columns keep the types of JSON: text, numbers, truth values. An object or list is written as JSON."""
    try:
        pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UnreadableSource("Parquet needs pyarrow: install coliseum with the extra `files`") from None
    rows = [row for page in pages for row in _objects(page)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: _column(pa, [row.get(name) for row in rows]) for name in names})
    pq.write_table(table, file)
    return len(rows)


def _objects(page: DownloadedPage) -> Iterator[dict[str, Any]]:
    """The objects of a page, one on each line. Raises UnreadableSource."""
    if page.content and not page.content.endswith(b"\n"):
        raise UnreadableSource(f"{page.url}: its last line is not whole")
    for number, line in enumerate(page.content.splitlines(), start=1):
        try:
            row = json_from(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(f"{page.url} line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise UnreadableSource(f"{page.url} line {number}: not a JSON object")
        yield row


def _column(pa: Any, values: list[Any]) -> Any:
    """An Arrow array. Numbers become doubles if one of them has a fraction."""
    known = [value for value in values if value is not None]
    if any(isinstance(value, dict | list) for value in known):
        return pa.array([None if value is None else json.dumps(value, sort_keys=True) for value in values], pa.string())
    if known and all(isinstance(value, bool) for value in known):
        return pa.array(values, pa.bool_())
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return pa.array(values, pa.int64())
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())
