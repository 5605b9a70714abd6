from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coliseum.arena.paper.records import PaperRecords
from coliseum.store.client import Condition, Store

ORDER_OF_A_LANGUAGE = ("r1/a_b", "r1/ab", "r1/a-c", "r1/B")
"""How a Postgres with the collation of a language may order these ids."""


class CollatedStore(Store):
    """Gives the decisions of these ids in an order that is not Python's."""

    def __init__(self) -> None:
        """No client: nothing is sent."""

    def select(
        self,
        table: str,
        columns: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        numbers = dict.fromkeys(("side", "contracts", "average_price", "fee"))
        return [
            {"decision_id": decision_id, "account_id": account_id, "reason": "no_edge", **numbers}
            for decision_id in ORDER_OF_A_LANGUAGE
            for account_id in ("s/b", "s/B")
        ]


def test_decisions_come_in_the_same_order_whatever_the_collation_of_the_database() -> None:
    decisions = PaperRecords(CollatedStore()).decisions(ORDER_OF_A_LANGUAGE)
    ids = [(decision.decision_id, decision.account_id) for decision in decisions]
    assert ids == [
        (decision_id, account_id)
        for decision_id in ("r1/B", "r1/a-c", "r1/a_b", "r1/ab")
        for account_id in ("s/B", "s/b")
    ]
