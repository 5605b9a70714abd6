from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coliseum.arena.sources.duplicates import without_duplicates
from coliseum.arena.sources.source import DatedSource

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TEXT = "The bureau said that prices rose by three tenths of a percent in October after a flat September."


def source(url: str, title: str, text: str = "") -> DatedSource:
    return DatedSource(
        url=url, title=title, publisher="P", text=text, published_at=NOW, date_only=False, fetched_at=NOW, feed_url="f"
    )


@pytest.mark.parametrize(
    "other",
    [
        source("https://a.example/1", "Another title"),
        source("http://www.a.example/1/?utm_source=x#top", "Another title"),
        source("https://b.example/9", "prices RISE!"),
        source("https://b.example/9", "Wire: prices rise", TEXT + " Reuters."),
    ],
)
def test_the_same_news_a_second_time_is_left_out(other: DatedSource) -> None:
    first = source("https://a.example/1", "Prices rise", TEXT)
    assert without_duplicates([first, other]) == [first]


def test_different_news_stay_in_their_order() -> None:
    news = [
        source("https://a.example/1?id=1", "Prices rise", TEXT),
        source("https://a.example/1?id=2", "Storm nears", "A storm nears the coast and may turn north on Tuesday."),
        source("https://[", "Odd address", "This one has an address that cannot be read at all by anybody."),
    ]
    assert without_duplicates(news) == news
