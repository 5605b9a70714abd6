from __future__ import annotations

from coliseum.cache.entries import CacheEntry
from coliseum.cache.memory import MemoryCache


def test_the_value_used_longest_ago_leaves_first() -> None:
    memory = MemoryCache(max_bytes=10)
    memory.keep("a", CacheEntry(1, 0), size=4)
    memory.keep("b", CacheEntry(2, 0), size=4)
    assert memory.recall("a") == CacheEntry(1, 0)
    memory.keep("c", CacheEntry(3, 0), size=4)
    assert memory.recall("b") is None
    assert memory.recall("a") is not None


def test_a_value_kept_anew_counts_once_and_the_last_one_stays_however_large() -> None:
    memory = MemoryCache(max_bytes=10)
    for _ in range(5):
        memory.keep("a", CacheEntry(1, 0), size=9)
    assert memory.recall("a") is not None
    memory.keep("b", CacheEntry(2, 0), size=99)
    assert memory.recall("a") is None
    assert memory.recall("b") == CacheEntry(2, 0)
