from __future__ import annotations

import pytest
from tests.fixtures.growth import assert_linear

from coliseum.arena.sources.discovery import feed_link

PAGE = "https://a.example/data/page"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<link rel="alternate" type="application/rss+xml" href="/rss">', "https://a.example/rss"),
        ("<LINK REL='feed alternate' TYPE='application/atom+xml; charset=utf-8' HREF='x.xml'>", "https://a.example/data/x.xml"),
        ('<link rel=alternate type=application/rss+xml href=https://b.example/rss?a=1&amp;b=2>', "https://b.example/rss?a=1&b=2"),
        ('<link rel="alternate" type="application/rss+xml" href="http://127.0.0.1/"><link rel="alternate"'
         ' type="application/rss+xml" href="/ok">', "https://a.example/ok"),
        ('<link rel="alternate" type="text/html" href="/rss">', None),
        ('<link rel="stylesheet" type="application/rss+xml" href="/rss">', None),
        ('<a rel="alternate" type="application/rss+xml" href="/rss">', None),
        ('<link rel="alternate" type="application/rss+xml">', None),
        ('<link rel="alternate" type="application/rss+xml" href="https://169.254.169.254/">', None),
        ("", None),
    ],
)  # fmt: skip
def test_the_feed_that_a_page_names_is_found(html: str, found: str | None) -> None:
    assert feed_link(f"<html><head>{html}</head>".encode(), page_url=PAGE) == found


@pytest.mark.parametrize(
    "piece", ["<link rel=", "<link ", "<", "<!--", "<a b='", "<a ", "<a/", "<a b='' ", "<![", "<!x ", "</a "]
)
def test_a_hostile_page_takes_linear_time(piece: str) -> None:
    assert_linear(lambda length: feed_link((piece * (length // len(piece))).encode(), page_url=PAGE))
