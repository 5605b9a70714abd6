"""The one file of the kit is what its modules make, and needs nothing but an old Python's library."""

from __future__ import annotations

import ast
import sys

from coliseum_local.reporter_file import REPORTER_FILE, reporter_file


def test_the_file_is_current() -> None:
    assert REPORTER_FILE.read_text() == reporter_file(), "run `make reporter`"


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(reporter_file())
    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert modules - sys.stdlib_module_names - {"__future__"} == set()


def test_its_grammar_is_that_of_python_39() -> None:
    ast.parse(reporter_file(), feature_version=(3, 9))
