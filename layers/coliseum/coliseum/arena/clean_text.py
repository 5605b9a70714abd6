"""Text from outside as one line without markup, hidden parts and invisible characters. Pure.

What a reader of the page would not see, a model must not see either: hidden text is where a page puts orders to models.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from html.parser import HTMLParser

from coliseum.arena.html_tags import parseable

MOST_HTML = 20_000
"""Characters of one field that are read. A longer text is cut before it is parsed."""
MOST_TAGS = 1_000
"""Tags of one field that are read."""
_INVISIBLE_TAGS = frozenset(
    ("script", "style", "template", "noscript", "head", "title", "iframe", "object", "svg", "math", "form", "select")
)
_WITHOUT_END = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_BREAKS = frozenset(("br", "p", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr"))
_HIDING_STYLES = (
    re.compile(r"display:none|visibility:hidden|visibility:collapse"),
    re.compile(r"(?:opacity|font-size):0(?:\.0{1,9})?(?:[a-z%]{1,4})?(?:;|!|$)"),
)
_DROPPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
"""Unicode categories of control, format (bidi, zero-width, tags), surrogate, private and unassigned characters."""
_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters, marks and signs by category that show nothing."""


def clean_html(html: str, *, most: int) -> str:
    """The visible text of an HTML fragment, as `clean_line` gives it."""
    if "<" not in html and "&" not in html:
        return clean_line(html, most=most)
    reader = _VisibleText()
    with suppress(AssertionError):  # html.parser's answer to markup such as `<![<`; what came before it stays
        reader.feed(parseable(html[:MOST_HTML], most_tags=MOST_TAGS))
        reader.close()
    return clean_line("".join(reader.parts), most=most)


def clean_line(text: str, *, most: int) -> str:
    """One line of visible characters with single spaces, cut at a word to at most `most` characters."""
    shown = "".join(_visible(character) for character in unicodedata.normalize("NFC", text[: MOST_HTML * 2]))
    line = " ".join(shown.split())
    if len(line) <= most:
        return line
    words = line[:most].rsplit(" ", 1)[0] if " " in line[:most] else line[: most - 1]
    return f"{words}\u2026"


def clean_lines(text: str, *, most: int) -> list[str]:
    """The lines of a text, each as `clean_line` gives it, without empty ones: at most `most` characters in all.

    Only line feed and carriage return end a line. All other line breaks of Unicode become spaces.
    """
    found: list[str] = []
    left = most
    for part in text[: MOST_HTML * 2].replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if left <= 0:
            break
        if line := clean_line(part, most=left):
            found.append(line)
            left -= len(line)
    return found


def _visible(character: str) -> str:
    if character in _EMPTY or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""  # variation selectors carry hidden bytes
    if character.isspace() or character in "\u2028\u2029\x1c\x1d\x1e\x1f\x85":
        return " "
    return "" if unicodedata.category(character) in _DROPPED else character


class _VisibleText(HTMLParser):
    """Collects the text outside invisible elements. An element that is never closed hides the rest, as in a browser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []
        """The open elements from the outermost invisible one on."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WITHOUT_END:
            if tag in _BREAKS and not self._hidden:
                self.parts.append(" ")
            return
        if self._hidden or tag in _INVISIBLE_TAGS or _hides(attrs):
            self._hidden.append(tag)
        elif tag in _BREAKS:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS and not self._hidden:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag in _BREAKS and not self._hidden:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _hides(attributes: list[tuple[str, str | None]]) -> bool:
    for name, value in attributes:
        if name == "hidden" or (name == "aria-hidden" and (value or "").strip().lower() == "true"):
            return True
        style = "".join((value or "")[:2000].lower().split()) if name == "style" else ""
        if any(pattern.search(style) for pattern in _HIDING_STYLES):
            return True
    return False
