from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.arithmetic import distinct, first_places


@pytest.mark.parametrize("spread", [1, 10**6])
@given(st.lists(st.integers(0, 30), max_size=40))
def test_distinct_keys_are_those_of_numpy(spread: int, keys: list[int]) -> None:
    """Dense keys are counted, sparse ones are sorted."""
    column = np.array(keys, dtype=np.int64) * spread
    found, place = distinct(column)
    wanted, inverse = np.unique(column, return_inverse=True)

    assert (found.tolist(), place.tolist()) == (wanted.tolist(), inverse.tolist())


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_the_first_row_of_each_place_is_found(keys: list[int]) -> None:
    found, place = distinct(np.array(keys, dtype=np.int64))

    assert first_places(place, len(found)).tolist() == [keys.index(key) for key in found.tolist()]
