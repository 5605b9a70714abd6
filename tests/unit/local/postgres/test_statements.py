from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.postgres import statements
from coliseum_local.postgres.preferences import Preferences
from coliseum_local.postgres.problems import PostgrestError
from coliseum_local.postgres.query import Comparison, Selected, TableQuery, query_from
from coliseum_local.postgres.schema import Column, DatabaseTable

TRADES = DatabaseTable("trades", {"id": Column("bigint", None), "price": Column("numeric", "0")}, ("id",))
ANYTHING = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def read(*pairs: tuple[str, str]) -> str:
    return statements.read(TRADES, query_from(pairs), Preferences()).as_string(None)


def test_a_page_never_holds_more_rows_than_the_cloud_gives() -> None:
    assert "limit 1000 offset 0" in read(("limit", "5000"))


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (("price", "gte.0.5"), """ where ("trades"."price" >= '0.5')"""),
        (("price", "not.is.null"), ' where not ("trades"."price" is null)'),
        (("price", "in.(1,2)"), """ where ("trades"."price" in ('1', '2'))"""),
        (("price", "in.()"), " where (false)"),
        (("price", "like.a*"), """ where ("trades"."price" like 'a%')"""),
    ],
)
def test_a_filter_becomes_a_condition_on_a_quoted_column(query: tuple[str, str], where: str) -> None:
    assert where in read(query)


@pytest.mark.parametrize(
    "query", [("secret", "eq.1"), ("select", "secret"), ("order", "secret"), ("or", "(secret.eq.1)")]
)
def test_an_unknown_column_is_refused_by_name(query: tuple[str, str]) -> None:
    with pytest.raises(PostgrestError, match="secret") as refusal:
        read(query)

    assert refusal.value.code == "42703"


@given(ANYTHING)
def test_any_value_stays_one_literal(value: str) -> None:
    query = TableQuery((Selected("*"),), (Comparison("price", "eq", (value,)),))
    text = statements.read(TRADES, query, Preferences()).as_string(None)

    literal = text[text.index(" = ") + 3 : text.index(") limit 1000")]
    inner = literal.lstrip().removeprefix("E").removeprefix("'").removesuffix("'")
    assert inner.replace("''", "'").replace("\\\\", "\\") == value


def test_an_unknown_column_of_a_body_is_refused_by_name() -> None:
    with pytest.raises(PostgrestError) as refusal:
        statements.insert(TRADES, ("id", "secret"), "[{}]", TableQuery((Selected("*"),)), Preferences(), conflict=())

    assert refusal.value.code == "PGRST204"
