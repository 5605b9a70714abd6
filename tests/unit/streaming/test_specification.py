"""docs/sse-specification.md and the tests name each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from coliseum.http.stream_paths import PATHS
from coliseum.streaming.subscription import EVENT_NAMES


def _specification(root: Path) -> str:
    return (root / "docs" / "sse-specification.md").read_text()


@pytest.fixture(scope="module")
def clauses(root: Path) -> dict[str, list[str]]:
    """Each clause with the tests that its text names."""
    text = _specification(root)
    ids = re.findall(r"^\*\*(SSE-\d{3})\*\*.*?(?=^\*\*SSE|^## |\Z)", text, re.S | re.M)
    bodies = re.findall(r"^\*\*SSE-\d{3}\*\*(.*?)(?=^\*\*SSE|^## |\Z)", text, re.S | re.M)
    assert len(ids) == len(set(ids)) == len(bodies) > 60
    return {clause: re.findall(r"`(test_\w+)`", body) for clause, body in zip(ids, bodies, strict=True)}


@pytest.fixture(scope="module")
def tests(root: Path) -> dict[str, str]:
    """Every test of the project with its docstring."""
    trees = [ast.parse(path.read_text()) for path in (root / "tests").rglob("test_*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_docstring(node) or "" for node in functions if node.name.startswith("test_")}


def test_every_clause_names_a_test(clauses: dict[str, list[str]]) -> None:
    assert [clause for clause, named in clauses.items() if not named] == []


def test_every_named_test_exists_and_names_the_clause(clauses: dict[str, list[str]], tests: dict[str, str]) -> None:
    pairs = [(clause, name) for clause, named in clauses.items() for name in named]
    assert [(clause, name) for clause, name in pairs if clause not in tests.get(name, "")] == []


def test_every_clause_a_test_names_exists(clauses: dict[str, list[str]], tests: dict[str, str]) -> None:
    named = {clause for docstring in tests.values() for clause in re.findall(r"SSE-\d{3}", docstring)}
    assert named - clauses.keys() == set()


def test_clauses_stand_in_order(clauses: dict[str, list[str]]) -> None:
    assert list(clauses) == sorted(clauses)


def test_every_fault_is_done_by_a_test_that_exists(root: Path, tests: dict[str, str]) -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|.*\|(.*)\|$", _specification(root), re.M)
    named = {int(number): re.findall(r"`(test_\w+)`", cell) for numbers, cell in rows for number in numbers.split(",")}
    assert list(named) == list(range(1, 35))
    assert [number for number, names in named.items() if not names or not tests.keys() >= set(names)] == []
    done = [(int(number), name) for name, text in tests.items() for number in re.findall(r"fault (\d+)", text)]
    assert [(number, name) for number, name in done if name not in named[number]] == []


def test_the_guide_explains_every_event_and_every_query_parameter(root: Path) -> None:
    guide = (root / "docs" / "sse.md").read_text()
    cells = " ".join(re.findall(r"^\| ([^|]*) \|", guide, re.M))
    named = set(re.findall(r"`(\w+)`", cells))
    control = {"ready", "snapshot", "heartbeat", "gap", "reset", "stale", "fresh", "closing"}
    parameters = {parameter["name"] for parameter in PATHS["/api/python/sse/trading"]["get"]["parameters"]}
    assert {*EVENT_NAMES.values(), *control, *parameters} - {"Last-Event-ID"} - named == set()
