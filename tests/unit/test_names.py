"""One class name means one thing, in the package and in the local system together."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PLACES = ("layers", "local", "functions")
_SCHEMA = "both are schema names in the published OpenAPI document, one of the arena and one outside it"
SHARED_NAMES = {
    "MarketData": _SCHEMA,
    "MarketsAnswer": _SCHEMA,
    "PositionData": _SCHEMA,
    "TotalsData": _SCHEMA,
}
"""Names that several classes may have, each with the reason."""
SAYS_NOTHING = {"utils", "util", "common", "helpers", "base", "manager", "service", "misc", "words", "things", "desk"}
"""File names that do not say what the file holds."""


def classes_by_name(root: Path) -> dict[str, list[str]]:
    """The files that define a class of each name."""
    files = defaultdict(list)
    for place in PLACES:
        for path in sorted((root / place).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    files[node.name].append(path.relative_to(root).as_posix())
    return files


def test_a_class_name_is_used_once_or_listed_with_a_reason(root: Path) -> None:
    repeated = {name: files for name, files in classes_by_name(root).items() if len(files) > 1}
    assert {name: files for name, files in repeated.items() if name not in SHARED_NAMES} == {}


def test_every_listed_name_is_still_shared_and_has_a_reason(root: Path) -> None:
    found = classes_by_name(root)
    assert [name for name, reason in SHARED_NAMES.items() if len(found[name]) < 2 or not reason] == []


def modules(root: Path) -> list[Path]:
    return [path for place in PLACES for path in sorted((root / place).rglob("*.py"))]


def test_a_file_name_says_what_the_file_holds(root: Path) -> None:
    assert [path for path in modules(root) if path.stem in SAYS_NOTHING] == []


def test_no_package_folder_holds_a_single_file(root: Path) -> None:
    files = defaultdict(set)
    for path in modules(root):
        if "functions" not in path.relative_to(root).parts[:1]:
            files[path.parent.relative_to(root).as_posix()].add(path.name)
    lonely = {folder for folder, names in files.items() if len(names - {"__init__.py"}) == 1}
    assert lonely == set()
