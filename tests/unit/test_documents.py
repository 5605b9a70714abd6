"""The documents name what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from coliseum_local.template import Template, load_document


def folders(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith(("_", ".")))


@pytest.mark.parametrize(
    "place", ["functions", "layers", "layers/coliseum/coliseum", "layers/coliseum/coliseum/arena"], ids=str
)
def test_the_architecture_names_every_room(root: Path, place: str) -> None:
    text = (root / "docs" / "architecture.md").read_text()
    rooms = [name for name in folders(root / place) if (place, name) != ("layers", "coliseum")]
    assert rooms
    assert [name for name in rooms if f"`{name}`" not in text and f"{place}/{name}/" not in text] == []


def test_operations_list_every_function_with_its_trigger(root: Path) -> None:
    text = (root / "docs" / "operations.md").read_text()
    functions = Template.read(root / "template.yaml").functions
    assert [one.logical_id for one in functions if f"`{one.logical_id}`" not in text] == []


def test_the_deploy_steps_name_an_environment_its_secrets_and_what_has_no_default(root: Path) -> None:
    text = (root / "docs" / "operations.md").read_text()
    environments = tomllib.loads((root / "samconfig.toml").read_text())
    for name in re.findall(r"--config-env (\w+)", text):
        overrides = environments[name]["deploy"]["parameters"]["parameter_overrides"]
        assert f"Environment={name}" in overrides
        assert f"/coliseum/{name}/" in text
    parameters = load_document(root / "template.yaml")["Parameters"]
    assert [name for name, one in parameters.items() if "Default" not in one and f"`{name}`" not in text] == []


def test_every_document_can_be_found_from_the_readme(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert [page.name for page in (root / "docs").glob("*.md") if f"docs/{page.name}" not in text] == []


@pytest.mark.parametrize(("page", "lines"), [("README.md", 100), ("docs/architecture.md", 100)])
def test_what_everybody_reads_stays_short(root: Path, page: str, lines: int) -> None:
    assert len((root / page).read_text().splitlines()) < lines
