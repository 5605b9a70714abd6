"""The part of the cache in one process: the values used last, up to a number of bytes. Thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from coliseum.cache.entries import CacheEntry


class MemoryCache:
    """An LRU cache: the least recently used values are removed first. Sizes are bytes of the values' JSON."""

    def __init__(self, *, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[CacheEntry[Any], int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> CacheEntry[Any] | None:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: str, entry: CacheEntry[Any], *, size: int) -> None:
        """Store the entry. `size` is the length of its JSON: its memory is roughly proportional to that."""
        with self._lock:
            _, before = self._entries.pop(key, (None, 0))
            self._entries[key] = (entry, size)
            self._bytes += size - before
            while self._bytes > self._max_bytes and len(self._entries) > 1:
                _, (_, freed) = self._entries.popitem(last=False)
                self._bytes -= freed
