"""The streaming layer under real Runtime APIs: the wrapper starts a process, a function URL emulator talks to it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.fixtures.function_url import Url, serving
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum_local.function_url import FunctionUrl, variables

APP = """
import asyncio, json, pathlib, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["warm"] = "yes"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan ended", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive())["body"]
    async def start(status=200, headers=()):
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    async def chunk(data, more=True):
        await send({"type": "http.response.body", "body": data, "more_body": more})
    match scope["path"]:
        case "/ticks":
            await start(headers=[(b"Content-Type", b"text/event-stream")])
            for number in range(4):
                await chunk(b"tick %d\\n" % number)
            await chunk(b"", more=False)
        case "/gated":
            await start()
            await chunk(b"first")
            while not pathlib.Path("gate").exists():
                await asyncio.sleep(0.01)
            await chunk(b"second", more=False)
        case "/echo":
            seen = {"method": scope["method"], "query": scope["query_string"].decode(), "body": body.decode(),
                    "state": scope["state"], "left": scope["coliseum.deadline"] - time.time(),
                    "headers": [[n.decode(), v.decode()] for n, v in scope["headers"]], "client": scope["client"][0]}
            await start(201, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-length", b"1")])
            await chunk(json.dumps(seen).encode(), more=False)
        case "/early":
            await start()
            raise ValueError("before the first byte")
        case "/late":
            await start()
            await chunk(b"first")
            raise ValueError("after the first byte")
        case "/unfinished":
            await start()
            await chunk(b"first")
        case "/endless":
            await start()
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await chunk(b".")
                await asyncio.wait({gone}, timeout=0.05)
            await chunk(b"goodbye", more=False)
        case "/deaf":
            await start()
            while True:
                await chunk(b".")
                await asyncio.sleep(0.05)
        case "/stuck":
            await start()
            await chunk(b"first")
            await asyncio.sleep(0.05)
            time.sleep(60)

def broken():
    raise RuntimeError
"""


Start = Callable[..., AbstractContextManager[Url]]
LONG_SECONDS = 3600.0
"""A time-out that no test reaches."""


@pytest.fixture
def start(tmp_path: Path, root: Path) -> Start:
    """Starts function URLs for the app above."""
    (tmp_path / "app.py").write_text(APP)
    wrapper = root / "layers/streaming/coliseum_streaming/exec-wrapper"

    @contextmanager
    def started(*, handler: str = "app.app", timeout_seconds: float = LONG_SECONDS, cap: int = 5) -> Iterator[Url]:
        function = FunctionUrl(
            command=[str(wrapper), sys.executable],
            variables=variables(task=tmp_path, handler=handler),
            folder=tmp_path,
            timeout_seconds=timeout_seconds,
            cap=cap,
        )
        with serving(function) as url:
            yield url

    return started


def test_a_chunk_reaches_the_client_when_it_is_written(start: Start, tmp_path: Path) -> None:
    """The app writes its second chunk only after the client has read the first."""
    with start() as url, url.client.stream("GET", "/gated") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"first"
        (tmp_path / "gate").touch()
        assert next(chunks) == b"second"


def test_all_chunks_arrive_with_the_content_type(start: Start) -> None:
    with start() as url:
        answer = url.client.get("/ticks")
    assert answer.text == "".join(f"tick {number}\n" for number in range(4))
    assert answer.headers["content-type"] == "text/event-stream"


def warm(url: Url, *, timeout_seconds: float) -> None:
    """Start the environment first, so that `timeout_seconds` of later requests pays for no cold start."""
    assert url.client.get("/ticks").status_code == 200
    url.function.timeout_seconds = timeout_seconds


def test_one_environment_serves_request_after_request(start: Start) -> None:
    with start() as url:
        for _ in range(3):
            assert url.client.get("/ticks").status_code == 200
        assert [record.cold for record in url.function.records] == [True, False, False]


def test_the_app_sees_the_request_its_state_and_its_deadline(start: Start) -> None:
    with start() as url:
        answer = url.client.post("/echo?a=1&b=%C3%A9", content=b"hello", headers={"cookie": "x=y", "x-test": "one"})
        seen = answer.json()
    assert answer.status_code == 201
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (seen["method"], seen["query"], seen["body"]) == ("POST", "a=1&b=%C3%A9", "hello")
    assert seen["state"] == {"warm": "yes"}
    assert LONG_SECONDS / 2 < seen["left"] <= LONG_SECONDS
    assert ["cookie", "x=y"] in seen["headers"]
    assert ["x-test", "one"] in seen["headers"]


def test_an_error_before_the_first_byte_is_a_502_and_the_environment_lives_on(start: Start) -> None:
    with start() as url:
        assert url.client.get("/early").status_code == 502
        assert (url.settled().outcome, url.last.error_type) == ("error", "Runtime.ValueError")
        assert url.client.get("/ticks").status_code == 200
        assert not url.last.cold


def test_an_error_after_the_first_byte_breaks_the_stream_off_and_is_sent_in_trailers(start: Start) -> None:
    with start() as url:
        with url.client.stream("GET", "/late") as response, pytest.raises(httpx.RemoteProtocolError):
            response.read()
        assert response.status_code == 200
        assert (url.settled().outcome, url.last.error_type) == ("broken", "Runtime.ValueError")
        assert url.client.get("/ticks").status_code == 200


def test_a_response_that_just_stops_is_an_error(start: Start) -> None:
    with start() as url:
        with pytest.raises(httpx.RemoteProtocolError):
            url.client.get("/unfinished")
        assert (url.settled().outcome, url.last.error_type) == ("broken", "Runtime.RuntimeError")


def test_an_endless_stream_is_disconnected_before_the_deadline_and_ends_cleanly(start: Start) -> None:
    with start() as url:
        warm(url, timeout_seconds=2.5)
        answer = url.client.get("/endless")
        assert answer.text.endswith("goodbye")
        assert url.settled().outcome == "complete"
        assert url.last.seconds > 1.0


def test_an_app_that_does_not_listen_is_cut_before_the_deadline(start: Start) -> None:
    with start() as url:
        warm(url, timeout_seconds=2)
        assert set(url.client.get("/deaf").text) == {"."}
        assert url.settled().outcome == "complete"
        url.function.timeout_seconds = LONG_SECONDS
        assert url.client.get("/ticks").status_code == 200


def test_an_environment_that_runs_into_its_time_out_is_killed_and_the_next_request_starts_cold(start: Start) -> None:
    with start() as url:
        warm(url, timeout_seconds=1.2)
        with pytest.raises(httpx.RemoteProtocolError):
            url.client.get("/stuck")
        assert url.settled().outcome == "timeout"
        url.function.timeout_seconds = LONG_SECONDS
        assert url.client.get("/ticks").status_code == 200
        assert url.last.cold


def test_a_client_that_leaves_is_drained_for_until_the_session_ends(start: Start) -> None:
    with start() as url:
        warm(url, timeout_seconds=2.5)
        with url.client.stream("GET", "/endless") as response:
            next(response.iter_raw())
        assert url.settled().client_left
        assert url.last.outcome == "complete"
        assert url.last.seconds > 1.0


def test_beyond_the_cap_there_is_a_429(start: Start) -> None:
    with start(cap=1) as url:
        with url.client.stream("GET", "/endless") as response:
            next(response.iter_raw())
            assert url.client.get("/ticks").status_code == 429


def test_an_app_that_cannot_be_loaded_is_an_init_error(start: Start) -> None:
    with start(handler="app.missing") as url:
        assert url.client.get("/ticks").status_code == 502
        assert url.settled().error_type == "Runtime.AttributeError"


def test_sigterm_ends_an_idle_environment_with_its_lifespan(start: Start) -> None:
    with start() as url:
        url.client.get("/ticks")
        assert url.close() == [0]


def test_sigterm_is_a_disconnect_for_a_stream_that_is_open(tmp_path: Path, root: Path) -> None:
    """Without an emulator: a bare Runtime API that hands out one event."""
    (tmp_path / "app.py").write_text(APP)
    event = {"rawPath": "/endless", "headers": {}, "requestContext": {"http": {"method": "GET"}}}

    async def scenario() -> tuple[bytes, int]:
        handed_out = asyncio.Event()
        received = asyncio.get_running_loop().create_future()

        async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET") and not handed_out.is_set():
                handed_out.set()
                body = json.dumps(event).encode()
                deadline = int((time.time() + LONG_SECONDS) * 1000)
                answer = f"Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
                writer.write(f"HTTP/1.1 200 OK\r\n{answer}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
            elif head.startswith(b"POST"):
                first = await reader.read(1000)
                process.send_signal(signal.SIGTERM)
                rest = await reader.readuntil(b"0\r\n\r\n")
                received.set_result(first + rest)
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(api, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        environment = variables(task=tmp_path, handler="app.app", extra={"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"})
        wrapper = root / "layers/streaming/coliseum_streaming/exec-wrapper"
        process = await asyncio.create_subprocess_exec(
            str(wrapper), sys.executable, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
        )
        answer = await asyncio.wait_for(received, PATIENCE_SECONDS)
        code = await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
        server.close()
        return answer, code

    answer, code = asyncio.run(scenario())
    assert b"goodbye" in answer
    assert code == 0
