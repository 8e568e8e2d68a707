"""Commands of the pages run as they stand, one after another, at the smallest sizes; what is left out says why."""

import re

import pytest
from fakes.pages import LONG, ROOT, calls, run_command, write_titled
from golden.commands import COMMON, EF, FAST

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore

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
    **dict.fromkeys(LONG, "test_long_commands_run.py"),
    "import": "tests/training_recipes/jobs/test_import_data.py",
}
LAUNCHED = ("-m", "--help")  # by a launcher: tests/cluster


@pytest.mark.slow
def test_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_phantoms("data/EchoNet-Dynamic", 16, num_frames=72, workers=1, splits=(0.5, 0.25, 0.25), format=2)
    done = set()
    for page in PAGES:
        write_titled(page, tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        for program, *arguments in calls(page, tmp_path / "shell"):
            if program != "echo-augment" or set(arguments) & set(LAUNCHED) or arguments[0] in ELSEWHERE:
                continue
            job, settings = arguments[0], [one for one in arguments[1:] if not re.match(r"(n|generator)=", one)]
            if tuple(arguments) not in done:
                run_command([job, *settings, *SMALLEST[job]], monkeypatch)
                done.add(tuple(arguments))
    assert {arguments[0] for arguments in done} == set(SMALLEST)
    assert len(ClipStore("cache/dynamic")) == len(ClipStore("cache/gated")) == 4
    assert (tmp_path / "runs" / "gallery" / "gallery.html").is_file()
