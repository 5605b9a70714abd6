"""`coliseum check-endpoint` against endpoints over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from coliseum.arena.calling.messages import challenge_proof
from coliseum.arena.entry.tokens import signing_secret_from
from coliseum_local.check_endpoint import check_endpoint

SECRET = signing_secret_from(b"a" * 32)
Reply = tuple[int, Any]
Answer = Callable[[Mapping[str, str], bytes], Reply]


def right(headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        Webhook(SECRET).verify(body, dict(headers))
    except Exception:  # noqa: BLE001 - whatever a forged header raises
        return 401, {}
    return careless(headers, body)


def careless(headers: Mapping[str, str], body: bytes) -> Reply:
    """Checks no signature."""
    message = json.loads(body)
    if message["type"] == "arena.challenge":
        return 200, {"proof": challenge_proof(SECRET, message["data"]["challenge"])}
    assert message["data"]["context"]["question"]["title"]
    return 200, {"probability": 0.37}


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, value = answer({name.lower(): text for name, text in self.headers.items()}, body)
            sent = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/forecast"
    server.shutdown()
    server.server_close()


def check(answer: Answer, *, secret: str = SECRET) -> tuple[int, str]:
    lines: list[str] = []
    with serving(answer) as url:
        code = check_endpoint(url, secret=secret, show=lines.append, clock=lambda: datetime.now(UTC))
    return code, "\n".join(lines)


def test_a_right_endpoint_passes() -> None:
    code, text = check(right)
    assert (code, "Coliseum can call it" in text, "error" in text, "warning" in text) == (0, True, False, False)
    assert "probability 0.37" in text


def test_an_endpoint_that_checks_no_signature_is_told_so() -> None:
    code, text = check(careless)
    assert code == 1
    assert "did not sign; right is 401" in text
    assert "warning  age" in text


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((200, {"p": 0.4}), "no other field"),
        ((200, {"probability": 40}), "from 0 to 1"),
        ((302, {}), "redirects are not followed"),
        ((500, {}), "answered 500"),
    ],
)
def test_a_wrong_answer_is_named(reply: Reply, said: str) -> None:
    def wrong(headers: Mapping[str, str], body: bytes) -> Reply:
        return reply if json.loads(body)["type"] == "arena.question" else right(headers, body)

    code, text = check(wrong)
    assert code == 1
    assert "ok       challenge" in text
    assert said in text


def test_another_secret_is_no_proof() -> None:
    code, text = check(right, secret=signing_secret_from(b"b" * 32))
    assert code == 1
    assert "error    challenge: answered 401" in text


@pytest.mark.parametrize("secret", ["", "whsec_short", SECRET + "\n", "clm_" + "A" * 43])
def test_a_secret_of_another_form_is_named_and_not_shown(secret: str) -> None:
    lines: list[str] = []
    assert check_endpoint("http://127.0.0.1:9/", secret=secret, show=lines.append) == 1
    assert "SIGNING_SECRET: expected" in lines[0]
    assert secret.strip() not in lines[0] or not secret


@pytest.mark.parametrize("url", ["agent.example", "ftp://agent.example/", "http://"])
def test_what_is_no_address_is_named(url: str) -> None:
    lines: list[str] = []
    assert check_endpoint(url, secret=SECRET, show=lines.append) == 1
    assert "is no address" in lines[0]


def test_an_endpoint_that_is_not_there_is_named() -> None:
    lines: list[str] = []
    assert check_endpoint("http://127.0.0.1:9/", secret=SECRET, show=lines.append) == 1
    assert "error    challenge: no answer" in lines[0]


def test_the_command_takes_the_secret_from_the_environment() -> None:
    with serving(right) as url:
        done = subprocess.run(
            [sys.executable, "-m", "coliseum_local", "check-endpoint", url],
            env={"SIGNING_SECRET": SECRET, "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "Coliseum can call it" in done.stdout) == (0, True)
