"""`from echo_augment import SyntheticAugment, ...`: the names, where they come from, and what the line loads."""

import ast
import importlib
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import echo_augment

ROOT = Path(__file__).parents[1]
HEAVY = {
    "accelerate",
    "albumentations",
    "diffusers",
    "hydra",
    "matplotlib",
    "pandas",
    "scipy",
    "sklearn",
    "torchvision",
}
NAMES = [name for name in echo_augment.__all__ if name != "__version__"]


def loaded_by(line: str, cwd: Path) -> set[str]:
    """Return the top-level modules that a fresh process has loaded after ``line``."""
    code = f"{line}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_readme_line_works_in_the_checkout():
    """Whose folders have the names of the package's; the tests below start elsewhere."""
    line = "from echo_augment import SyntheticAugment, CachedClips, LiveClips, MixedClips, EchoNetDynamic, MCDMPipeline"
    assert "echo_augment" in loaded_by(line, ROOT)


def test_own_folders_of_the_same_names_do_not_shadow_the_package(tmp_path):
    for name in ("cache", "augmentor", "evaluation", "package"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    loaded_by("from echo_augment import CachedClips, ClipStore", tmp_path)


def test_root_alone_loads_nothing_heavy(tmp_path):
    assert not loaded_by("import echo_augment", tmp_path) & {"torch", "numpy", "h5py", *HEAVY}


def test_wrapping_a_dataset_loads_no_generator_plots_or_tables(tmp_path):
    loaded = loaded_by("from echo_augment import SyntheticAugment", tmp_path)
    assert "torch" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", NAMES)
def test_name_is_the_object_of_its_home(name):
    value = getattr(echo_augment, name)
    assert value.__name__ == name
    assert value is getattr(importlib.import_module(value.__module__), name)


def test_type_checkers_see_the_same_homes_as_the_interpreter():
    tree = ast.parse((ROOT / "package" / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: getattr(echo_augment, name).__module__ for name in NAMES}


def test_version_is_the_installed_one():
    assert echo_augment.__version__ == version("echo-augment")


def test_unknown_name_is_refused_and_public_ones_are_listed():
    with pytest.raises(AttributeError, match="no attribute 'SyntheticAugmentation'"):
        echo_augment.SyntheticAugmentation  # noqa: B018
    assert set(echo_augment.__all__) <= set(dir(echo_augment))
