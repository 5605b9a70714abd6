"""Child servers: ready lines, output, ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum_local.processes import ServerProcess

CHATTY = """
import sys, time
from coliseum_local.processes import announce_ready
print("before")
announce_ready(url="http://127.0.0.1:1")
for _ in range(3000):
    print("x" * 100)
print("all printed", file=sys.stderr, flush=True)
time.sleep(3600)
"""
SILENT = "import sys, time; print('what went wrong', file=sys.stderr, flush=True); time.sleep({seconds})"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "served.py"


def test_the_ready_line_is_found_among_others_and_the_rest_goes_to_the_log(module: Path, tmp_path: Path) -> None:
    module.write_text(CHATTY)
    process = ServerProcess("served", log=tmp_path / "log")
    assert process.ready == {"url": "http://127.0.0.1:1"}
    process.stop()
    text = (tmp_path / "log").read_text()
    assert text.startswith("before")


def test_a_server_that_prints_more_than_a_pipe_holds_goes_on(module: Path, tmp_path: Path) -> None:
    module.write_text(CHATTY.replace("time.sleep(3600)", ""))
    process = ServerProcess("served", log=tmp_path / "log")
    process.wait(PATIENCE_SECONDS)
    process.stop()
    assert "all printed" in (tmp_path / "log").read_text()


def test_the_error_about_a_server_that_ends_early_holds_the_end_of_its_log(module: Path, tmp_path: Path) -> None:
    module.write_text(SILENT.format(seconds=0))
    with pytest.raises(RuntimeError, match="what went wrong"):
        ServerProcess("served", log=tmp_path / "log")


def test_a_start_can_be_given_up(module: Path, tmp_path: Path) -> None:
    module.write_text(SILENT.format(seconds=3600))
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(RuntimeError, match="did not start"):
        ServerProcess("served", log=tmp_path / "log", cancelled=cancelled)


def test_a_server_ends_when_its_parents_end_of_the_pipe_closes(module: Path, tmp_path: Path) -> None:
    module.write_text(CHATTY)
    process = ServerProcess("served", log=tmp_path / "log")
    process.hang_up()
    assert process.wait(PATIENCE_SECONDS) is not None
    process.stop()
