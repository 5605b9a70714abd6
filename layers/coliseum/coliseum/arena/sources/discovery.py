"""The feed that a web page names in its head. Pure."""

from __future__ import annotations

from html.parser import HTMLParser

from coliseum.errors import InvalidInput
from coliseum.outbound.targets import redirected, target

MOST_PAGE = 262_144
"""Bytes of a page that are read: its head is at the beginning."""
_TYPES = frozenset(("application/rss+xml", "application/atom+xml"))


def feed_link(page: bytes, *, page_url: str) -> str | None:
    """The address of the first RSS or Atom feed that the page names; None where it names none that may be called."""
    reader = _FeedLinks()
    reader.feed(page[:MOST_PAGE].decode("utf-8", errors="replace"))
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
