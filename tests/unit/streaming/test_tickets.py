"""A ticket opens what it names until it ends, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.streaming.subscription import STREAMS, Selection
from coliseum.streaming.tickets import Ticket, parse_ticket

SECRET = "sixteen characters or more"
TICKET = Ticket(Selection(STREAMS["trades"], frozenset({"A-1"}), frozenset({"KX"})), 1_000)


def test_a_signed_ticket_comes_back_whole() -> None:
    """SSE-081."""
    assert parse_ticket(TICKET.signed(SECRET), SECRET, now=999) == TICKET


@pytest.mark.parametrize(("secret", "now"), [(SECRET, 1_000), (SECRET, 2_000), ("another secret of ours", 999)])
def test_a_ticket_that_is_expired_or_of_another_secret_opens_nothing(secret: str, now: float) -> None:
    """SSE-081."""
    assert parse_ticket(TICKET.signed(SECRET), secret, now=now) is None


def test_no_character_of_a_ticket_can_be_changed() -> None:
    """SSE-081."""
    text = TICKET.signed(SECRET)
    for place in range(len(text)):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        changed = parse_ticket(other, SECRET, now=0)
        # The last character of base64 holds padding bits that mean nothing.
        assert changed is None or (changed == TICKET and place == len(text) - 1)


@given(st.text(max_size=60))
def test_any_text_is_no_ticket(text: str) -> None:
    assert parse_ticket(text, SECRET, now=0) is None


def test_a_ticket_holds_no_secret() -> None:
    assert SECRET not in TICKET.signed(SECRET)
