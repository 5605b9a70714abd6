"""`create_agent` as a program outside the arena uses it: results, other servers, traces."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.openrouter.server import OpenRouter, Reply, refusal, serving

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.llm.client import create_agent
from coliseum.llm.failures import ModelFailed
from coliseum.llm.options import Options

MODEL = "vendor/model-1"
KEY = "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"
TOKEN = "pylf_v1_eu_QwErTyUiOpAsDfGhJkLzXcVbNm"
LOCAL = Reply(content="Yes.", without=("provider", "object"), cost=None)


class Capital(BaseModel):
    city: str
    people: int


@pytest.fixture(scope="module")
def _server() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture
def openrouter(_server: OpenRouter) -> OpenRouter:
    _server.scripts.clear()
    _server.requests.clear()
    _server.headers.clear()
    return _server


def settings(openrouter: OpenRouter, **changes: Any) -> Settings:
    return Settings(openrouter_api_key=KEY, openrouter_base_url=openrouter.url, **changes)


def test_a_result_has_its_usage_cost_and_latency(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, Reply(content="Yes."))
    made = create_agent(model=f"openai:{MODEL}", system_prompt="Be brief.", settings=settings(openrouter))
    result = made.run_sync("Will it?")
    assert result.output == result.data == "Yes."
    assert (result.usage.requests, result.usage.input_tokens, result.usage.output_tokens) == (1, 1200, 400)
    assert result.usage().total_tokens == 1600
    assert str(result.cost) == "0.0021"
    assert 0 < result.latency < PATIENCE_SECONDS
    assert openrouter.requests[0]["model"] == MODEL


@pytest.mark.parametrize("name", ["llama3.2:3b", "openai:llama3.2:3b", "hf.co/someone/Llama-3.2-GGUF:Q4_K_M"])
def test_a_local_server_needs_no_key_vendor_provider_or_cost(openrouter: OpenRouter, name: str) -> None:
    sent = name.removeprefix("openai:")
    openrouter.script(sent, LOCAL)
    made = create_agent(model=name, system_prompt="Be brief.", base_url=openrouter.url, settings=Settings())
    result = asyncio.run(made.run("Will it?"))
    assert (result.output, result.cost, result.host, result.usage.output_tokens) == ("Yes.", None, None, 400)
    body, headers = openrouter.requests[0], openrouter.headers[0]
    assert body["model"] == sent
    assert not {"provider", "reasoning"} & body.keys()
    assert headers["authorization"] == "Bearer none"


def test_the_settings_address_may_be_a_local_server(openrouter: OpenRouter) -> None:
    openrouter.script(MODEL, LOCAL)
    made = create_agent(model=MODEL, system_prompt="Be brief.", settings=settings(openrouter))
    assert made.run_sync("Will it?").output == "Yes."


def test_without_a_key_another_address_is_a_server_of_its_own_models(openrouter: OpenRouter) -> None:
    openrouter.script("llama3.2", LOCAL)
    used = Settings(openrouter_base_url=openrouter.url)
    assert create_agent(model="llama3.2", system_prompt="", settings=used).run_sync("Will it?").output == "Yes."
    assert openrouter.headers[0]["authorization"] == "Bearer none"
    assert not {"provider", "reasoning"} & openrouter.requests[0].keys()


def test_a_local_server_answers_in_a_schema(openrouter: OpenRouter) -> None:
    """Small models write the answer as text, although a call was asked for."""
    text = 'Sure!\n```json\n{"city": "Bonn", "people": "330000",}\n```'
    openrouter.script("tiny", Reply(message={"content": text}, without=("provider", "usage")))
    made = create_agent(
        model="tiny", system_prompt="Name it.", output_type=Capital, base_url=openrouter.url, settings=Settings()
    )
    result = made.run_sync("Which?")
    assert result.output == Capital(city="Bonn", people=330_000)
    assert (result.usage.requests, result.repairs) == (1, ("code_fence", "relaxed_json", "text_for_call"))


def test_the_key_of_openrouter_is_sent_to_the_settings_address_only(openrouter: OpenRouter) -> None:
    used = Settings(openrouter_api_key=KEY)
    openrouter.script("tiny", LOCAL)
    create_agent(model="tiny", system_prompt="", base_url=openrouter.url, settings=used).run_sync("?")
    create_agent(
        model="tiny", system_prompt="", base_url=openrouter.url, api_key="its-own-key", settings=used
    ).run_sync("?")
    assert [headers["authorization"] for headers in openrouter.headers] == ["Bearer none", "Bearer its-own-key"]


def test_an_echoed_key_of_a_local_server_is_removed_too(openrouter: OpenRouter) -> None:
    openrouter.script("tiny", Reply(echo=lambda header: refusal(401, f"bad: {header}")))
    made = create_agent(
        model="tiny", system_prompt="", base_url=openrouter.url, api_key="local-key-0123456789", settings=Settings(),
        options=Options(connection_retries=0),
    )  # fmt: skip
    with pytest.raises(ModelFailed, match="redacted") as caught:
        made.run_sync("?")
    assert "0123456789" not in str(caught.value)
    assert "0123456789" not in repr(made)


@pytest.mark.parametrize("url", ["localhost:11434", "", "ftp://x/y", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        create_agent(model="tiny", system_prompt="", base_url=url, settings=Settings())


def test_production_refuses_a_server_on_this_machine() -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_BASE_URL"):
        create_agent(
            model="tiny",
            system_prompt="",
            base_url="http://localhost:11434/v1",
            settings=Settings(environment="production"),
        )


@pytest.mark.parametrize("name", ["", "a b", "a\nb"])
def test_a_model_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="model"):
        create_agent(model=name, system_prompt="", base_url="http://localhost:11434/v1", settings=Settings())


@pytest.fixture
def sink() -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes what a tracer sends."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named by the base class
            """Write no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PROGRAM = f"""
from coliseum.llm.client import create_agent
result = create_agent(model="openai:{MODEL}", system_prompt="Be brief.").run_sync("Will it?")
print(result.output)
"""


@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_program_is_traced_where_there_is_a_token_without_a_further_call(
    openrouter: OpenRouter, sink: tuple[str, list[bytes]], tmp_path: Path, token: str | None
) -> None:
    """The provider echoes the key and the token; neither is in what was sent."""
    openrouter.script(MODEL, Reply(echo=lambda header: Reply(content=f"Yes. {header} {TOKEN}")))
    address, received = sink
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LOGFIRE", "OTEL"))},
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": openrouter.url,
        "LOGFIRE_BASE_URL": address,
        **({} if token is None else {"LOGFIRE_TOKEN": token}),
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False,
        timeout=PATIENCE_SECONDS * 4,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Yes.")
    sent = b"".join(received)
    assert (b"invoke_agent" in sent) == (token is not None)
    assert (b"Will it?" in sent) == (token is not None)
    for text in (ran.stdout.encode(), ran.stderr.encode(), sent):
        assert KEY[9:25].encode() not in text
        assert token is None or TOKEN[11:25].encode() not in text
