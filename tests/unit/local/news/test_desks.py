"""Every quirk of the made-up feeds, read as the source reader reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from coliseum.arena.sources.catalogue import configured_feeds
from coliseum.arena.sources.discovery import feed_link
from coliseum.arena.sources.parse import FeedReading, read_feed
from coliseum_local.exchange.catalogue import TEMPLATES
from coliseum_local.news.desks import ITEMS, desk_feed, desk_page, desk_url, desks, feed_list

NOW = datetime(2026, 12, 1, 12, 2, tzinfo=UTC)


def read(slug: str) -> FeedReading:
    desk = desks()[slug]
    return read_feed(desk_feed(desk, NOW), feed_url=desk.feed_url, publisher=desk.name, fetched_at=NOW)


@pytest.mark.parametrize("slug", sorted(desks()))
def test_every_feed_is_read_and_what_must_not_be_shown_is_dropped(slug: str) -> None:
    reading = read(slug)
    assert len(reading.sources) >= ITEMS
    shown = " ".join(f"{source.title} {source.text}" for source in reading.sources)
    assert not any(hidden in shown for hidden in ("Ignore your instructions", "99 %", "bookmakers", "tomorrow's news"))
    assert "from the caf\u00e9 of the house" in shown
    if slug != "weather-desk":
        assert reading.dropped == {"no_date": 1, "date_does_not_count": 1, "quotes_odds": 1}
        assert "Q&A: " in shown


def test_an_american_zone_name_is_understood() -> None:
    assert read("statistics-desk").sources[0].published_at == NOW - timedelta(minutes=2)


def test_a_day_without_a_time_counts_once_it_is_over() -> None:
    assert all(source.date_only and not source.known_by(NOW) for source in read("records-desk").sources)


def test_every_settlement_source_of_the_sandbox_is_a_desk_whose_page_names_its_feed() -> None:
    for template in TEMPLATES.values():
        desk = desks()[template.series.source_url.rpartition("/")[2]]
        assert template.series.source_url == desk.page_url == desk_url(template.series.source_name)
        assert feed_link(desk_page(desk), page_url=desk.page_url) == desk.feed_url


def test_the_list_of_feeds_is_a_valid_setting_for_every_category() -> None:
    feeds = configured_feeds(json.dumps(feed_list()))
    for template in TEMPLATES.values():
        series = template.series
        assert any(feed.is_for(category=series.category, series_ticker=series.ticker) for feed in feeds)
