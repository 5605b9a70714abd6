from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.labels import Labels, coded

NAMES = st.lists(st.sampled_from(["", "a", "b", "ab", "B"]), min_size=1, max_size=6)


@given(NAMES, st.data())
def test_coded_labels_are_coded_like_their_texts(names: list[str], data: st.DataObject) -> None:
    code = np.array(data.draw(st.lists(st.integers(0, len(names) - 1), max_size=8)), dtype=np.int64)
    labels = Labels(names, code)
    found, wanted = coded(labels), coded(list(labels))

    assert found[0] == wanted[0]
    assert found[1].tolist() == wanted[1].tolist()


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "c"])), max_size=6))
def test_empty_labels_are_filled_from_another_column(rows: list[tuple[str, str]]) -> None:
    own, others = Labels.of([one for one, _ in rows]), Labels.of([other for _, other in rows])

    assert list(own.filled(others)) == [one or other for one, other in rows]


def test_a_column_is_a_sequence_of_its_labels() -> None:
    labels = Labels(["x", "", "y"], np.array([2, 0, 1, 0]))

    assert (list(labels), labels[0], len(labels), list(labels[1:3])) == (["y", "x", "", "x"], "y", 4, ["x", ""])
    assert list(labels.rows(np.array([3, 0]))) == ["x", "y"]
    assert labels.marks("", "y").tolist() == [True, False, True, False]
    assert list(Labels.constant("z", 2)) == ["z", "z"]
