from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.llm.redaction import PIECE, REDACTED, Redactor, redactor_of

KEY = "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"
TOKEN = "pylf_v1_eu_QwErTyUiOpAsDfGhJkLzXcVbNm"
REDACTOR = Redactor([KEY, TOKEN])
SPELLINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: f"Bearer {text}",
    lambda text: urllib.parse.quote(text, safe=""),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(f"u:{text}".encode()).decode(),
    lambda text: base64.urlsafe_b64encode(f"a{text}b".encode()).decode(),
    lambda text: text.encode().hex(),
    lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    lambda text: "".join(f"\\x{ord(letter):02x}" for letter in text),
    str.upper,
    lambda text: text[::-1],
    " ".join,
    "\n".join,
    lambda text: json.dumps([text[:20], text[20:]]),
    html.escape,
]


@pytest.mark.parametrize("secret", [KEY, TOKEN])
@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_secret_is_removed_in_every_spelling(spell: Callable[[str], str], secret: str) -> None:
    found = REDACTOR.text(f"it said {spell(secret)} to me")
    assert REDACTED in found
    assert found.startswith("it said ")
    assert found.endswith(" to me")
    rest = found.replace(REDACTED, "")
    assert len(rest) <= len("it said  to me") + 12  # signs and the ends of base64


@given(st.integers(0, len(KEY) - 1), st.integers(0, len(KEY)), st.text(" -\n\"',.", min_size=0, max_size=3))
def test_a_piece_is_removed_with_whatever_is_between(start: int, length: int, between: str) -> None:
    piece = KEY[start : start + length]
    letters = [letter for letter in piece if letter.isalnum()]
    found = REDACTOR.text(f"({between.join(piece)})")
    assert (found == f"({between.join(piece)})") == (len(letters) < PIECE)


@pytest.mark.parametrize(
    "text", ["", "keys start with sk-or-v1-", "0.37", "The current session of Congress", "9f8e7d6", "é" * 50, "\ud800"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert REDACTOR.text(text) == text


def test_json_is_redacted_in_texts_and_names() -> None:
    value: Any = {"a": [KEY, 1, None], KEY: {"b": f"x {TOKEN}"}}
    assert REDACTOR.value(value) == {"a": [REDACTED, 1, None], REDACTED: {"b": f"x {REDACTED}"}}


def test_a_word_is_no_secret() -> None:
    """Else a short one, such as a password of a test, would remove it everywhere."""
    assert Redactor(["short", ""]).text("a short word") == "a short word"


def test_a_private_key_is_removed_line_by_line() -> None:
    lines = [base64.b64encode(bytes(range(start, start + 48))).decode() for start in range(0, 160, 16)]
    found = redactor_of(frozenset({"\n".join(lines)})).text(f"{lines[3]} and {lines[7][10:30]}")
    assert found == f"{REDACTED} and {REDACTED}"


@given(st.text())
def test_texts_without_secrets_never_change(text: str) -> None:
    assert REDACTOR.text(text) == text
