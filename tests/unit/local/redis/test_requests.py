from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.redis.requests import CommandBatch, MalformedRequest, batch_in


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "expected"),
    [
        ("GET", b"/set/foo/bar/EX/100", b"", b"", (b"set", b"foo", b"bar", b"EX", b"100")),
        ("GET", b"/get/a%2Fb%20c", b"", b"", (b"get", b"a/b c")),
        ("POST", b"/set/k", b"EX=100", b"value", (b"set", b"k", b"value", b"EX", b"100")),
        ("PUT", b"/set/k", b"NX=&_token=abc", b"\x00\xff", (b"set", b"k", b"\x00\xff", b"NX")),
        ("GET", b"/get/k", b"_token=abc", b"ignored", (b"get", b"k")),
        ("POST", b"/info", b"", b"", (b"info",)),
        ("POST", b"/", b"", b'["SET","k",1.50,99999999999999999999,true]',
         (b"SET", b"k", b"1.50", b"99999999999999999999", b"true")),
    ],
)  # fmt: skip
def test_a_request_is_one_command(
    method: str, path: bytes, query: bytes, body: bytes, expected: tuple[bytes, ...]
) -> None:
    assert batch_in(method, path, query, body) == CommandBatch("single", (expected,))


@pytest.mark.parametrize(("path", "kind"), [(b"/pipeline", "pipeline"), (b"/multi-exec", "transaction")])
def test_batches_keep_their_order(path: bytes, kind: str) -> None:
    batch = batch_in("POST", path, b"", b'[["SET","k",1],["GET","k"]]')
    assert (batch.kind, batch.commands) == (kind, ((b"SET", b"k", b"1"), (b"GET", b"k")))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (b"/", b""), (b"/", b"SET k v"), (b"/", b'{"a":1}'), (b"/", b"[]"), (b"/", b'["SET",null]'),
        (b"/", b'["SET",["nested"]]'), (b"/", b"[" * 100_000), (b"/", b'["\xff"]'), (b"/pipeline", b"[]"),
        (b"/pipeline", b'["GET","k"]'), (b"/multi-exec", b'{"a":1}'), (b"/multi-exec", b"[[]]"),
    ],
)  # fmt: skip
def test_what_is_not_a_command_is_malformed(path: bytes, body: bytes) -> None:
    with pytest.raises(MalformedRequest, match=r"^ERR "):
        batch_in("POST", path, b"", body)


@given(st.lists(st.text(), min_size=1))
def test_json_strings_arrive_as_their_utf8(parts: list[str]) -> None:
    expected = tuple(part.encode(errors="replace") for part in parts)
    assert batch_in("POST", b"/", b"", json.dumps(parts).encode()).commands == (expected,)
