"""Names of outside agents."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.clean_text import clean_line
from coliseum.arena.entry.names import check_name, check_visible_line


@pytest.mark.parametrize(
    "name", ["Base rates", "Überblick", "Прогноз 7", "预测者", "ねこ cat", "हिन्दी", "e\u0323\u0302x", "#1"]
)
def test_a_name_may_be_of_any_script(name: str) -> None:
    composed = unicodedata.normalize("NFC", name)
    assert check_name(composed) == composed


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Bаse", "Cyrillic and Latin"), ("Αlpha", "Greek and Latin"), ("Ꭰnna", "Cherokee and Latin"),
        ("!?", "letter or digit"), ("🎲🎲", "letter or digit"), ("\u00e1\u0301\u0301", "accents"),
        ("two  spaces", "visible"), (" x", "visible"), ("x\u200by", "visible"), ("x\u2800y", "visible"),
        ("x\u3164", "visible"), ("x\ufe0f", "visible"), ("e\u0301", "NFC"), ("x\u202ey", "visible"),
        ("a\nb", "visible"),
    ],
)  # fmt: skip
def test_a_name_that_deceives_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        check_name(name)


@given(st.text(max_size=80))
def test_a_visible_line_is_what_the_cleaning_leaves_as_it_is(text: str) -> None:
    cleaned = clean_line(text, most=1000)
    assert check_visible_line(cleaned) == cleaned
