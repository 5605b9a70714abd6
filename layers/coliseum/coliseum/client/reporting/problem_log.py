"""What does not work, as sentences: for the log, each once, and for /status."""

from __future__ import annotations

import contextlib
import logging
import threading

LOG = logging.getLogger("coliseum.reporter")
REFUSALS_LOGGED = 100


class ProblemLog:
    """Problems of the reporter and refused calls of the bot. A bot's log may be slow, so the worker writes it."""

    def __init__(self) -> None:
        self.refused = 0
        """Calls and fields that could not be used."""
        self._lock = threading.RLock()
        self._current: dict[str, str] = {}
        self._refusals: set[str] = set()
        self._unlogged: list[str] = []

    @property
    def current(self) -> dict[str, str]:
        """What does not work now, by what it concerns."""
        with self._lock:
            return dict(self._current)

    def set(self, concerns: str, sentence: str) -> None:
        with self._lock:
            if self._current.get(concerns) != sentence:
                self._current[concerns] = sentence
                self._unlogged.append(sentence)

    def solve(self, concerns: str) -> None:
        if concerns in self._current:
            with self._lock:
                self._current.pop(concerns, None)
                self._unlogged.append(f"{concerns}: works again")

    def say(self, sentence: str) -> None:
        with self._lock:
            self._unlogged.append(sentence)

    def refuse(self, sentence: str) -> None:
        """Count a refusal, and log each sentence once."""
        with self._lock:
            self.refused += 1
            if sentence not in self._refusals and len(self._refusals) < REFUSALS_LOGGED:
                self._refusals.add(sentence)
                self._unlogged.append(sentence)

    def write(self) -> None:
        """Log what was not logged."""
        with self._lock:
            sentences, self._unlogged = self._unlogged, []
        for sentence in sentences:
            with contextlib.suppress(Exception):  # a filter of the bot's logging may raise
                LOG.warning("%s", sentence)

    def renew_lock(self) -> None:
        """In a process that was forked."""
        self._lock = threading.RLock()
