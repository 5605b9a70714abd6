"""How much of an outsider's HTML is parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.growth import assert_linear

from coliseum.arena.html_tags import LONGEST_TAG, parseable


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("plain", "plain"), ("a < b > c", "a < b > c"), ("<b>x</b>", "<b>x</b>"), ("x<b", "x"), ("x<!-- y", "x"),
        ("<b>x</b><a href='", "<b>x</b>"), ("<i>1</i><i>2</i>", "<i>1</i>"), (f"x<a {'b' * LONGEST_TAG}>y", "x"),
        ("5 <6 and 7", "5 <6 and 7"), ("", ""),
    ],
)  # fmt: skip
def test_closed_tags_are_kept_and_the_rest_is_not(html: str, kept: str) -> None:
    assert parseable(html, most_tags=2) == kept


@given(st.text(alphabet="<>ab/!'\" =-[", max_size=200))
def test_what_is_kept_is_a_beginning_and_stays_as_it_is(html: str) -> None:
    kept = parseable(html, most_tags=10)
    assert html.startswith(kept)
    assert parseable(kept, most_tags=10) == kept


@pytest.mark.parametrize("piece", ["<a ", "<", "<a>", "<!--", ">", "<a b='' "])
def test_it_takes_linear_time(piece: str) -> None:
    assert_linear(lambda length: parseable(piece * (length // len(piece)), most_tags=1_000_000))
