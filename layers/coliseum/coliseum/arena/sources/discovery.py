"""The feed that a web page names in its head. Pure."""

from __future__ import annotations

from contextlib import suppress
from html.parser import HTMLParser

from coliseum.arena.html_tags import parseable
from coliseum.errors import InvalidInput
from coliseum.outbound.targets import redirected, target

MOST_PAGE = 262_144
"""Bytes of a page that are read: its head is at the beginning."""
MOST_TAGS = 5_000
_TYPES = frozenset(("application/rss+xml", "application/atom+xml"))


def feed_link(page: bytes, *, page_url: str) -> str | None:
    """The address of the first RSS or Atom feed that the page names; None where it names none that may be called."""
    reader = _FeedLinks()
    html = parseable(page[:MOST_PAGE].decode("utf-8", errors="replace"), most_tags=MOST_TAGS)
    with suppress(AssertionError):  # html.parser's answer to markup such as `<![<`; the links before it stay
        reader.feed(html)
    for href in reader.found:
        try:
            return redirected(target(page_url), href).url
        except InvalidInput:
            continue
    return None


class _FeedLinks(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "link":
            return
        values = {name: (value or "").strip() for name, value in attrs}
        kind = values.get("type", "").split(";")[0].strip().lower()
        if "alternate" in values.get("rel", "").lower().split() and kind in _TYPES and values.get("href"):
            self.found.append(values["href"])
