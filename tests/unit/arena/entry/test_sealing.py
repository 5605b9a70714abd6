"""What of an outside agent's rationale is sealed."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.entry.sealing import visible_rationale


@given(st.text(max_size=300))
def test_a_rationale_has_only_visible_characters_and_stays_as_it_is_when_it_is_sealed_again(text: str) -> None:
    kept = visible_rationale(text)
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"} for each in kept if each != "\n")
    assert visible_rationale(kept) == kept
    assert len(kept) <= 3 * len(text)  # composed characters of the normal form NFC can be longer in rare scripts
