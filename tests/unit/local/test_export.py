from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.streamed import StreamedAnswers

from coliseum_local.export import export, local_address

PATH = "/api/python/arena/exports/results"
FIRST = 'ticker,value\r\nA,"1.0000"\r\n"B\r\nC",0\r\n'
SECOND = "ticker,value\r\nD,1\r\n"


class Pages:
    """An API that answers one page after the other; a number is a status without content."""

    def __init__(self, *pages: str | int) -> None:
        self.pages = pages
        self.asked: list[httpx.URL] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        number = int(request.url.params.get("cursor", "0"))
        page = self.pages[number]
        if isinstance(page, int):
            return httpx.Response(page, json={"detail": "no such thing"}, headers={"retry-after": "0"})
        following = f'<{request.url.path}?cursor={number + 1}>; rel="next"'
        return httpx.Response(200, text=page, headers={"link": following} if number + 1 < len(self.pages) else {})


def run(output: Path, pages: Pages, *, form: str = "csv", **filters: str) -> int:
    transport = StreamedAnswers(pages)
    return export("results", url="http://host:8000/", form=form, filters=filters, output=output, transport=transport)


def test_pages_become_one_file_with_one_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = Pages(FIRST, SECOND)
    assert run(tmp_path / "r.csv", pages, season="2026Q4") == 0
    assert (tmp_path / "r.csv").read_bytes() == b'ticker,value\r\nA,"1.0000"\r\n"B\r\nC",0\r\nD,1\r\n'
    assert "3 rows" in capsys.readouterr().out
    assert (pages.asked[0].path, dict(pages.asked[0].params)) == (f"{PATH}.csv", {"season": "2026Q4", "limit": "1000"})


@pytest.mark.parametrize(
    ("pages", "named"),
    [((FIRST, 404), "HTTP 404: no such thing"), ((FIRST, 503), "HTTP 503"), ((FIRST, "a,b\r\n1,2\r\n"), "columns")],
)
def test_a_file_that_is_not_whole_does_not_appear(
    tmp_path: Path, pages: Sequence[str | int], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("older")
    assert run(tmp_path / "r.csv", Pages(*pages)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
    assert (tmp_path / "r.csv").read_text() == "older"
    assert named in capsys.readouterr().err


BAD = {
    "html": ("<html><body>Sign in</body></html>", "html"),
    "nothing": ("", ""),
    "a row that is cut off": ("ticker,value\r\nA,1\r\nB", '{"ticker": "A"}\n{"ticker"'),
    "a row without its end": ("ticker,value\r\nA,1\r\nB,0", '{"ticker": "A"}\n{"ticker": "B"}'),
    "a row with too much": ("ticker,value\r\nA,1,2\r\n", '{"ticker": "A"} {}\n'),
    "an open quotation mark": ('ticker,value\r\n"A,1\r\n', '{"ticker": "A\n'),
    "another code": ("ticker,value\r\n\udce9,1\r\n", "\udce9\n"),
}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("name", list(BAD))
def test_an_answer_that_is_no_table_gives_no_file(
    tmp_path: Path, name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = BAD[name][form == "jsonl"].encode("utf-8", "surrogateescape")
    code = export(
        "results", url="http://host", form=form, filters={}, output=tmp_path / "out",
        transport=StreamedAnswers(lambda _: httpx.Response(200, content=content)),
    )  # fmt: skip
    empty_lines = form == "jsonl" and not content  # a table without rows
    assert (code, (tmp_path / "out").exists()) == ((0, True) if empty_lines else (2, False))
    assert ("http://host" in capsys.readouterr().err) != empty_lines


@pytest.mark.parametrize("cut", [1, 8, 12])
def test_a_packed_answer_that_ends_too_early_is_asked_for_again(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(SECOND.encode())
    answers = iter([packed[:-cut], b"not packed", packed])

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(next(answers)))

    code = export(
        "results", url="http://host", form="csv", filters={}, output=tmp_path / "r.csv",
        transport=httpx.MockTransport(answer),
    )  # fmt: skip
    assert (code, (tmp_path / "r.csv").read_bytes()) == (0, SECOND.encode())


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    answers = iter([503, 429, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(next(answers), text=SECOND, headers={"retry-after": "0"})

    code = export(
        "results", url="http://host", form="csv", filters={}, output=tmp_path / "r.csv",
        transport=StreamedAnswers(answer),
    )  # fmt: skip
    assert (code, (tmp_path / "r.csv").read_text()) == (0, "ticker,value\nD,1\n")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none" / "r.csv", Pages(SECOND)) == 2
    assert "No such file" in capsys.readouterr().err


def test_parquet_has_the_types_of_json(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = [
        {"market": "A", "p": 0.5, "y": 1, "opened": True, "payload": {"b": 1}, "due_at": "inf", "none": None},
        {"market": "B", "p": 1, "y": None, "opened": False, "payload": None, "due_at": None, "none": None},
    ]
    assert run(tmp_path / "r.parquet", Pages(*(json.dumps(row) + "\n" for row in rows)), form="parquet") == 0
    table = parquet.read_table(tmp_path / "r.parquet")
    assert table.to_pylist() == [{**rows[0], "payload": '{"b": 1}'}, {**rows[1], "p": 1.0}]
    kinds = [str(kind) for kind in table.schema.types]
    assert kinds == ["string", "double", "int64", "bool", "string", "string", "string"]


@pytest.mark.parametrize(
    ("environment", "dotenv", "address"),
    [
        ({}, "", "http://127.0.0.1:8000"),
        ({"COLISEUM_PORT": "8105"}, "", "http://127.0.0.1:8105"),
        ({}, "COLISEUM_PORT=8106\n", "http://127.0.0.1:8106"),
        ({"COLISEUM_PORT": "8105"}, "COLISEUM_PORT=8106\n", "http://127.0.0.1:8105"),
    ],
)
def test_without_an_address_the_local_system_is_meant(
    tmp_path: Path, environment: dict[str, str], dotenv: str, address: str
) -> None:
    (tmp_path / ".env").write_text(dotenv)
    assert local_address(tmp_path, environment) == address


@pytest.mark.parametrize(("port", "named"), [("0", "--url"), ("http", "a port from 0"), ("65536", "a port from 0")])
def test_a_port_that_names_no_address_is_refused(
    tmp_path: Path, port: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLISEUM_PORT", port)
    assert export("results", url=None, form="csv", filters={}, output=tmp_path / "out") == 2
    assert "COLISEUM_PORT: " in (told := capsys.readouterr().err)
    assert named in told
