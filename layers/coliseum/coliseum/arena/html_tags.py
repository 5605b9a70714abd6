"""What of an outsider's HTML is given to the parser: as much as costs little time. Pure."""

from __future__ import annotations

import re

LONGEST_TAG = 5_000
"""Characters of one tag. The parser's time for one tag grows faster than its length."""
_TAG_BEGINS = re.compile(r"<[A-Za-z/!?]")


def parseable(html: str, *, most_tags: int) -> str:
    """The beginning of `html` with at most `most_tags` tags, none longer than `LONGEST_TAG`, and all of them closed.

    What follows a tag that is never closed is not shown by browsers either. `html.parser` reads on to the end of the
    text at each of these, so that many of them would cost the square of their number.
    """
    tags = 0
    position = 0
    while (begins := _TAG_BEGINS.search(html, position)) is not None:
        tags += 1
        closed = html.find(">", begins.start(), begins.start() + LONGEST_TAG)
        if tags > most_tags or closed < 0:
            return html[: begins.start()]
        position = closed + 1
    return html
