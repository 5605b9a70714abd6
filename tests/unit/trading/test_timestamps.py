"""Times that callers write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coliseum.trading.timestamps import moment_from

MOMENT = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T08:00:00Z",
        "2026-11-21t08:00:00z",
        "2026-11-21T08:00:00.000000000Z",
        "2026-11-21T09:30:00+01:30",
        "2026-11-21T09:30:00 01:30",
        "2026-11-21T03:00:00-05:00",
    ],
)
def test_rfc_3339_with_any_zone_is_read(text: str) -> None:
    assert moment_from(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "2026-W48",
        "2026-W48-1",
        "2026-W48-1T00:00:00Z",
        "2026-325T08:00:00Z",
        "20261121T080000Z",
        "20261121T08Z",
        "2026-11-21",
        "2026-11-21T08Z",
        "2026-11-21T08:00Z",
        "2026-11-21T08:00:00",
        "2026-11-21 08:00:00Z",
        "2026-11-21_08:00:00Z",
        "2026-11-21T08:00:00,5Z",
        "2026-11-21T08:00:00+0130",
        "2026-11-21T08:00:00+01:30:15",
        "2026-02-30T08:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T08:00:00Z\n",
        "٢٠٢٦-11-21T08:00:00Z",
        "",
    ],
)
def test_other_forms_of_iso_8601_and_days_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no RFC 3339 time"):
        moment_from(text)
