"""Installed sizes: markers and extras are followed, and what is not installed is not measured."""

import sys

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import installed_sizes
from echo_augment.evaluation.studies.installed_sizes import needed, size, sizes


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    """Packages of so many bytes: ours, its core, and what its extras add."""

    def write(name, count, *requires, extras=()):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (tmp_path / f"{name}.bin").write_bytes(bytes(count))
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            "Version: 1.0",
            *(f"Provides-Extra: {one}" for one in extras),
        ]
        (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n\n")
        (info / "RECORD").write_text(f"{name}.bin,,\ngone.bin,,\n")

    extra = (
        "small; extra == 'small'",
        "ours_x[small]; extra == 'wide'",
        "wide; extra == 'wide'",
        "none; extra == 'gone'",
    )
    write("ours_x", 1, "torch_x", "core_x>=1", "absent; python_version < '3'", *extra, extras=("small", "wide", "gone"))
    write("torch_x", 5_000_000, "cuda_x")
    write("cuda_x", 3_000_000, "torch_x")
    write("core_x", 2_000_000)
    write("small", 500_000, "core_x")
    write("wide", 250_000)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(installed_sizes, "PACKAGE", "ours-x")
    monkeypatch.setattr(installed_sizes, "TORCH", "torch-x")


def test_what_is_needed_follows_extras_and_markers():
    assert needed("ours_x") == {"ours-x", "torch-x", "cuda-x", "core-x"}
    assert needed("ours-x", ["wide"]) == needed("ours-x") | {"small", "wide"}
    with pytest.raises(EchoAugmentError, match="none is not installed"):
        needed("ours-x", ["gone"])


def test_every_part_is_what_it_adds():
    assert size(["small", "wide"]) == 750_000
    assert sizes(["small", "wide", "gone"]) == {
        "torch-x": 8_000_000,
        "the rest of the core": 2_000_000,
        "small": 500_000,
        "wide": 250_000,
        "gone": None,
    }


def test_the_table(capsys):
    assert installed_sizes.main() == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert rows[:1] + rows[2:4] == [["part", "MB"], ["torch-x", "8"], ["the rest of the core", "2"]]


def test_a_package_that_is_missing_is_one_error(capsys, monkeypatch):
    monkeypatch.setattr(installed_sizes, "PACKAGE", "gone-x")
    assert installed_sizes.main() == 1
    told = capsys.readouterr()
    assert told.out == "" and "gone-x is not installed" in told.err and 'pip install ".[recipes]"' in told.err
