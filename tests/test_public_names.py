"""The public names are a promise: one that comes or goes shows up in public_names.txt, and so in review."""

import importlib
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("public_names.txt")
MODULES = (
    "echo_augment",
    "echo_augment.cache",
    "echo_augment.augmentor",
    "echo_augment.augmentor.data",
    "echo_augment.augmentor.data.phantom",
    "echo_augment.augmentor.mcdm",
)


def current() -> list[str]:
    found = []
    for module in MODULES:
        found += [f"{module}.{name}" for name in getattr(importlib.import_module(module), "__all__", ())]
    return sorted(found)


def test_public_names_are_the_listed_ones():
    listed = LIST.read_text(encoding="utf-8").split()
    assert current() == listed, f"write the names into {LIST.name} if the change is meant, and say so in CHANGELOG.md"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there_and_described(module):
    package = importlib.import_module(module)
    for name in getattr(package, "__all__", ()):
        value = getattr(package, name)
        assert not callable(value) or value.__doc__, f"{module}.{name} has no docstring"
