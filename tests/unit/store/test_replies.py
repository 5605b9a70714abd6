from __future__ import annotations

import json

import pytest

from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.store.replies import error_from_reply, parse_row, rows_in


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "23505", SourceRefused),
        (403, "42501", SourceRefused),
        (500, "21000", SourceRefused),  # a wrong question, although PostgREST says 500
        (409, "PT409", SourceRefused),
        (404, "PGRST202", SourceRefused),
        (503, "PGRST001", SourceUnavailable),
        (504, "PGRST003", SourceUnavailable),
        (500, "40001", SourceUnavailable),
        (500, "57014", SourceUnavailable),
        (503, "53300", SourceUnavailable),
        (500, "55P03", SourceUnavailable),
        (500, "XX000", SourceUnavailable),
        (429, None, SourceRateLimited),
        (401, None, SourceRefused),
        (502, None, SourceUnavailable),
    ],
)
def test_the_sqlstate_decides_whether_an_error_is_retryable(
    status: int, code: str | None, kind: type[SourceError]
) -> None:
    problem = error_from_reply(status, json.dumps({"code": code, "message": "why"}).encode())

    assert type(problem) is kind
    assert (problem.status, problem.code) == (status, code)


def test_a_problem_names_code_message_and_hint_but_no_rows() -> None:
    body = {"code": "23514", "message": "violates check", "hint": "look", "details": "Failing row contains (secret)."}

    assert str(error_from_reply(400, json.dumps(body).encode())) == "postgres: 23514: violates check (look)"


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[1]", b"\xff", b"[" * 99_999])
def test_an_error_page_is_still_an_error_with_its_status(body: bytes) -> None:
    assert "HTTP 502" in str(error_from_reply(502, body))


def test_a_long_message_is_cut() -> None:
    assert len(str(error_from_reply(400, json.dumps({"message": "x" * 5000}).encode()))) < 600


@pytest.mark.parametrize("data", ["text", {"a": 1}, [1], None])
def test_anything_but_a_list_of_rows_is_malformed(data: object) -> None:
    with pytest.raises(SourceMalformed, match="trades"):
        rows_in(data, "trades")


@pytest.mark.parametrize("row", [{}, {"n": None}, {"n": "x"}, [], None])
def test_a_row_of_another_form_names_its_table(row: object) -> None:
    with pytest.raises(SourceMalformed, match="a row of numbers: ") as refusal:
        parse_row("numbers", lambda value: int(value["n"]), row)
    assert refusal.value.field == "numbers"


def test_a_row_of_the_right_form_is_parsed() -> None:
    assert parse_row("numbers", lambda value: int(value["n"]), {"n": "7"}) == 7
