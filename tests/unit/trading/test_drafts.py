from __future__ import annotations

from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest

from coliseum.trading.drafts import drafts_of, freeze
from coliseum.trading.markets import Level


def _frozen() -> Level:
    draft = drafts_of(Level)()
    draft.price, draft.count = Decimal("0.5"), Decimal(3)
    return freeze(draft, Level)


def test_a_frozen_draft_equals_an_object_made_by_its_constructor() -> None:
    made = Level(Decimal("0.5"), Decimal(3))
    assert _frozen() == made
    assert hash(_frozen()) == hash(made)
    assert type(_frozen()) is Level


def test_a_frozen_draft_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        _frozen().count = Decimal(4)  # type: ignore[misc]  # the test checks that it raises
