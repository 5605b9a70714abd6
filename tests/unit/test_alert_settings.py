from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.alert_settings import (
    MAX_SERVICES,
    AlertLimits,
    parse_digest,
    parse_limits,
    parse_quiet_hours,
    parse_services,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_limits_replace_defaults_and_off_ends_a_rule() -> None:
    limits = parse_limits(" bot_idle_hours=6 , day_loss_percent=off,")
    assert limits == AlertLimits(bot_idle_hours=6, day_loss_percent=None)
    assert parse_limits(None) == parse_limits("") == AlertLimits()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bot_idle=6", "expected name=number, and the names are bot_offline_minutes"),
        ("bot_idle_hours", "expected name=number"),
        ("bot_idle_hours=6,bot_idle_hours=7", "bot_idle_hours is given twice"),
        ("bot_idle_hours=0", "bot_idle_hours: expected off or a number from 0.1 to 720; got '0'"),
        ("bot_idle_hours=nan", "got 'nan'"),
        ("bot_idle_hours=-1", "got '-1'"),
        ("bot_idle_hours=1e1", "got '1e1'"),
    ],
)
def test_a_wrong_limit_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"expected|twice") as caught:
        parse_limits(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-12-01T21:59:59+01:00", None),
        ("2026-12-01T22:00:00+01:00", "2026-12-02T07:00:00+01:00"),
        ("2026-12-02T06:59:59+01:00", "2026-12-02T07:00:00+01:00"),
        ("2026-12-02T07:00:00+01:00", None),
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),  # an hour is missing in this night
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),  # and this one has one more
    ],
)
def test_quiet_hours_follow_the_clock_of_their_zone(now: str, end: str | None) -> None:
    quiet = parse_quiet_hours("22:00-07:00 Europe/Berlin")
    assert quiet is not None
    assert quiet.end_after(at(now)) == (None if end is None else at(end))


def test_quiet_hours_within_a_day() -> None:
    quiet = parse_quiet_hours("12:00-13:30 UTC")
    assert quiet is not None
    assert quiet.end_after(at("2026-12-01T13:00:00Z")) == at("2026-12-01T13:30:00Z")
    assert quiet.end_after(at("2026-12-01T23:00:00Z")) is None


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001 - the zone is added below
def test_quiet_hours_end_in_the_future_and_outside_of_themselves(moment: datetime) -> None:
    quiet = parse_quiet_hours("22:30-06:15 America/New_York")
    assert quiet is not None
    now = moment.replace(tzinfo=UTC)
    end = quiet.end_after(now)
    assert end is None or (end >= now and quiet.end_after(end) is None)


@pytest.mark.parametrize("text", ["22:00", "22:00-22:00 UTC", "24:00-07:00 UTC", "22:00-07:00", "22:00-07:00 Mars/X"])
def test_wrong_quiet_hours_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_quiet_hours(text)


def test_the_digest_is_due_from_its_time_on() -> None:
    digest = parse_digest("08:00 Europe/Berlin")
    assert digest is not None
    assert digest.due_day_at(at("2026-12-01T06:59:00Z").timestamp()) == "2026-11-30"
    assert digest.due_day_at(at("2026-12-01T07:00:00Z").timestamp()) == "2026-12-01"
    assert parse_digest(None) is None
    with pytest.raises(ValueError, match="expected a time"):
        parse_digest("8:00 UTC")


def test_addresses_are_separated_by_commas_and_white_space_and_may_contain_commas() -> None:
    services = parse_services("json://a.b/x, tgram://1:t/2\nmailto://h?to=a@b,c@d")
    assert [service.url for service in services] == ["json://a.b/x", "tgram://1:t/2", "mailto://h?to=a@b,c@d"]
    assert [service.name.partition("-")[0] for service in services] == ["json", "tgram", "mailto"]
    assert parse_services(None) == ()


def test_a_services_name_is_stable_and_shows_nothing_of_the_address() -> None:
    (one,) = parse_services("tgram://123456789:secret-token/42")
    (other,) = parse_services("tgram://123456789:secret-tokem/42")
    assert one.name == parse_services("json://a/ tgram://123456789:secret-token/42")[1].name != other.name
    assert "secret" not in one.name + repr(one)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("json://ok/ telegram-secret", "address 1"),
        ("hunter2", "address 1"),
        ("json://ok/,://hunter2", "address 1"),
        ("json://", "address 1"),
        ("json://ok/ json://ok/", "address 2: the same address stands before it"),
        ("json://ok/ mailto://", "address 2"),
        (" ".join(f"json://h{n}/" for n in range(MAX_SERVICES + 1)), "at most 20 addresses"),
    ],
)
def test_a_wrong_address_is_named_by_its_position_and_never_shown(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="address") as caught:
        parse_services(text)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "telegram-secret" not in str(caught.value)
