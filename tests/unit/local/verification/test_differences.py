from __future__ import annotations

from typing import Any

import pytest

from coliseum_local.verification.differences import NOTHING, BoardDifference, differences


@pytest.mark.parametrize(
    ("published", "recomputed", "expected"),
    [
        ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 2]}, []),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, []),
        ({"a": 0.3}, {"a": 0.300000000002}, [("x.a", 0.3, 0.300000000002)]),
        ({"a": -0.0}, {"a": 0.0}, []),
        ({"a": 1}, {"a": True}, [("x.a", 1, True)]),
        ({"a": 0}, {"a": None}, [("x.a", 0, None)]),
        ({"a": None}, {}, [("x.a", None, NOTHING)]),
        ({}, {"a": None}, [("x.a", NOTHING, None)]),
        ({"a": [1, 2]}, {"a": [1]}, [("x.a[1]", 2, NOTHING)]),
        ({"a": {}}, {"a": []}, [("x.a", {}, [])]),
        ([{"agent": "b", "n": 1}], [{"agent": "b", "n": 2}], [("x[b].n", 1, 2)]),
        ([{"agent": "b"}], [], [("x[b]", {"agent": "b"}, NOTHING)]),
        (
            [{"agent": "b"}, {"agent": "a"}],
            [{"agent": "a"}, {"agent": "b"}],
            [("x order", ["b", "a"], ["a", "b"])],
        ),
        ([{"first": "a", "second": "b", "n": 1}], [{"first": "a", "second": "b", "n": 2}], [("x[a-b].n", 1, 2)]),
    ],
)
def test_every_leaf_that_differs_is_named(
    published: Any, recomputed: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    found = [(one.path, one.published, one.recomputed) for one in differences(published, recomputed, "x")]
    assert found == expected


def test_a_difference_is_one_line_whatever_it_holds() -> None:
    line = str(BoardDifference("a.b", "x\n" * 500, NOTHING))
    assert line.startswith('a.b: published "x\\nx')
    assert line.endswith("…, recomputed nothing")
    assert "\n" not in line


def test_an_absent_value_is_left_out_of_json() -> None:
    assert BoardDifference("a", None, NOTHING).json() == {"path": "a", "published": None}
