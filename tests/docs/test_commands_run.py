"""Commands of the pages run as they stand, one after another, at the smallest sizes; what is left out says why."""

import re
import sys

import pytest
from fakes.pages import ROOT, calls
from golden.commands import COMMON, EF, FAST

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore
from echo_augment.training_recipes.cli import main

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    DOCS / "get-started" / "ten-minutes.md",
    DOCS / "get-started" / "your-data.md",
    DOCS / "how-to" / "gates-and-privacy.md",
    DOCS / "how-to" / "fill-on-slurm.md",
    DOCS / "how-to" / "arm-of-my-own.md",
]
SMALLEST = {
    "phantom": ["n=24", "frames=72", "workers=1"],
    "doctor": ["device=cpu"],
    "fill-cache": ["n=4", "batch=4", "device=cpu", "generator=bundled"],
    "train-ef": [*COMMON, *EF, *FAST],
    "cache": [],
}
ELSEWHERE = {
    "train-generator": "tests/training_recipes/jobs/test_train_generator.py, tests/golden",
    "benchmark": "tests/evaluation/benchmark, tests/golden",
    "demo": "tests/evaluation/benchmark/test_demo.py",
    "import": "tests/training_recipes/jobs/test_import_data.py",
}
LAUNCHED = ("-m", "--help")  # by a launcher: tests/cluster


def run(arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["echo-augment", *arguments])
    try:
        main()
    except SystemExit as end:
        assert not end.code, f"{' '.join(arguments)} ended with {end.code}"


@pytest.mark.slow
def test_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_phantoms("data/EchoNet-Dynamic", 16, num_frames=72, workers=1, splits=(0.5, 0.25, 0.25), format=2)
    done = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        for name, block in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', text, re.DOTALL | re.MULTILINE):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(block)
        monkeypatch.syspath_prepend(tmp_path)
        for program, *arguments in calls(page, tmp_path / "shell"):
            if program != "echo-augment" or set(arguments) & set(LAUNCHED) or arguments[0] in ELSEWHERE:
                continue
            job, settings = arguments[0], [one for one in arguments[1:] if not re.match(r"(n|generator)=", one)]
            if tuple(arguments) not in done:
                run([job, *settings, *SMALLEST[job]], monkeypatch)
                done.add(tuple(arguments))
    assert {arguments[0] for arguments in done} == set(SMALLEST)
    assert len(ClipStore("cache/dynamic")) == len(ClipStore("cache/gated")) == 4
    assert (tmp_path / "runs" / "gallery" / "gallery.html").is_file()
