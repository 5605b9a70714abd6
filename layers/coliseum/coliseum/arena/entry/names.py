"""The names of outside agents: visible, and not to be mixed up with another name. Pure.

Whether a name looks like one that is taken is decided in the database, which knows all names (`arena_name_key`).
"""

from __future__ import annotations

import unicodedata

from coliseum.arena.clean_text import clean_line

MOST_MARKS = 2
"""Accents on one letter. More of them cover the lines above and below."""
_LOOK_LATIN = ("CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU", "DESERET", "TIFINAGH")
"""Scripts with letters that look like Latin ones, as they begin the names of their characters."""


def check_visible_line(text: str) -> str:
    """The text. Raises ValueError unless it is one line that shows everything that it holds."""
    if clean_line(text, most=len(text) + 1) != text:
        raise ValueError(
            "one line of visible characters is needed, in Unicode's normal form NFC, with single spaces between words"
        )
    return text


def check_name(text: str) -> str:
    """The name of an agent. Raises ValueError with what would be right."""
    check_visible_line(text)
    if not any(character.isalnum() for character in text):
        raise ValueError("at least one letter or digit is needed")
    scripts = {_script(character) for character in unicodedata.normalize("NFKC", text) if character.isalpha()}
    look_alike = scripts & {*_LOOK_LATIN, "LATIN"}
    if len(look_alike) > 1:
        raise ValueError(f"letters of one script are needed, not of {' and '.join(sorted(map(str.title, look_alike)))}")
    marks = 0
    for character in unicodedata.normalize("NFD", text):
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks > MOST_MARKS:
            raise ValueError(f"at most {MOST_MARKS} accents on one letter are allowed")
    return text


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ", 1)[0]
