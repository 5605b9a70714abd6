"""Finds names that differ only in what a reader does not see: Unicode form, case, white space, invisible characters,
and letters of other scripts that look like Latin ones (Unicode's list of confusable characters).

They stay different names. But `Yes` and `yes` are most likely one market, written by two programs. Pure.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from coliseum_local.forecast_files.columns import Columns
from coliseum_local.forecast_files.problems import FileProblems

MOST_WARNINGS = 20
"""Warnings of a column."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters without a picture that Unicode does not count as formatting."""
_SHOWN_CATEGORIES = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Lm"})


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One way in which a name is written, and where it first occurs."""

    text: str
    """As the file has it, with white space around it."""
    file: str
    line: int


def warn_about_lookalikes(files: Sequence[Columns], problems: FileProblems) -> None:
    """Warn about each name that is written in a second way, with both lines. `files` are read together.

    The markets of different events are not compared, because each event may have its own `yes` and `Yes`.
    """
    for name in dict.fromkeys(name for columns in files for name in columns.written):
        if _all_differ({text for columns in files if name in columns.written for text in columns.written[name].texts}):
            continue
        groups: defaultdict[tuple[str, str], dict[str, _Spelling]] = defaultdict(dict)
        for columns in files:
            for group, spelling in _spellings(columns, name):
                groups[group].setdefault(spelling.text, spelling)
        found = sorted(
            (tuple(spellings.values()) for spellings in groups.values() if len(spellings) > 1),
            key=lambda spellings: spellings[1].line,
        )
        for first, *others in found[:MOST_WARNINGS]:
            for other in others:
                problems.warn(other.file, other.line, _message(name, other, first, problems))


def _all_differ(texts: set[str]) -> bool:
    """Whether no two names look alike. Mostly this is so, and then nobody needs to know the lines."""
    return len({folded(text) for text in texts}) == len(texts)


def folded(text: str) -> str:
    """The text without everything that a reader does not see, in lower case."""
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(
        "-" if unicodedata.category(character) == "Pd" else character
        for character in plain
        if unicodedata.category(character) != "Cf" and character not in _INVISIBLE and not _selects_variant(character)
    )
    return " ".join("".join(map(_latin, unicodedata.normalize("NFKC", kept))).split())


@cache
def _latin(character: str) -> str:
    """The ASCII character that looks like this one, or the character itself."""
    if character.isascii():
        return character
    from confusable_homoglyphs.confusables import confusables_data  # type: ignore[import-untyped]  # it ships none

    alike = (str(other["c"]) for other in confusables_data.get(character, ()))
    return next((other.lower() for other in alike if len(other) == 1 and other.isascii()), character)


def visible(text: str) -> str:
    """The text in quotation marks, with a code such as <U+200B> for each character that cannot be seen or mistaken."""
    shown = "".join(
        character
        if character == " " or (character.isascii() and character.isprintable())
        or (unicodedata.category(character) not in _SHOWN_CATEGORIES and not _looks_latin(character))
        else f"<U+{ord(character):04X}>"
        for character in text
    )  # fmt: skip
    return f'"{shown}"'


def _looks_latin(character: str) -> bool:
    """Whether a letter of another script looks like a Latin one. Its compatibility forms are not meant: they differ."""
    return not character.isascii() and _latin(character.casefold()[:1]).isascii()


def _selects_variant(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _spellings(columns: Columns, name: str) -> Iterator[tuple[tuple[str, str], _Spelling]]:
    """((the event of a market or nothing, the folded name), the spelling), once for each spelling of each of them."""
    column = columns.written.get(name)
    if column is None:
        return
    owner = columns.written.get("event") if name == "market" else None
    keys = column.code if owner is None else column.code * len(owner.texts) + owner.code
    _, rows = np.unique(keys, return_index=True)
    fold = [folded(text) for text in column.texts]
    owners = [] if owner is None else [folded(text) for text in owner.texts]
    for row in np.sort(rows).tolist():
        code = int(column.code[row])
        if fold[code]:
            event = owners[owner.code[row]] if owner is not None else ""
            yield (event, fold[code]), _Spelling(column.texts[code], columns.file, columns.lines[row])


def _message(name: str, other: _Spelling, first: _Spelling, problems: FileProblems) -> str:
    place = problems.place(first.file, first.line)
    where = place if first.file == other.file else f"{first.file}, {place}"
    pair = f"{name}: {visible(other.text)} here and {visible(first.text)} in {where}"
    if other.text.strip() == first.text.strip():
        return f"{pair} differ only in white space around them and count as the same name"
    if unicodedata.normalize("NFC", other.text) == unicodedata.normalize("NFC", first.text):
        return f"{pair} look the same ({_form(other.text)} and {_form(first.text)}), but count as different names"
    return f"{pair} look alike, but count as different names"


def _form(text: str) -> str:
    forms = [form for form in ("NFC", "NFD", "NFKC", "NFKD") if unicodedata.is_normalized(form, text)]
    return f"Unicode form {forms[0]}" if forms else "no Unicode form"
