"""One dated source: a news item, cleaned, with the times that decide whether it counts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from coliseum.arena.calendar import time_text
from coliseum.arena.clean_text import clean_html, clean_line

MOST_TITLE, MOST_PUBLISHER, MOST_TEXT = 200, 80, 500
"""Characters of a source's fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedSource:
    """A source as it is stored and shown. Every field is one line of visible characters."""

    url: str
    """Where the item says that it stands. It is shown, never called."""
    title: str
    publisher: str
    text: str
    published_at: datetime
    """A source counts from here on. For a date without a time, the end of its day where that ends last."""
    date_only: bool
    fetched_at: datetime
    """When Coliseum had read it."""
    feed_url: str
    """The feed that it was in, or the search provider's address."""

    @property
    def sha256(self) -> str:
        """The sha256 of title and text as shown: `title`, a line break, `text`, in UTF-8."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode()).hexdigest()

    def known_by(self, as_of: datetime) -> bool:
        """Whether it was published, and read by Coliseum, not later than `as_of`."""
        return self.published_at <= as_of and self.fetched_at <= as_of

    def shown(self) -> Mapping[str, str]:
        """As it stands in a frozen context."""
        return {
            "title": self.title,
            "url": self.url,
            "publisher": self.publisher,
            "published_at": time_text(self.published_at),
            "fetched_at": time_text(self.fetched_at),
            "sha256": self.sha256,
            "text": self.text,
        }


def cleaned(
    *, url: str, title: str, publisher: str, text: str, published_at: datetime, date_only: bool, fetched_at: datetime,
    feed_url: str,
) -> DatedSource:  # fmt: skip
    """A source from fields as they came: HTML becomes text, and each field one visible line of limited length."""
    return DatedSource(
        url=clean_line(url, most=2048),
        title=clean_html(title, most=MOST_TITLE),
        publisher=clean_html(publisher, most=MOST_PUBLISHER),
        text=clean_html(text, most=MOST_TEXT),
        published_at=published_at,
        date_only=date_only,
        fetched_at=fetched_at,
        feed_url=feed_url,
    )
