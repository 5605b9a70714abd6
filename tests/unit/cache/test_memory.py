from __future__ import annotations

from coliseum.cache.entries import CacheEntry
from coliseum.cache.memory import MemoryCache


def test_the_least_recently_used_value_is_removed_first() -> None:
    memory = MemoryCache(max_bytes=10)
    memory.put("a", CacheEntry(1, 0), size=4)
    memory.put("b", CacheEntry(2, 0), size=4)
    assert memory.get("a") == CacheEntry(1, 0)
    memory.put("c", CacheEntry(3, 0), size=4)
    assert memory.get("b") is None
    assert memory.get("a") is not None


def test_a_value_stored_twice_counts_once_and_the_last_value_always_stays() -> None:
    memory = MemoryCache(max_bytes=10)
    for _ in range(5):
        memory.put("a", CacheEntry(1, 0), size=9)
    assert memory.get("a") is not None
    memory.put("b", CacheEntry(2, 0), size=99)
    assert memory.get("a") is None
    assert memory.get("b") == CacheEntry(2, 0)
