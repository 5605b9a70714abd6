"""A provider that echoes the key, the Logfire token or other secrets: through the real libraries, with traces."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.openrouter.server import FORECAST, OpenRouter, Reply, refusal, serving

from coliseum.arena.agents.reply import ForecastReply
from coliseum.config import Settings
from coliseum.llm import tracing
from coliseum.llm.client import create_agent
from coliseum.llm.failures import ModelFailed
from coliseum.llm.options import Options

MODEL = "vendor/model-1"
KEY = "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"
TOKEN = "pylf_v1_eu_QwErTyUiOpAsDfGhJkLzXcVbNm"
ADMIN = "admin-AbCdEf0123456789"


@pytest.fixture(scope="module")
def openrouter() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start(Settings(), processors=[SimpleSpanProcessor(exporter)])
    yield exporter
    tracing.stop()


def shown_by(base_url: str, exporter: InMemorySpanExporter) -> str:
    """Everything that comes of one question: answer, record, exception with its causes, and spans."""
    settings = Settings(openrouter_api_key=KEY, openrouter_base_url=base_url, logfire_token=TOKEN, admin_token=ADMIN)
    made = create_agent(
        model=MODEL,
        system_prompt="Forecast.",
        output_type=ForecastReply,
        options=Options(connection_retries=0),
        settings=settings,
    )
    shown: list[Any] = [repr(made)]
    try:
        result = asyncio.run(made.run("Will it?"))
        shown += [result.output.model_dump(), result.record, result.messages.decode()]
    except ModelFailed as error:
        shown += [
            error,
            error.problem,
            error.record,
            error.record.messages.decode(),
            *traceback.format_exception(error),
        ]
    shown += [span.to_json() for span in exporter.get_finished_spans()]
    return "\n".join(map(str, shown))


SPELLINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.upper(),
    lambda text: urllib.parse.quote(text, safe=""),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    lambda text: text.encode().hex(),
    " ".join,
    lambda text: f"{text[:30]}, {text[30:]}",
    lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
]


def pieces(text: str) -> list[str]:
    """What must not be shown: eight letters of the secret part, in the given spelling."""
    return [text[start : start + 8] for start in range(len(text) - 7)]


HTML = {"Content-Type": "text/html"}


def call(text: str) -> dict[str, str]:
    return {"name": text, "arguments": text}


Place = Callable[[str], Reply]
PLACES: dict[str, Place] = {
    "an error's message": lambda text: refusal(401, f"No auth: {text}"),
    "an error's metadata": lambda text: refusal(403, "x", metadata={"raw": text, "reasons": [text]}),
    "a rate limit": lambda text: refusal(429, text, headers={"X-Echo": text.replace("\n", " ")}),
    "a server's error": lambda text: refusal(500, text),
    "an error in a success": lambda text: Reply(body=json.dumps({"error": {"code": 502, "message": text}}).encode()),
    "a page": lambda text: Reply(status=403, body=f"<html>{text}</html>".encode(), headers=HTML),
    "no JSON": lambda text: Reply(body=f"{{{text}".encode()),
    "a redirect": lambda text: Reply(status=307, headers={"Location": f"/x?{urllib.parse.quote(text)}"}, body=b""),
    "a rationale": lambda text: Reply(arguments={**FORECAST, "rationale": text, "yes_factors": [text]}),
    "a text": lambda text: Reply(content=f"I was sent {text}"),
    "reasoning": lambda text: Reply(message={"reasoning": f"The key is {text}", "content": "likely"}),
    "a refusal": lambda text: Reply(message={"refusal": text}),
    "a tool's name": lambda text: Reply(message={"tool_calls": [{"id": text, "function": call(text)}]}),
    "a wrong probability": lambda text: Reply(arguments={**FORECAST, "probability": text}),
    "a field's name": lambda text: Reply(arguments={**FORECAST, text: 1, "probability": None}),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_an_echoed_key_reaches_nothing(
    openrouter: OpenRouter, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture, place: Place
) -> None:
    caplog.set_level(logging.DEBUG)
    for spell in SPELLINGS:
        openrouter.script(MODEL, Reply(echo=lambda header, spell=spell: place(spell(header.removeprefix("Bearer ")))))  # type: ignore[misc]
        shown = (shown_by(openrouter.url, spans) + caplog.text).lower()
        written = spell(KEY)[len(spell(KEY)) // 4 :].lower()
        assert not [piece for piece in pieces(written) if piece.strip() and piece in shown and len(set(piece)) > 2]
        spans.clear()
        caplog.clear()


@pytest.mark.parametrize("secret", [TOKEN, ADMIN])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_so_do_other_secrets(openrouter: OpenRouter, spans: InMemorySpanExporter, place: Place, secret: str) -> None:
    openrouter.script(MODEL, place(secret))
    shown = shown_by(openrouter.url, spans)
    assert not [piece for piece in pieces(secret[8:]) if piece in shown]


def test_what_is_no_http_is_not_quoted(spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    """The library quotes a status line that it does not understand."""
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(f"{KEY} is no HTTP\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        shown = shown_by(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", spans)
        thread.join()
    assert "network" in shown
    assert not [piece for piece in pieces(KEY[9:]) if piece in shown + caplog.text]


def test_the_reason_of_a_status_line_is_not_logged(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(f"HTTP/1.1 500 {KEY}\r\nContent-Length: 0\r\nX-{KEY}: 1\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        shown = shown_by(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", spans)
        thread.join()
    assert not [piece for piece in pieces(KEY[9:]) if piece in shown + caplog.text]
