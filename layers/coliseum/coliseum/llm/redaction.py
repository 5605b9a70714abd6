"""Secrets out of texts that others wrote. Pure.

A provider can echo the key that it received: in an error, a header or an answer, whole, in pieces, or in another
spelling. A secret is found by its letters and digits alone, so that spaces, quotes or line breaks between its
pieces, upper case and percent-encoding do not hide it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
PIECE = 8
"""So many characters of a secret are too many to show. Fewer are not removed, and do not give the rest away."""
LONGEST_TOKEN = 256
"""Characters. A private key is longer; nobody receives it in a header, so fewer spellings of it are looked for."""
_LETTERS = re.compile(r"[A-Za-z0-9]+")


class Redactor:
    """Removes the given secrets from texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: list[tuple[str, int]] = []
        """Each spelling of a secret in lower-case letters and digits, and how many of these are a piece."""
        self._places: dict[str, list[tuple[int, int]]] = {}
        """The first letters of a piece, with the spellings and positions where they stand."""
        for secret in secrets:
            for text, piece in _spellings(secret):
                self._add(text, piece)

    def _add(self, text: str, piece: int) -> None:
        form = _projected(text)
        piece = min(piece, len(form))
        if piece < PIECE:
            return  # too short to tell from a word
        for position in range(len(form) - piece + 1):
            self._places.setdefault(form[position : position + PIECE], []).append((len(self._forms), position))
        self._forms.append((form, piece))

    def text(self, text: str) -> str:
        """The text with `[redacted]` in place of each piece of a secret."""
        letters = _projected(text)
        pieces = list(self._pieces(letters))
        if not pieces:
            return text
        places = [place for run in _LETTERS.finditer(text) for place in range(run.start(), run.end())]
        parts: list[str] = []
        kept_from = 0
        for start, end in pieces:
            parts += [text[kept_from : places[start]], REDACTED]
            kept_from = places[end - 1] + 1
        return "".join((*parts, text[kept_from:]))

    def _pieces(self, letters: str) -> Iterator[tuple[int, int]]:
        """Where pieces of secrets stand in the letters."""
        places, position = self._places, 0
        while position <= len(letters) - PIECE:
            length = self._piece_at(letters, position) if letters[position : position + PIECE] in places else 0
            if length:
                yield position, position + length
            position += length or 1

    def _piece_at(self, letters: str, position: int) -> int:
        """How many letters from `position` on are a piece of a secret; 0 for too few."""
        longest = 0
        for number, offset in self._places.get(letters[position : position + PIECE], ()):
            form, piece = self._forms[number]
            length = PIECE
            limit = min(len(form) - offset, len(letters) - position)
            while length < limit and form[offset + length] == letters[position + length]:
                length += 1
            if length >= piece:
                longest = max(longest, length)
        return longest

    def value(self, value: Any) -> Any:
        """JSON with every text and every name redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(item) for name, item in value.items()}
        return value


@lru_cache(maxsize=8)
def redactor_of(secrets: frozenset[str]) -> Redactor:
    """The redactor of these secrets, made once."""
    return Redactor(sorted(secrets))


def _projected(text: str) -> str:
    return "".join(_LETTERS.findall(text)).lower()


def _spellings(secret: str) -> list[tuple[str, int]]:
    """The spellings of a secret, and how many letters of each are a piece."""
    data = secret.encode()
    spellings = [
        (secret, PIECE),
        (data.hex(), 2 * PIECE),  # also with % before each byte, because signs are left out
    ]
    # A secret can begin at any of three positions of base64's groups of three bytes. The ends depend on what is beside.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        spellings.append((encoded[2 if shift == 1 else 3 if shift == 2 else 0 : -1], PIECE * 4 // 3))
    if len(secret) > LONGEST_TOKEN:
        return spellings
    return [
        *spellings,
        (secret[::-1], PIECE),
        ("".join(f"x{byte:02x}" for byte in data), 3 * PIECE),
        ("".join(f"u{ord(letter):04x}" for letter in secret), 5 * PIECE),
        ("".join(f"u{ord(letter):04x}" for letter in secret[::-1]), 5 * PIECE),
        ("".join(str(byte) for byte in data), 3 * PIECE),
        ("".join(f"x{byte:x}" for byte in data), 3 * PIECE),
        # Only what stands for no letter or digit is percent-encoded by most libraries.
        ("".join(letter if letter.isalnum() else f"{ord(letter):02x}" for letter in secret), PIECE),
    ]
