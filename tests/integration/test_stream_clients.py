"""Our two clients against a server that misbehaves on cue: what they forgive, what they repeat, when they give up."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.sse_clients.adapters import Enough, node, node_binary
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.client import Follower, StreamEvent, StreamRefused, follow
from coliseum.streaming.subscription import EVENT_NAMES

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
HANG = b"<hang>"
WRAPPER = "web/coliseum-events.js"


class Script:
    """Answers connection after connection with prepared bytes; the last answer repeats."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[str] = []
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/sse"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                asked = client.recv(65_536).decode()
                if not asked:  # connected in vain, as Node does when it is stopped
                    client.close()
                    continue
                self.requests.append(asked)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                client.sendall(answer.removesuffix(HANG))
                if answer.endswith(HANG):
                    self._open.append(client)
                else:
                    client.close()


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def make(*answers: bytes) -> Script:
        made.append(Script(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


def trade(seq: int) -> bytes:
    return b'event: new_trades\ndata: {"trades":[{"trade_id":"t%d"}]}\nid: 1000-%d\n\n' % (seq, seq)


def take(script: Script, count: int, **options: Any) -> tuple[list[StreamEvent], list[float]]:
    """The first events, and how long the client wished to wait in between."""
    waits: list[float] = []
    with closing(follow(script.url, sleep=waits.append, **options)) as events:
        return [event for _, event in zip(range(count), events, strict=False)], waits


def test_what_was_delivered_before_is_dropped_by_id(script: Callable[..., Script]) -> None:
    """SSE-126."""
    server = script(OK + trade(1) + trade(2), OK + trade(2) + trade(1) + trade(3) + HANG)
    events, _ = take(server, 3)
    assert [event.id for event in events] == ["1000-1", "1000-2", "1000-3"]
    assert "last-event-id: 1000-2" in server.requests[1].lower()


def test_a_reset_lets_lower_ids_through_again(script: Callable[..., Script]) -> None:
    """SSE-126."""
    server = script(OK + trade(9) + b'event: reset\ndata: {"reason":"ahead"}\n\n' + trade(5) + HANG)
    events, _ = take(server, 3)
    assert [event.id for event in events] == ["1000-9", None, "1000-5"]


def test_a_cut_off_event_is_neither_given_out_nor_remembered(script: Callable[..., Script]) -> None:
    """SSE-013, SSE-126."""
    server = script(OK + trade(1) + trade(2)[:-1], OK + trade(2) + HANG)
    events, _ = take(server, 2)
    assert [event.id for event in events] == ["1000-1", "1000-2"]
    assert "last-event-id: 1000-1" in server.requests[1].lower()


def test_a_client_waits_for_the_servers_retry_after_a_clean_end(script: Callable[..., Script]) -> None:
    """SSE-015, SSE-127."""
    closing_event = b'event: closing\nretry: 1234\ndata: {"reason":"rotate"}\n\n'
    _, waits = take(script(OK + trade(1) + closing_event, OK + trade(2) + HANG), 3)
    assert waits == [1.234]


def test_refusals_that_may_pass_are_waited_out_with_jitter(script: Callable[..., Script]) -> None:
    """SSE-127: the platform's own 429 and 5xx."""
    busy = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    bad = b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    _, waits = take(script(busy, bad, bad, bad, bad, bad, bad, bad, OK + trade(1) + HANG), 1)
    assert waits[0] >= 7
    assert all(0 <= wait <= limit for wait, limit in zip(waits[1:], (2, 4, 8, 16, 30, 30, 30), strict=True))


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_for_good_is_an_error_with_its_reason(script: Callable[..., Script], status: int) -> None:
    """SSE-127."""
    answer = b'HTTP/1.1 %d No\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"a": "why"}' % status
    with pytest.raises(StreamRefused, match="why") as caught:
        take(script(answer), 1)
    assert caught.value.status == status


def test_an_answer_that_is_no_stream_is_an_error(script: Callable[..., Script]) -> None:
    with pytest.raises(StreamRefused, match="text/html"):
        take(script(OK.replace(b"text/event-stream", b"text/html") + b"hello"), 1)


def test_an_address_that_is_none_is_an_error_and_not_waited_out() -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        next(follow("localhost:8000/api/python/sse/trading", sleep=lambda seconds: pytest.fail("it waits")))


def test_no_content_ends_the_iteration(script: Callable[..., Script]) -> None:
    """SSE-127."""
    assert take(script(OK + trade(1), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), 9)[0] != []


def test_a_silent_connection_is_given_up_and_resumed(script: Callable[..., Script]) -> None:
    """SSE-128."""
    server = script(OK + trade(1) + HANG, OK + trade(2) + HANG)
    events, _ = take(server, 2, watchdog_seconds=2.0)
    assert [event.id for event in events] == ["1000-1", "1000-2"]


def test_a_gap_reaches_the_callback_and_the_cursor_can_be_kept(script: Callable[..., Script]) -> None:
    """SSE-121."""
    gaps: list[Any] = []
    state = Follower("1000-1", on_gap=gaps.append)
    gap = b'event: gap\ndata: {"lost":3,"from":"1000-1","to":"1000-4","reason":"trimmed"}\n\n'
    take(script(OK + gap + trade(5) + HANG), 2, follower=state)
    assert [each["lost"] for each in gaps] == [3]
    assert state.cursor == "1000-5"


def test_a_token_travels_in_a_header_and_never_in_the_address(script: Callable[..., Script]) -> None:
    """SSE-082."""
    server = script(OK + trade(1) + HANG)
    take(server, 1, token="secret-ticket", params={"ticker": "A-1"})
    line, *headers = server.requests[0].split("\r\n")
    assert line == "GET /sse?ticker=A-1 HTTP/1.1"
    assert "Authorization: Bearer secret-ticket" in headers


def test_the_page_wrapper_drops_what_came_before_and_resumes_a_silent_connection(
    script: Callable[..., Script],
) -> None:
    """SSE-126, SSE-128."""
    server = script(OK + trade(1) + trade(2) + HANG, OK + trade(2) + trade(3) + HANG)
    enough = Enough(lambda seen: [name for name, _, _ in seen].count("new_trades") == 3)
    seen = node("wrapper", "2")(server.url, "", enough)
    assert [last for name, _, last in seen if name == "new_trades"] == ["1000-1", "1000-2", "1000-3"]
    assert "last_event_id=1000-2" in server.requests[1]


def test_the_page_wrapper_listens_to_every_event_of_the_log(root: Path) -> None:
    """A browser hands out named events to those who ask for the name."""
    lists = re.search(r"const LOGGED = \[(.*?)\];\nconst STATES = \[(.*?)\];", (root / WRAPPER).read_text(), re.S)
    assert lists is not None
    assert set(EVENT_NAMES.values()) <= set(re.findall(r'"(\w+)"', lists[0]))


def test_the_page_wrapper_drops_a_connection_whose_ticket_came_too_late(root: Path) -> None:
    """The watchdog has begun another one meanwhile: two would deliver twice the bytes for nothing."""
    script = f"""
import {{ ColiseumEvents }} from "{root / WRAPPER}";
const made = [], tickets = [];
class Source {{ constructor(url) {{ made.push(url); }} addEventListener() {{}} close() {{}} }}
const events = new ColiseumEvents("/sse", {{
  EventSource: Source, watchdogSeconds: 0.05, random: () => 0,
  ticket: () => new Promise((resolve) => tickets.push(resolve)),
}});
const look = setInterval(() => {{
  if (tickets.length < 2) return;
  clearInterval(look);
  tickets.forEach((resolve, number) => resolve(`t${{number}}`));
  setImmediate(() => {{ console.log(JSON.stringify(made)); events.close(); }});
}}, 1);
"""
    command = [str(node_binary()), "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    assert done.stdout.strip() == '["/sse?ticket=t1"]'
