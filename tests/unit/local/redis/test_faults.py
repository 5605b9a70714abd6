from __future__ import annotations

import pytest

from coliseum.errors import InvalidInput
from coliseum_local.redis.faults import Faults, parse


def test_a_counted_switch_runs_down() -> None:
    faults = Faults(drop_reply=2)
    assert [faults.take("drop_reply") for _ in range(3)] == [True, True, False]


def test_what_is_not_named_is_off() -> None:
    assert parse({"latency_ms": 5, "cut_subscribers": True}) == (Faults(latency_ms=5), True)
    assert parse({}) == (Faults(), False)


@pytest.mark.parametrize(
    "body",
    [
        [], {"unknown": 1}, {"drop_reply": -1}, {"drop_reply": True}, {"drop_reply": "1"}, {"refuse_all": 1},
        {"status_times": 1}, {"status_times": 1, "status_code": 200}, {"cut_subscribers": "yes"},
    ],
)  # fmt: skip
def test_an_unknown_or_senseless_switch_is_refused(body: object) -> None:
    with pytest.raises(InvalidInput):
        parse(body)
