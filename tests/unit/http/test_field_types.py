from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from coliseum.errors import InvalidInput
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime, seconds_from, utc_from, utc_text


class Answer(BaseModel):
    dollars: Dollars
    price: Price
    contracts: Contracts
    at: UtcTime


def test_numbers_are_exact_text_and_parse_back() -> None:
    answer = Answer(
        dollars=Decimal("98.0186"),
        price=Decimal("0.65"),
        contracts=Decimal("10.5"),
        at=datetime(2026, 11, 21, 9, tzinfo=timezone(timedelta(hours=1))),
    )
    values = answer.model_dump(mode="json")
    assert values == {"dollars": "98.0186", "price": "0.6500", "contracts": "10.50", "at": "2026-11-21T08:00:00Z"}
    assert Answer.model_validate(values) == answer


def test_a_time_shows_milliseconds_where_it_has_any_and_must_have_a_zone() -> None:
    assert utc_text(utc_from(1698676800.123)) == "2023-10-30T14:40:00.123Z"
    with pytest.raises(ValueError, match="no zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1698676800.5", 1698676800.5),
        ("2026-11-21T08:00:00Z", 1795248000.0),
        ("2026-11-21T09:00:00+01:00", 1795248000.0),
    ],
)
def test_a_time_is_unix_seconds_or_rfc_3339(text: str, seconds: float) -> None:
    assert seconds_from(text, field="since") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "-1",
        "nan",
        "1e400",
        "1e9",
        "999999999999999999",
        "2026-11-21",
        "2026-11-21T08:00:00",
        "2026-W48-1T00:00:00Z",
        "20261121T080000Z",
        "٣",
        "²",
        "1.2.3",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="since"):
        seconds_from(text, field="since")


@given(st.text(max_size=40))
def test_any_text_is_a_valid_time_or_refused(text: str) -> None:
    try:
        assert seconds_from(text, field="since") >= 0
        utc_from(seconds_from(text, field="since")).astimezone(UTC)
    except InvalidInput:
        pass
