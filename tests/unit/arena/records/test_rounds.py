from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coliseum.arena.records.rounds import ROUNDS_PER_REQUEST, RoundRecords
from coliseum.store.client import Condition, Store


class CountingStore(Store):
    """Has no rows and notes how many ids each request carries."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def select(
        self,
        table: str,
        columns: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        self.ids += [len(values) for _, _, values in where]
        return []


def test_the_markets_of_many_rounds_are_read_in_few_requests() -> None:
    store = CountingStore()
    assert RoundRecords(store).asked_markets(f"r-{number:03}" for number in range(ROUNDS_PER_REQUEST + 1)) == ()
    assert store.ids == [60, 1]
