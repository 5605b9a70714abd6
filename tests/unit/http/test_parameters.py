"""Unknown and repeated query parameters: which are found, and what is said about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.http.parameters import parameter_problems

KNOWN = frozenset({"limit", "cursor", "ticker"})


@pytest.mark.parametrize(
    ("names", "problems"),
    [
        ([], []),
        (["limit", "cursor"], []),
        (["Limit"], [("Limit", "unknown parameter; this route takes cursor, limit, ticker")]),
        (["_", "limit"], [("_", "unknown parameter; this route takes cursor, limit, ticker")]),
        (["limit", "limit"], [("limit", "given 2 times; give it once")]),
        (["ticker", "ticker"], []),
        (["x", "x"], [("x", "unknown parameter; this route takes cursor, limit, ticker")]),
        (["x" * 200], [("x" * 77 + "...", "unknown parameter; this route takes cursor, limit, ticker")]),
    ],
)
def test_a_problem_names_the_parameter_and_what_the_route_takes(
    names: list[str], problems: list[tuple[str, str]]
) -> None:
    found = parameter_problems(names, KNOWN, repeatable={"ticker"})
    assert [(each.name, each.message) for each in found] == problems


def test_a_route_without_parameters_says_so() -> None:
    assert parameter_problems(["x"], ())[0].message == "unknown parameter; this route takes no query parameters"


@given(st.lists(st.text(max_size=5)), st.sets(st.text(max_size=5)))
def test_no_problem_means_that_every_name_is_known_and_occurs_once(names: list[str], known: set[str]) -> None:
    fine = len(set(names)) == len(names) and set(names) <= known
    assert (parameter_problems(names, known) == []) is fine
