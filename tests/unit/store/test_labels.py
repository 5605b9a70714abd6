from __future__ import annotations

from typing import Any

import pytest

from coliseum.errors import SourceMalformed
from coliseum.store.labels import RowLabels, row_labels_from

LABELS = RowLabels("demo/a", "second", claimed=True)


def test_rows_of_the_account_are_found_by_account_and_the_bots_by_both() -> None:
    assert LABELS.conditions("trades") == [("account", "eq", "demo/a"), ("bot", "eq", "second")]
    assert LABELS.conditions("settlements") == [("account", "eq", "demo/a")]


def test_public_market_data_belong_to_nobody() -> None:
    assert LABELS.conditions("market_snapshots") == []
    assert LABELS.mark("market_snapshots", [{"ticker": "A"}]) == [{"ticker": "A"}]


def test_written_rows_get_their_labels() -> None:
    assert LABELS.mark("balance_snapshots", [{"cash": 1}]) == [{"cash": 1, "account": "demo/a"}]


def test_the_databases_answer_is_parsed() -> None:
    assert row_labels_from({"account": "demo/a", "bot": "second", "claimed": True}) == LABELS


@pytest.mark.parametrize(
    "reply", [None, [], "", {"account": "a", "bot": "b"}, {"account": 1, "bot": "b", "claimed": True}]
)
def test_another_answer_is_named(reply: Any) -> None:
    with pytest.raises(SourceMalformed, match="history_labels: expected account, bot and claimed"):
        row_labels_from(reply)
