from __future__ import annotations

import pytest

from coliseum.http.correlation_ids import correlation_of

EVENT = {"requestContext": {"requestId": "JKJaXmPLvHcESHA="}}


def test_the_callers_id_wins_then_the_gateways_then_a_new_one() -> None:
    assert correlation_of({"X-Correlation-Id": "abc-1"}, EVENT) == "abc-1"
    assert correlation_of({}, EVENT) == "JKJaXmPLvHcESHA="
    assert len(correlation_of({}, None)) == 32
    assert correlation_of({}, None) != correlation_of({}, None)


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, 'a"b', "a\nb", "ä"])
def test_an_id_that_could_confuse_a_log_is_replaced(offered: str) -> None:
    assert correlation_of({"X-Correlation-Id": offered}, EVENT) == "JKJaXmPLvHcESHA="
    assert len(correlation_of({"X-Correlation-Id": offered}, {"requestContext": {"requestId": offered}})) == 32
