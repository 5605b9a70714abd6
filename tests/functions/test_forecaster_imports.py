"""What the functions load when they start. Model code costs seconds, and only the forecaster may load it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import runpy, sys
runpy.run_path({path!r}, run_name="started")
heavy = {{"pydantic_ai", "openai", "logfire", "genai_prices", "boto3", "feedparser", "protego"}} & set(sys.modules)
own = sorted(name for name in sys.modules if name.startswith("coliseum.llm"))
print(",".join(sorted(heavy)), "|", ",".join(own))
"""
FUNCTIONS = sorted(path.parent.name for path in Path(__file__).resolve().parents[2].glob("functions/*/app.py"))


def loaded(root: Path, name: str, tmp_path: Path) -> tuple[str, str]:
    """(heavy packages, modules of the door) after a cold start."""
    path = str(root / "functions" / name / "app.py")
    environment = {
        "PYTHONPATH": str(root / "layers" / "coliseum"),
        "PYDANTIC_DISABLE_PLUGINS": "true",
        "ENVIRONMENT": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "Coliseum",
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(path=path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    heavy, own = done.stdout.strip().rpartition("\n")[2].split("|")
    return heavy.strip(), own.strip()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_loads_code_of_models_or_feeds_that_it_does_not_need(name: str, root: Path, tmp_path: Path) -> None:
    heavy, own = loaded(root, name, tmp_path)
    assert heavy == ("feedparser,protego" if name == "source_reader" else "")
    assert ("coliseum.llm.client" in own) == (name == "forecaster")
