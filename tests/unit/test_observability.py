from __future__ import annotations

import ast
from pathlib import Path

SOURCES = ("layers/coliseum/coliseum", "functions", "local/coliseum_local")


def log_calls(path: Path) -> list[ast.Call]:
    """Every `logger().<level>(…)` of the file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == "logger"
    ]


def has_the_style(call: ast.Call) -> bool:
    """A constant message and then only keyword fields."""
    return (
        len(call.args) == 1
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and all(field.arg != "extra" for field in call.keywords)
    )


def test_log_calls_have_a_constant_message_and_keyword_fields(root: Path) -> None:
    calls = [(path, call) for source in SOURCES for path in (root / source).rglob("*.py") for call in log_calls(path)]
    assert len(calls) > 30
    wrong = [f"{path.relative_to(root)}:{call.lineno}" for path, call in calls if not has_the_style(call)]
    assert wrong == [], 'write logger().warning("constant message", field=value)'
