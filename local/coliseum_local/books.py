"""`coliseum books`: rebuilds the account's books, or shows how far they are.

It works with the exchange and the database of the running system, or else of the settings. A rebuild that is stopped
is continued by the next `coliseum books rebuild`, by the poller and by every request for the account's summary.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from coliseum.config import load
from coliseum.errors import ColiseumError, SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_records import stored_books
from coliseum.portfolio.books_storage import BooksSnapshot, unexplained_ends
from coliseum.store.client import Store
from coliseum_local.installation import read_installation
from coliseum_local.run import ROOT

SLICE_SECONDS = 10.0
"""How long the books are extended before the progress is shown."""
FAILURES_MAX = 5
"""After so many failures in a row the command gives up."""
PAUSE_SECONDS = 2.0
STORE_SECONDS = 120.0
"""How long one call of Postgres may take: a reset moves every booked fill."""


def rebuild(root: Path = ROOT, *, show: Callable[[str], None] = print) -> int:
    """Reset the books and load them to the end. Returns the exit code."""
    try:
        with ExitStack() as resources:
            books, kalshi = _open(root, resources)
            if _was_stopped(books.storage.read()):
                show("going on with a load that was stopped")
            else:
                books.rebuild()
            return _load(books, kalshi, show)
    except KeyboardInterrupt:
        show("stopped; the next call goes on")
        return 130
    except ColiseumError as error:
        print(f"not rebuilt: {error}", file=sys.stderr)
        return 1


def show_status(root: Path = ROOT, *, show: Callable[[str], None] = print) -> int:
    """Print one line. Returns the exit code: 0 where the books are complete."""
    try:
        with ExitStack() as resources:
            books, _ = _open(root, resources)
            snapshot = books.storage.read()
            doubts = _doubts(books, snapshot)
    except ColiseumError as error:
        print(f"unknown: {error}", file=sys.stderr)
        return 1
    show(_line(snapshot, doubts))
    return 0 if snapshot.progress.complete and not doubts else 1


def _load(books: AccountBooks, kalshi: Kalshi, show: Callable[[str], None]) -> int:
    failures = 0
    while True:
        try:
            live = {row.ticker for row in kalshi.positions() if row.position}
            snapshot = books.extend(kalshi, time_left=kalshi.for_seconds(SLICE_SECONDS).time_left, live=live)
            doubts = _doubts(books, snapshot)
        except SourceError as error:
            failures += 1
            if failures == FAILURES_MAX:
                raise
            show(f"{error}; trying again")
            time.sleep(PAUSE_SECONDS)
            continue
        failures = 0
        show(_line(snapshot, doubts))
        if snapshot.progress.walk is None:
            return 0 if not doubts else 1


def _was_stopped(snapshot: BooksSnapshot) -> bool:
    """Whether a first load or a rebuild is on its way."""
    return not snapshot.progress.complete and snapshot.progress.walk is not None


def _doubts(books: AccountBooks, snapshot: BooksSnapshot) -> tuple[str, ...]:
    """Why totals over the books are unknown."""
    return (*snapshot.progress.doubts, *unexplained_ends(books.storage.disagreeing()).values())


def _line(snapshot: BooksSnapshot, doubts: Iterable[str]) -> str:
    progress = snapshot.progress
    state = "complete" if progress.complete and progress.walk is None else "loading"
    span = (
        ""
        if snapshot.oldest is None or snapshot.newest is None
        else (f", from {_time(snapshot.oldest)} to {_time(snapshot.newest)}")
    )
    unknown = "".join(f"\nunknown: {doubt}" for doubt in doubts)
    return f"{state}: {snapshot.fills:,} fills{span}{unknown}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _open(root: Path, resources: ExitStack) -> tuple[AccountBooks, Kalshi]:
    settings = load(read_installation(root).setting_values)
    settings.require("kalshi_api_key")
    kalshi = resources.enter_context(closing(Kalshi.from_settings(settings)))
    store = resources.enter_context(closing(Store.from_settings(settings, timeout_seconds=STORE_SECONDS)))
    return stored_books(lambda: store, settings.account_label), kalshi
