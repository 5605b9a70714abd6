from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.postgres.problems import PostgrestError
from coliseum_local.postgres.query import Comparison, Ordering, Selected, TableQuery, Tree, names, query_from, selected


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("*", (Selected("*"),)),
        ("", (Selected("*"),)),
        ("a,b", (Selected("a"), Selected("b"))),
        ("price::text", (Selected("price", None, "text"),)),
        ("raw:price", (Selected("price", "raw"),)),
        ("raw:price::text", (Selected("price", "raw", "text"),)),
        ('"odd,name"::text', (Selected("odd,name", None, "text"),)),
    ],
)
def test_a_select_is_read(text: str, items: tuple[Selected, ...]) -> None:
    assert selected(text) == items


@pytest.mark.parametrize(
    ("key", "text", "condition"),
    [
        ("a", "eq.1", Comparison("a", "eq", ("1",))),
        ("a", "eq.", Comparison("a", "eq", ("",))),
        ("a", 'eq."as is"', Comparison("a", "eq", ('"as is"',))),
        ("a", "eq.x.y,z)", Comparison("a", "eq", ("x.y,z)",))),
        ("a", "not.is.null", Comparison("a", "is", ("null",), negated=True)),
        ("a", "in.()", Comparison("a", "in", ())),
        ("a", 'in.(x,"y,z","q\\"")', Comparison("a", "in", ("x", "y,z", 'q"'))),
        ('"a,b"', "gt.5", Comparison("a,b", "gt", ("5",))),
        (
            "or",
            '(a.eq.1,b.not.in.(2,"3,4"),not.and(c.is.null,d.lt."5,6"))',
            Tree(
                "or",
                (
                    Comparison("a", "eq", ("1",)),
                    Comparison("b", "in", ("2", "3,4"), negated=True),
                    Tree("and", (Comparison("c", "is", ("null",)), Comparison("d", "lt", ("5,6",))), negated=True),
                ),
            ),
        ),
        ("not.and", "(a.eq.1.5)", Tree("and", (Comparison("a", "eq", ("1.5",)),), negated=True)),
    ],
)
def test_a_filter_is_read(key: str, text: str, condition: Comparison | Tree) -> None:
    assert query_from([(key, text)]).where == (condition,)


def test_order_limit_and_offset_are_read() -> None:
    query = query_from([("order", "a.desc.nullslast,b"), ("limit", "5"), ("offset", "10")])

    assert query == TableQuery(
        (Selected("*"),), order=(Ordering("a", True, "last"), Ordering("b", False, None)), limit=5, offset=10
    )


@pytest.mark.parametrize(
    ("key", "text", "status"),
    [
        ("a", "1", 400),
        ("a", "near.1", 400),
        ("a", "eq", 400),
        ("a", "is.5", 400),
        ("a", "in.(1", 400),
        ("a", "in.1", 400),
        ("a", "in.(1)x", 400),
        ("or", "(a.eq.1", 400),
        ("or", "()", 400),
        ("or", "a.eq.1", 400),
        ("or", "(" * 40 + "a.eq.1", 400),
        ("or", "(" + "and(" * 40 + "a.eq.1" + ")" * 41, 400),
        ("limit", "many", 400),
        ("limit", "-1", 416),
        ("offset", "1e3", 400),
        ("order", "a.up", 400),
        ("select", "a::regclass", 501),
        ("select", "a b", 400),
        ("select", "x-y:a", 400),
        ("select", "trades(*)", 501),
        ("select", "data->>a", 501),
        ("a", "fts.word", 501),
        ("a", "like(any).{a}", 501),
        ("trades.a", "eq.1", 501),
        ("data->>a", "eq.1", 501),
    ],
)
def test_what_is_not_understood_is_refused(key: str, text: str, status: int) -> None:
    with pytest.raises(PostgrestError) as refusal:
        query_from([(key, text)])

    assert refusal.value.status == status


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(PostgrestError):
        query_from([("limit", "1"), ("limit", "2")])


def test_quoted_names_are_split_at_the_commas_between_them() -> None:
    assert names('"a,b",c,"d\\"e"') == ("a,b", "c", 'd"e')


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
def test_any_values_survive_an_in_list_of_the_sdk(values: list[str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    (condition,) = query_from([("a", f"in.({','.join(map(quoted, values))})")]).where

    assert condition == Comparison("a", "in", tuple(values))


@given(st.text(max_size=30), st.text(max_size=60))
def test_a_hostile_query_is_parsed_or_refused(key: str, text: str) -> None:
    for pair in ((key, text), ("or", f"({text})"), ("select", text), ("order", text)):
        with suppress(PostgrestError):
            assert isinstance(query_from([pair]), TableQuery)
