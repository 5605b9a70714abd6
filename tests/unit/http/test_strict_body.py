from __future__ import annotations

import json
from contextlib import suppress

import pytest
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from coliseum.http.strict_body import MAX_BODY_BYTES, check_body
from coliseum.json_objects import MAX_DEPTH

PLAIN = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_plain_json_passes(value: object) -> None:
    check_body(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"x": [{"a": 1, "a": 2}]}', "twice"),
        (b'{"a": NaN}', "finite"),
        (b'{"a": [-Infinity]}', "finite"),
        (b'{"a": 1e999}', "finite"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), "levels"),
        (b"[" * 30_000, "levels"),
        (b"\xff", "UTF-8"),
        (b"{", "JSON"),
        (b"{'a': 1}", "JSON"),
    ],
)
def test_what_a_lenient_parser_would_take_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(RequestValidationError) as refused:
        check_body(body)
    (error,) = refused.value.errors()
    assert problem in error["msg"]
    assert error["input"] is None


def test_a_long_body_is_refused_and_an_empty_one_is_left_to_the_route() -> None:
    check_body(b"")
    check_body(b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"')
    with pytest.raises(HTTPException) as refused:
        check_body(b'"' + b"x" * MAX_BODY_BYTES + b'"')
    assert refused.value.status_code == 413


@given(st.binary(max_size=60))
def test_any_bytes_pass_or_are_refused(body: bytes) -> None:
    with suppress(RequestValidationError):
        check_body(body)
