"""What one process keeps of the cache: the values used last, up to a number of bytes. For threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from coliseum.cache.entries import CacheEntry


class MemoryCache:
    """Least recently used values leave first."""

    def __init__(self, *, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[CacheEntry[Any], int]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, key: str) -> CacheEntry[Any] | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: str, stored: CacheEntry[Any], *, size: int) -> None:
        """`size` is the length of the value's text, which is what its objects are roughly proportional to."""
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = (stored, size)
            self._bytes += size - before
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed
