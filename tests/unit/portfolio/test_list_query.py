"""The parameters that the account's lists share."""

from __future__ import annotations

import pytest

from coliseum.errors import InvalidInput
from coliseum.portfolio.list_query import ListQuery, list_query_from


def query(since: str | None = None, until: str | None = None) -> ListQuery:
    return list_query_from(limit=10, ticker=None, since=since, until=until, cursor=None)


def test_the_exchange_is_asked_for_whole_seconds_and_the_rest_is_applied_here() -> None:
    asked = query("1.25", "3.5")
    assert (asked.exchange_since, asked.exchange_until) == (1, 4)
    assert [at for at in (1.0, 1.25, 3.49, 3.5) if asked.holds(at)] == [1.25, 3.49]


@pytest.mark.parametrize(("since", "until"), [("5", "5"), ("6", "5")])
def test_a_span_without_any_moment_is_refused(since: str, until: str) -> None:
    with pytest.raises(InvalidInput, match="a moment before `until`"):
        query(since, until)


@pytest.mark.parametrize("field", ["since", "until"])
def test_a_malformed_time_is_refused_by_name(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}:"):
        query(**{field: "yesterday"})


def test_a_cursor_belongs_to_its_list_and_its_filters() -> None:
    first = query("5")
    cursor = first.next_cursor("trades", {"at": "x"})
    again = ListQuery(limit=10, ticker=None, since=5.0, cursor=cursor)
    assert again.place("trades") == {"at": "x"}
    for other in (again, ListQuery(limit=10, ticker="KXA-1", since=5.0, cursor=cursor)):
        with pytest.raises(InvalidInput, match="cursor"):
            other.place("orders" if other is again else "trades")
