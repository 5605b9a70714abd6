from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.sources.choice import Question, chosen_sources
from coliseum.arena.sources.source import DatedSource

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
CPI = Question(
    text="Will inflation be above 3 % in November? The Consumer Price Index of the Bureau of Labor Statistics counts.",
    own_feeds=(),
    feeds=("econ",),
)


def news(title: str, *, hours: float = 1, feed: str = "econ", fetched: float = 0.5, text: str = "") -> DatedSource:
    return DatedSource(
        url=f"https://a.example/{title}",
        title=title,
        publisher="P",
        text=text,
        published_at=NOW - timedelta(hours=hours),
        date_only=False,
        fetched_at=NOW - timedelta(hours=fetched),
        feed_url=feed,
    )


def titles(question: Question, *sources: DatedSource) -> list[str]:
    return [source.title for source in chosen_sources(question, sources, as_of=NOW)]


def test_news_that_share_rare_words_with_the_question_are_chosen_the_closest_first() -> None:
    found = titles(
        CPI,
        news("Fed names a new spokesman"),
        news("Consumer prices rose, says the Bureau of Labor Statistics"),
        news("Inflation expectations fall", hours=2),
    )
    assert found == ["Consumer prices rose, says the Bureau of Labor Statistics", "Inflation expectations fall"]


def test_of_equal_news_the_newer_ones_come_first() -> None:
    found = titles(CPI, news("Inflation data: old", hours=200), news("Inflation data: new", hours=2))
    assert found == ["Inflation data: new", "Inflation data: old"]


def test_what_is_later_than_the_context_or_too_old_or_of_another_feed_is_left_out() -> None:
    found = titles(
        CPI,
        news("Inflation tomorrow", hours=-0.01),
        news("Inflation that was read too late", fetched=-0.01),
        news("Inflation last year", hours=15 * 24),
        news("Inflation of sports", feed="sports"),
    )
    assert found == []


def test_a_feed_of_the_series_itself_needs_no_shared_word() -> None:
    own = Question(text="Rain in New York?", own_feeds=("nws",), feeds=("nws", "weather"))
    assert titles(own, news("Coastal flood statement", feed="nws"), news("Drought in Spain", feed="weather")) == [
        "Coastal flood statement"
    ]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-50, 500), st.integers(-5, 50)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_choice_depends_on_no_order_and_never_looks_ahead(
    rows: list[tuple[str, int, int]], shuffle: object
) -> None:
    sources = [
        news(f"Inflation {word * 5} {place}", hours=hours, fetched=fetched)
        for place, (word, hours, fetched) in enumerate(rows)
    ]
    chosen = chosen_sources(CPI, sources, as_of=NOW)
    assert chosen == chosen_sources(CPI, sources[::-1], as_of=NOW)
    assert len(chosen) <= 6
    assert all(max(source.published_at, source.fetched_at) <= NOW for source in chosen)
