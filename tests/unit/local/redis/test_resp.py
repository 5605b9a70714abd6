from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.redis.replies import envelope
from coliseum_local.redis.resp import Reply, RespError, SimpleString, encode, encode_reply, read_reply

_LEAVES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary()
    | st.sampled_from([SimpleString(b"OK"), SimpleString(b"PONG"), RespError("ERR no")])
)
REPLIES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=5), max_leaves=20)


def _read(wire: bytes) -> Reply:
    async def read() -> Reply:
        reader = asyncio.StreamReader()
        reader.feed_data(wire)
        reader.feed_eof()
        return await read_reply(reader)

    return asyncio.run(read())


@given(REPLIES)
def test_replies_survive_the_wire(reply: Reply) -> None:
    assert _read(encode_reply(reply)) == reply


@given(st.lists(st.lists(st.binary(), min_size=1).map(tuple), min_size=1, max_size=1))
def test_a_command_is_written_as_redis_reads_it(commands: list[tuple[bytes, ...]]) -> None:
    assert _read(encode(commands)) == list(commands[0])


@pytest.mark.parametrize("wire", [b"", b"$5\r\nab", b"*2\r\n:1\r\n", b"?\r\n"])
def test_a_broken_reply_ends_the_connection(wire: bytes) -> None:
    with pytest.raises(EOFError):
        _read(wire)


def test_an_error_keeps_its_code() -> None:
    assert _read(b"-NOSCRIPT No matching script.\r\n") == RespError("NOSCRIPT No matching script.")


def test_base64_leaves_ok_alone_but_not_a_stored_ok() -> None:
    assert envelope(SimpleString(b"OK"), base64=True) == {"result": "OK"}
    assert envelope(b"OK", base64=True) == {"result": "T0s="}
    assert envelope([b"a", None, 1, [b"\xff"]], base64=True) == {"result": ["YQ==", None, 1, ["/w=="]]}


def test_plain_replies_replace_what_is_not_text() -> None:
    assert envelope([SimpleString(b"PONG"), b"\xff"], base64=False) == {"result": ["PONG", "\ufffd"]}
    assert envelope(RespError("ERR no"), base64=True) == {"error": "ERR no"}
