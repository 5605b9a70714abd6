"""The rules of the suite itself: a test stands where one looks for it and touches only what is public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

WITHOUT_A_MODULE = {
    "arena/season_cells/test_evidence_over_time.py": "a season whose truth is known, over several modules",
    "arena/scoring/test_documentation.py": "docs/scoring.md against the code",
    "arena/scoring/test_published_sequences.py": "golden numbers of comparecast against the code",
    "arena/scoring/test_worked_examples.py": "the numbers of docs/scoring.md against the code",
    "portfolio/test_ledger_against_exchange.py": "the ledger against the sandbox exchange's own books",
    "streaming/test_session_machine.py": "session.py as a state machine",
    "streaming/test_specification.py": "docs/sse-specification.md against the tests",
    "test_documents.py": "the documents",
    "test_names.py": "the names of classes and files",
    "test_patterns.py": "the patterns that read outside bytes, over many modules",
    "test_suite_rules.py": "the tests",
    "test_template.py": "template.yaml",
}
PRIVATE = {
    "tests/integration/test_upstash_gateway.py: sdk._sync_token": "upstash's SDK shows its sync token nowhere else",
}
"""Private attributes that tests may touch, with the reason."""


def module_of(test: Path) -> str:
    """The module that a unit test belongs to, relative to the project's folder."""
    first, *rest = test.with_name(test.name.removeprefix("test_")).parts
    if first == "local":
        return Path("local/coliseum_local", *rest).as_posix()
    if first == "coliseum_streaming":
        return Path("layers/streaming/coliseum_streaming", *rest).as_posix()
    return Path("layers/coliseum/coliseum", first, *rest).as_posix()


def test_every_unit_test_stands_where_its_module_stands(root: Path) -> None:
    unit = root / "tests" / "unit"
    tests = [file.relative_to(unit) for file in sorted(unit.rglob("test_*.py"))]
    lost = {test.as_posix() for test in tests if not (root / module_of(test)).exists()}
    assert lost - WITHOUT_A_MODULE.keys() == set(), "no module of this name: move or rename the test"
    assert WITHOUT_A_MODULE.keys() - lost == set(), "these exceptions are not needed any more"


def private_attributes(code: str) -> Iterator[tuple[int, str]]:
    """Line and text of every private attribute of something that is not `self` or `cls`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in {"self", "cls"}):
                yield node.lineno, ast.unparse(node)


def test_tests_touch_no_private_attribute_of_another_object(root: Path) -> None:
    touched = {
        f"{file.relative_to(root).as_posix()}: {text}"
        for file in sorted((root / "tests").rglob("*.py"))
        for _, text in private_attributes(file.read_text())
    }
    assert touched - PRIVATE.keys() == set(), "give the object a public property, or test what it does"
    assert PRIVATE.keys() - touched == set(), "these exceptions are not needed any more"
