"""Nothing imports upward: the floors of the house, read from the imports themselves."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"cache": 1, "augmentor": 2, "training_recipes": 3, "evaluation": 4}
FILES = sorted(path for folder in FLOORS for path in (ROOT / folder).rglob("*.py"))
PACKAGE = ROOT / "package"  # installs as echo_augment itself


def imported_floors(path: Path) -> set[str]:
    """Floors of ours that a file imports, absolutely or relatively."""
    package = ["echo_augment", *path.relative_to(ROOT).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            names = [".".join([*module, alias.name]) for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("echo_augment.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path):
    own = FLOORS[path.relative_to(ROOT).parts[0]]
    upward = {name for name in imported_floors(path) if FLOORS.get(name, 99) > own}
    assert not upward, f"{path.relative_to(ROOT)} is on floor {own} and imports {upward}"


def test_the_check_sees_relative_and_absolute_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "cache" / "bad.py"
    file.parent.mkdir()
    file.write_text("from echo_augment.evaluation import x\nimport echo_augment.augmentor.data\nfrom . import y\n")
    assert imported_floors(file) == {"evaluation", "augmentor", "cache"}


def test_every_folder_with_code_is_packaged():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(config["tool"]["setuptools"]["packages"])
    there = {".".join(["echo_augment", *path.parent.relative_to(ROOT).parts]) for path in FILES}
    assert there | {"echo_augment"} == listed
    assert [path.name for path in PACKAGE.rglob("*.py")] == ["__init__.py"]
