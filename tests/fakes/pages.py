"""The documentation as its tests read it: code blocks, and what a shell makes of their commands."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.data import write_video
from echo_augment.cache import EchoClip, Provenance, StoreWriter
from echo_augment.training_recipes.cli import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
STUBS = ("echo-augment", "accelerate", "sbatch", "make", "pip", "git", "python", "pytest")
LONG = ("train-generator", "benchmark", "demo", "fidelity", "speed")  # jobs that take minutes, or days
STUB = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
"""
VIDEOS, SIDE = ("TRAIN", "TRAIN", "TRAIN", "TRAIN", "TRAIN", "TRAIN", "VAL", "TEST"), 112


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in these languages; ``/data`` is a folder of the test. Included code is ``python3``."""
    found = re.findall(rf"^```(?:{'|'.join(languages)})\b[^\n]*\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
    return [block.replace("/data/", "data/") for block in found]


def titled(page: Path) -> dict[str, str]:
    """The code blocks of a page that say which file they are."""
    text = page.read_text("utf-8")
    return dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', text, re.DOTALL | re.M))


def recorded(script: str, folder: Path) -> list[list[str]]:
    """What a shell calls by a script, in order: program and arguments. No program runs.

    Raises:
        AssertionError: the script fails, or calls a program that is none of `STUBS`.
    """
    programs, record = folder / "programs", folder / "record.jsonl"
    programs.mkdir(parents=True, exist_ok=True)
    record.write_text("")
    for name in STUBS:
        (programs / name).write_text(STUB)
        (programs / name).chmod(stat.S_IRWXU)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "RECORD": str(record)}
    script = re.sub(r"^\$ ", "", script, flags=re.M)
    done = subprocess.run(["bash", "-euc", script], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{script}"
    return [json.loads(line) for line in record.read_text().splitlines()]


def calls(page: Path, folder: Path) -> Iterator[list[str]]:
    """Every call of every shell block of a page; what a call hands to a shell or to a launcher, too."""
    for block in blocks(page, "bash", "console"):
        yield from calls_of(block, folder)


def calls_of(block: str, folder: Path) -> Iterator[list[str]]:
    """Every call of one shell block."""
    for call in recorded(block, folder):
        yield from within(call, folder)


def run_command(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``echo-augment`` with these arguments, in this process.

    Raises:
        AssertionError: it ends with an error.
    """
    monkeypatch.setattr(sys, "argv", ["echo-augment", *arguments])
    try:
        main()
    except SystemExit as end:
        assert not end.code, f"{' '.join(arguments)} ended with {end.code}"


def write_titled(page: Path, folder: Path) -> None:
    """Write the code blocks of a page that say which file they are, below a folder."""
    for name, text in titled(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def within(call: list[str], folder: Path) -> Iterator[list[str]]:
    program, *arguments = call
    if program == "sbatch":
        for inner in recorded(arguments[arguments.index("--wrap") + 1], folder):
            yield from within(inner, folder)
    elif program == "accelerate":
        place = arguments.index("echo_augment.training_recipes")
        assert arguments[0] == "launch" and arguments[place - 1] == "-m"
        yield ["echo-augment", *arguments[place + 1 :]]
    else:
        yield call


def write_folder(root: Path) -> Path:
    """A small data set in EchoNet-Dynamic's layout and a cache, where the pages have theirs."""
    rng = np.random.default_rng(0)
    data = root / "data" / "EchoNet-Dynamic"
    (data / "Videos").mkdir(parents=True)
    rows = ["FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"]
    for k, split in enumerate(VIDEOS):
        frames = rng.integers(0, 256, (40, SIDE // 8, SIDE // 8), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        write_video(data / "Videos" / f"R{k}.avi", frames, 50.0)
        rows.append(f"R{k},{45 + k},40,90,{SIDE},{SIDE},50,40,{split}")
    (data / "FileList.csv").write_text("\n".join(rows) + "\n")
    with StoreWriter(root / "cache" / "dynamic") as writer:
        for k in range(4):
            pixels = rng.integers(0, 256, (16, SIDE, SIDE), dtype=np.uint8)
            donors = Provenance(motion_donor=f"R{k}", appearance_donor=f"R{k + 1}", seed=k)
            writer.add(EchoClip(f"S{k}", pixels, 12.5, ef=45.0 + 5 * k, provenance=donors))
    return root
