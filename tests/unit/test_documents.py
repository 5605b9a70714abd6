"""The documents name what exists."""

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
def test_the_architecture_names_every_folder(root: Path, place: str) -> None:
    text = (root / "docs" / "architecture.md").read_text()
    names = [name for name in folders(root / place) if (place, name) != ("layers", "coliseum")]
    assert names
    assert [name for name in names if f"`{name}`" not in text and f"{place}/{name}/" not in text] == []


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


@pytest.mark.parametrize(("page", "most"), [("README.md", 99), ("docs/architecture.md", 99), ("CONTRIBUTING.md", 150)])
def test_the_first_pages_stay_short(root: Path, page: str, most: int) -> None:
    assert len((root / page).read_text().splitlines()) <= most


FILE = re.compile(r"`([\w./{},-]+\.(?:py|md|sql|json|js|yaml|lua|toml))`", re.ASCII)
COMMAND = re.compile(r"(?:`|^)make ([a-z]+(?:-[a-z]+)*)", re.ASCII | re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/operations.md"])
def test_every_file_that_a_page_names_exists(root: Path, page: str) -> None:
    visible = [each for each in root.iterdir() if each.is_dir() and not each.name.startswith(".")]
    paths = [f"/{path.relative_to(root)}" for each in visible for path in each.rglob("*") if path.is_file()]
    paths += [f"/{path.name}" for path in root.iterdir() if path.is_file()]
    names = FILE.findall((root / page).read_text())
    assert [name for name in names if not any(path.endswith(f"/{name}") for path in paths)] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_every_make_target_that_a_page_names_exists(root: Path, page: str) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(), re.MULTILINE)
    assert set(COMMAND.findall((root / page).read_text())) <= set(targets)
