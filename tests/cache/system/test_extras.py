"""The core does without the extras, whatever misses one names it, and the extras hold what is asked for."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.extras import NEEDED, MissingExtra, need, needs

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMPORTS = {"hydra-core": "hydra", "scikit-learn": "sklearn", "pillow": "PIL", "huggingface-hub": "huggingface_hub"}


def packages(lines: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", line)[0] for line in lines}


def test_the_core_has_few_dependencies():
    assert packages(PROJECT["dependencies"]) - {"torch"} == {
        "numpy",
        "h5py",
        "hdf5plugin",
        "lz4",
        "av",
        "opencv-python-headless",
    }


@pytest.mark.parametrize(("extra", "besides"), [("generate", set()), ("recipes", {"omegaconf"})])
def test_an_extra_brings_what_the_code_asks_for(extra, besides):
    """omegaconf comes with hydra; isal is used where it is there."""
    brought = {IMPORTS.get(name, name) for name in packages(PROJECT["optional-dependencies"][extra])}
    assert brought - {"echo-augment", "isal"} == set(NEEDED[extra]) - besides


def test_all_is_all_that_users_can_ask_for():
    extras = PROJECT["optional-dependencies"]
    ours, parts = {"all", "test", "dev", "docs"}, {"generate", "fast"}  # recipes has these
    assert set(re.findall(r"[a-z]+", extras["all"][0].partition("[")[2])) == {*extras} - ours - parts


def test_the_core_works_alone(tmp_path):
    command = [sys.executable, "-W", "ignore", ROOT / "tests" / "fakes" / "core_only.py", tmp_path, "--hide"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("the core works alone")


def test_what_is_there_is_not_missed(monkeypatch):
    need("recipes")
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match=r"^scipy is not installed; .*pip install 'echo-augment\[recipes\]'$"):
        need("recipes")
    with pytest.raises(MissingExtra, match=r"echo-augment\[generate\]"):
        need("generate")


def test_a_missing_package_can_be_caught_as_either_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for kind in (EchoAugmentError, ImportError):
        with pytest.raises(kind, match="diffusers is not installed"), needs("generate"):
            import diffusers  # noqa: F401


def test_a_mistake_of_ours_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match=r"echo_augment\.cache\.stoer"), needs("generate"):
        import echo_augment.cache.stoer  # noqa: F401
