from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from coliseum_local.redis.meter import Meter, between

START = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE = b"# Commandstats\r\ncmdstat_get:calls=2,usec=9\r\ncmdstat_info:calls=7,usec=9\r\n"
AFTER = (
    b"# Commandstats\r\ncmdstat_get:calls=4,usec=9\r\ncmdstat_info:calls=8,usec=9\r\n"
    b"cmdstat_eval:calls=1,usec=1\r\ncmdstat_xinfo|stream:calls=1,usec=1\r\ncmdstat_xinfo|groups:calls=1,usec=1\r\n"
)


def test_a_script_is_billed_with_every_command_inside() -> None:
    assert between(BEFORE, AFTER) == Counter({"GET": 2, "XINFO": 2, "EVAL": 1})


def test_an_info_inside_a_script_is_billed_but_not_our_look() -> None:
    after = AFTER.replace(b"info:calls=8", b"info:calls=9")
    assert between(BEFORE, after)["INFO"] == 1


def test_a_month_is_projected_from_the_time_since_the_reset() -> None:
    meter = Meter(START)
    meter.add(["GET"] * 100)
    report = meter.report(START + timedelta(hours=1))
    assert report["total"] == 100
    assert report["per_month"] == {"commands": 72_000, "dollars": "0.14", "free_tier_share": 0.144}


def test_a_reset_starts_again_from_nothing() -> None:
    meter = Meter(START)
    meter.add(["GET"])
    meter.reset(START + timedelta(hours=1))
    assert meter.report(START + timedelta(hours=2))["total"] == 0
