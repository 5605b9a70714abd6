from __future__ import annotations

import hashlib

import pytest

from coliseum_local.redis.scripts import Scripts, without_flag

LOCKING = b"#!lua flags=allow-key-locking\nreturn 1"


def _sha(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


@pytest.mark.parametrize(
    ("script", "local"),
    [
        (LOCKING, b"#!lua\nreturn 1"),
        (b"#!lua flags=no-writes,allow-key-locking\nreturn 1", b"#!lua flags=no-writes\nreturn 1"),
        (b"#!lua flags=no-writes\nreturn 1", b"#!lua flags=no-writes\nreturn 1"),
        (b"return 1 -- #!lua flags=allow-key-locking", b"return 1 -- #!lua flags=allow-key-locking"),
        (b"#!lua flags=allow-key-lockings\nreturn 1", b"#!lua flags=allow-key-lockings\nreturn 1"),
        (b"", b""),
    ],
)
def test_only_the_clouds_own_flag_is_taken_out(script: bytes, local: bytes) -> None:
    assert without_flag(script) == local


def test_a_script_keeps_the_name_its_caller_knows() -> None:
    scripts = Scripts()
    load = (b"script", b"load", LOCKING)
    stripped = _sha(without_flag(LOCKING))
    assert scripts.local(load) == (b"script", b"load", without_flag(LOCKING))
    assert scripts.translate_replies([load], [stripped]) == [_sha(LOCKING)]
    assert scripts.local((b"EVALSHA", _sha(LOCKING).upper(), b"0")) == (b"EVALSHA", stripped, b"0")
    assert scripts.local((b"SCRIPT", b"EXISTS", _sha(LOCKING), b"x")) == (b"SCRIPT", b"EXISTS", stripped, b"x")


@pytest.mark.parametrize("command", [(b"EVAL",), (b"SCRIPT",), (b"SCRIPT", b"LOAD"), (b"GET", b"k"), (b"EVALSHA",)])
def test_other_and_incomplete_commands_go_on_as_they_are(command: tuple[bytes, ...]) -> None:
    assert Scripts().local(command) == command
