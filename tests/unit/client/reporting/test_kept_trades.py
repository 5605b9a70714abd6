"""Memory and disk together: restarts, a full disk, a file in use, a file that cannot be read."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.waiting import until

from coliseum.client.reporting.kept_trades import KeptTrades
from coliseum.client.reporting.newest_trades import KEPT
from coliseum.client.reporting.problem_log import ProblemLog


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coliseum.client.reporting.kept_trades.FILE_SECONDS", 0.01)


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"trade_id": f"t{number}", "price": "0.65", "timestamp": 1_796_000_000.0 + number} | changes


def kept_in(path: Path, *, run: str = "first") -> KeptTrades:
    kept = KeptTrades(str(path), run=run, problems=ProblemLog())
    kept.tend()
    return kept


def record(kept: KeptTrades, *numbers: int) -> None:
    with kept.lock:
        for number in numbers:
            kept.record(row(number), ignore_time=False)


def ids(kept: KeptTrades) -> list[int]:
    return [int(each.trade_id[1:]) for each in kept.newest.rows.values()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trades.log"


@contextmanager
def full_disk(path: Path, *, room: int = 0) -> Iterator[None]:
    """The file cannot grow by more than `room` bytes, and no other file beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def tended(kept: KeptTrades) -> bool:
    return kept.tend() is None


def test_a_run_is_the_life_of_the_file(path: Path) -> None:
    kept = kept_in(path)
    record(kept, 1, 2)
    kept.close()
    again = kept_in(path, run="second")
    record(again, 3)
    assert (again.newest.run, again.newest.count, ids(again)) == ("first", 3, [1, 2, 3])
    again.close()


def test_without_a_file_nothing_is_to_be_done() -> None:
    kept = KeptTrades(None, run="first", problems=ProblemLog())
    record(kept, 1)
    assert (kept.tend(), kept.needs_care, ids(kept)) == (None, False, [1])


def test_the_file_is_shortened_and_keeps_the_count(path: Path) -> None:
    kept = kept_in(path)
    record(kept, *range(1, 2 * KEPT + 10))
    assert kept.needs_care
    kept.tend()
    assert not kept.needs_care
    record(kept, 5000)
    kept.close()
    assert path.read_bytes().count(b"\n") == KEPT + 2
    again = kept_in(path)
    assert (again.newest.count, len(again.newest.rows)) == (2 * KEPT + 10, KEPT)
    again.close()


@pytest.mark.parametrize("room", [0, 1, 30, 100])
def test_a_full_disk_keeps_trades_in_memory_and_writes_them_later(path: Path, room: int) -> None:
    problems = ProblemLog()
    kept = KeptTrades(str(path), run="first", problems=problems)
    kept.tend()
    record(kept, 1)
    with full_disk(path, room=room):
        record(kept, 2, 3, 4)
        assert ids(kept) == [1, 2, 3, 4]
        assert "cannot be written, trades are kept in memory and written later" in problems.current["file"]
        assert kept.needs_care
        assert kept.tend() is not None
    until(lambda: tended(kept))
    assert problems.current == {}
    assert ids(read(path)) == [1, 2, 3, 4]
    kept.close()


def read(path: Path) -> KeptTrades:
    """What a later process finds in the file."""
    copy = path.with_name("copy.log")
    copy.write_bytes(path.read_bytes())
    kept = kept_in(copy, run="another")
    kept.close()
    return kept


def test_a_disk_that_is_full_from_the_start_gets_the_file_later(path: Path) -> None:
    path.touch()
    with full_disk(path):
        kept = kept_in(path)
        record(kept, 1, 2)
    until(lambda: tended(kept))
    later = read(path)
    assert (later.newest.run, ids(later)) == ("first", [1, 2])
    kept.close()


def test_closing_writes_what_the_disk_refused(path: Path) -> None:
    kept = kept_in(path)
    with full_disk(path):
        record(kept, 1)
    kept.close()
    assert ids(read(path)) == [1]


def test_a_disk_without_room_for_a_copy_goes_on_with_the_long_file(path: Path) -> None:
    problems = ProblemLog()
    kept = KeptTrades(str(path), run="first", problems=problems)
    kept.tend()
    record(kept, *range(1, 2 * KEPT + 10))
    path.with_name("trades.log.new").mkdir()
    kept.tend()
    record(kept, 5000)
    assert "grows, because it cannot be written anew" in problems.current["copy"]
    assert ids(read(path))[-1] == 5000
    kept.close()


def test_a_second_process_waits_and_its_trades_follow(path: Path) -> None:
    first, second = kept_in(path), kept_in(path, run="second")
    record(first, 1, 2)
    record(second, 2, 3)
    assert (first.is_waiting, second.is_waiting) == (False, True)
    first.close()
    until(lambda: tended(second))
    record(second, 4)
    assert (second.newest.run, second.newest.count, ids(second)) == ("first", 4, [1, 2, 3, 4])
    assert ids(read(path)) == [1, 2, 3, 4]
    second.close()


def test_a_file_of_something_else_is_kept_beside(path: Path) -> None:
    path.write_bytes(b"my diary\n")
    kept = kept_in(path)
    record(kept, 1)
    assert [each.read_bytes() for each in path.parent.glob("*.unreadable-*")] == [b"my diary\n"]
    assert ids(read(path)) == [1]
    kept.close()


def test_a_path_that_cannot_be_opened_is_named_and_tried_again(path: Path) -> None:
    problems = ProblemLog()
    path.mkdir()
    kept = KeptTrades(str(path), run="first", problems=problems)
    assert kept.tend() is not None
    record(kept, 1)
    assert "cannot be used, trades are kept in memory: Is a directory" in problems.current["file"]
    assert not kept.is_waiting
    path.rmdir()
    until(lambda: tended(kept))
    assert (ids(read(path)), problems.current) == ([1], {})
    kept.close()


def test_what_was_forgotten_before_there_was_a_file_is_counted(path: Path) -> None:
    first, second = kept_in(path), kept_in(path, run="second")
    record(first, 1)
    record(second, *range(2, KEPT + 12))
    first.close()
    until(lambda: tended(second))
    assert second.newest.count == KEPT + 11
    second.close()


@given(steps=st.lists(st.sampled_from(["trade", "restart", "kill", "full", "room", "tend", "correct"]), max_size=40))
def test_after_any_history_the_file_has_what_memory_had(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """The disk may be full at any time; with room again, a restart finds every trade."""
    path = tmp_path_factory.mktemp("history") / "trades.log"
    kept, number = kept_in(path), 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for step in steps:
            if step == "trade":
                number += 1
                record(kept, number)
            elif step == "correct" and number:
                with kept.lock:
                    kept.record(row(number, price="0.1"), ignore_time=False)
            elif step == "full":
                resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
            elif step == "room":
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            elif step == "tend":
                kept.tend()
            elif step in {"restart", "kill"}:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                kept.close()
                if step == "kill":
                    with open(path, "ab") as file:
                        file.write(b'00000000 {"torn')
                kept = kept_in(path, run="another")
                assert kept.newest.run == "first"
            assert ids(kept) == list(range(1, number + 1))
            assert kept.newest.count == number
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        kept.close()
    texts = [json.loads(each.text) for each in read(path).newest.rows.values()]
    assert texts == [json.loads(each.text) for each in kept.newest.rows.values()]
