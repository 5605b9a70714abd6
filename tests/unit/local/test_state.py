"""The state folder: one holder, and no leftovers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from coliseum_local.state import StateFolder, StateFolderInUse, holder_of, port_is_free

SLEEPER = "import time; print('up', flush=True); time.sleep(3600)"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like a child of the stack: the marker stands in its command line."""
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, "coliseum_local.marker"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_and_the_error_names_the_first(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.acquire()
    with pytest.raises(StateFolderInUse, match=f"pid {os.getpid()}") as held:
        second.acquire()
    assert held.value.pid == os.getpid()
    first.release()
    second.acquire()
    second.release()


def test_a_child_that_a_crash_left_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    StateFolder(tmp_path).remember("bot", pid=sleeper.pid, module="coliseum_local.marker")
    assert StateFolder(tmp_path).clean_up() == ["bot"]
    assert not psutil.pid_exists(sleeper.pid)
    assert StateFolder(tmp_path).clean_up() == []


def test_another_process_with_the_childs_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    state = StateFolder(tmp_path)
    state.remember("bot", pid=sleeper.pid, module="coliseum_local.marker")
    noted = json.loads((tmp_path / "children.json").read_text())
    for changed in (
        [sleeper.pid, noted["bot"][1] - 100, "coliseum_local.marker"],
        [*noted["bot"][:2], "coliseum_local.bot"],
    ):
        (tmp_path / "children.json").write_text(json.dumps({"bot": changed}))
        assert StateFolder(tmp_path).clean_up() == []
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bot": 5}', '{"bot": [1]}'])
def test_a_list_of_children_that_is_damaged_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "children.json").write_text(text)
    assert StateFolder(tmp_path).clean_up() == []


def test_running_servers_are_published_for_their_user_alone(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.acquire()
    assert StateFolder(tmp_path).published() is None
    state.publish({"SUPABASE_URL": "http://127.0.0.1:1", "HOME": "/root"}, url="http://127.0.0.1:2")
    assert StateFolder(tmp_path).published() == {
        "SUPABASE_URL": "http://127.0.0.1:1",
        "COLISEUM_URL": "http://127.0.0.1:2",
    }
    assert (tmp_path / "variables.json").stat().st_mode & 0o777 == 0o600
    state.release()
    assert StateFolder(tmp_path).published() is None


def test_a_long_log_is_moved_aside(tmp_path: Path) -> None:
    log = StateFolder(tmp_path).log("bot")
    log.parent.mkdir()
    log.write_bytes(b"x" * 5_000_001)
    assert not StateFolder(tmp_path).log("bot").exists()
    assert log.with_suffix(".log.old").exists()


def test_a_taken_port_is_known_with_its_holder() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
        assert f"(pid {os.getpid()})" in holder_of(port)
    assert port_is_free(port)
