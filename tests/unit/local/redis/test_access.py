from __future__ import annotations

from pathlib import Path

import pytest

from coliseum.errors import ConfigurationError
from coliseum_local.redis.access import TokenRole, Tokens, given_token, tokens_of
from coliseum_local.redis.backend import Address


def test_tokens_are_made_once_and_private(tmp_path: Path) -> None:
    first = tokens_of(tmp_path)
    assert tokens_of(tmp_path) == first
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert first.token not in repr(first)


def test_each_token_has_its_role() -> None:
    tokens = Tokens("full", "read")
    assert [tokens.role(given) for given in ("full", "read", "", "fulL", "é")] == [
        TokenRole.FULL,
        TokenRole.READER,
        None,
        None,
        None,
    ]


def test_the_header_wins_over_the_parameter() -> None:
    assert given_token({"authorization": "Bearer a"}, b"_token=b") == "a"
    assert given_token({}, b"x=1&_token=b") == "b"
    assert given_token({"authorization": "Basic a"}, b"") == ""


def test_addresses_of_running_servers_are_read() -> None:
    assert Address.parse("unix:/run/redis.sock") == Address(socket="/run/redis.sock")
    assert Address.parse("unix:///run/redis.sock") == Address(socket="/run/redis.sock")
    assert Address.parse("redis://:p%40ss@example.org:7000/2") == Address(
        host="example.org", port=7000, password="p@ss", database=2
    )
    assert "p@ss" not in repr(Address.parse("redis://:p%40ss@example.org"))


@pytest.mark.parametrize("url", ["", "unix:", "http://x", "redis://", "redis://h:notaport", "redis://:secret@h/x"])
def test_an_address_of_another_form_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as caught:
        Address.parse(url)
    assert "secret" not in str(caught.value)
