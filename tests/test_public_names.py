"""The public names are a promise: one that comes or goes shows up in public_names.txt, and so in review."""

import importlib
import re
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


FIRST = {
    "echo_augment": [
        *("SyntheticAugment", "ClassicalAugment", "CachedClips", "LiveClips", "MixedClips", "InMemoryClips"),
        *("VideoFormat", "EchoNetDynamic", "MCDMPipeline", "EchoClip", "ClipStore"),
    ],
    "echo_augment.cache": ["StoreWriter", "fill", "make_plan", "verify"],
    "echo_augment.augmentor.data": ["read_table"],
    "echo_augment.augmentor.data.phantom": ["counterfactual", "render", "sample_phantom", "write_phantoms"],
}
"""What people meet first: each shows an example, which the suite runs."""


PAIRS = [(module, name) for module, names in FIRST.items() for name in names]


@pytest.mark.parametrize(("module", "name"), PAIRS)
def test_what_people_meet_first_shows_an_example(module, name):
    assert ">>> " in getattr(importlib.import_module(module), name).__doc__


def test_no_example_is_skipped():
    folders = ("package", "cache", "augmentor", "training_recipes", "evaluation")
    files = [path for folder in folders for path in (LIST.parents[1] / folder).rglob("*.py")]
    assert [path.name for path in files if re.search(r"doctest:.*SKIP", path.read_text(encoding="utf-8"))] == []
