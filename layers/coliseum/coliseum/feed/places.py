"""Where the log of one bot, exchange and account lies in Redis. Pure.

The first identity's log lies under the key prefix itself, as it did before logs had owners. Every other identity has
keys of its own below the prefix, and finds them again when it comes back. `publish.lua` decides by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.feed.protocol import FeedKeys
from coliseum.identity import Identity


@dataclass(frozen=True, slots=True)
class FoundLog:
    """What a reader found under some keys: whether a log is there, and whose it is."""

    exists: bool
    owner: str | None
    """An identity's label; None where no log is, or where a release without owners wrote it."""


class LogPlace:
    """The keys of one identity's log, as far as they are known. Without an identity: those under the prefix itself."""

    def __init__(self, prefix: str, identity: Identity | None) -> None:
        self._identity = identity
        self.first = FeedKeys(prefix)
        """The first identity's keys."""
        self.own = self.first if identity is None else FeedKeys(f"{prefix}{identity.label}:")
        """The keys of this identity where it is not the first one."""
        self.keys = self.first
        """Where the log lies."""

    @property
    def owner(self) -> str:
        """The label that the log is marked with; empty without an identity."""
        return "" if self._identity is None else self._identity.label

    @property
    def earlier_owner(self) -> str:
        """The label of the same bot before the exchange's key was set: its log is taken over."""
        return "" if self._identity is None else self._identity.label_without_key

    def is_certain(self, found: FoundLog) -> bool:
        """Whether `found`, read under `keys`, proves that the log lies there. Otherwise call `choose`."""
        if self._identity is None:
            return True
        return found.exists and (self.keys is not self.first or found.owner in {None, self.owner})

    def choose(self, first: FoundLog, own: FoundLog) -> bool:
        """Choose between what lies under `first` and under `own`. Returns whether `keys` has changed."""
        before = self.keys
        belongs_to_another = first.exists and not self._is_ours(first)
        self.keys = self.own if own.exists or belongs_to_another else self.first
        return self.keys is not before

    def moved_to(self, keys: FeedKeys) -> None:
        """A publish call has found the log there."""
        self.keys = keys

    def _is_ours(self, found: FoundLog) -> bool:
        return found.owner in {None, self.owner, self.earlier_owner}
