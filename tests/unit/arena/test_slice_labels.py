from __future__ import annotations

import numpy as np

from coliseum.arena.scoring.slices import dimensions
from coliseum.arena.slice_labels import outcome_labels, price_labels


def test_the_labels_are_those_of_a_table() -> None:
    found = dimensions(
        category=None, horizon=None, track=None, group=None, volume=None, outcomes=np.array([1.0]), q=np.array([0.5])
    )  # fmt: skip
    assert {one.name: one.labels for one in found} == {"price": price_labels(), "outcomes": outcome_labels()}
