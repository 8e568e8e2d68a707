"""The data set on disk: layout, resuming, the same bytes for any number of workers."""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import load_masks, load_phantoms, render, sample_phantom, write_phantoms
from echo_augment.augmentor.data.phantom.sets import RESERVED, assign_splits, phantom_seeds
from echo_augment.augmentor.data.phantom.writing import FEW, mapper
from echo_augment.augmentor.data.tracing import read_tracings, tracing_area
from echo_augment.augmentor.data.video import read_video
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.evaluation.fidelity import pairs
from echo_augment.training_recipes.judging import reader_net as reader_data

SMALL = {"num_frames": 40, "fps": 50}


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by its path in it."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "set", 6, workers=1, **SMALL)


def test_layout_is_echonets(root: Path):
    lines = (root / "FileList.csv").read_text().splitlines()
    assert lines[0] == "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
    rows = list(csv.DictReader(lines))
    assert [row["FileName"] for row in rows] == [f"P{seed:07d}" for seed in range(6)]
    for row in rows:
        edv, esv = float(row["EDV"]), float(row["ESV"])
        assert float(row["EF"]) == pytest.approx(100 * (1 - esv / edv), abs=1e-4)
        assert (row["FrameHeight"], row["FrameWidth"], row["FPS"], row["NumberOfFrames"]) == ("112", "112", "50", "40")
        frames, fps = read_video(root / "Videos" / f"{row['FileName']}.avi")
        assert frames.shape == (40, 112, 112) and fps == 50
    tracings = list(csv.DictReader((root / "VolumeTracings.csv").read_text().splitlines()))
    assert list(tracings[0]) == ["FileName", "X1", "Y1", "X2", "Y2", "Frame"]
    for row in rows:
        frames_of = [int(line["Frame"]) for line in tracings if line["FileName"] == f"{row['FileName']}.avi"]
        assert len(frames_of) == 42 and len(set(frames_of)) == 2
        assert all(frames_of.count(frame) == 21 for frame in set(frames_of))
    for name, by_frame in read_tracings(root / "VolumeTracings.csv").frames.items():
        small, large = by_frame.values()
        assert tracing_area(small) < tracing_area(large), f"{name}: EchoNet-Dynamic writes the ES frame first"


def test_labels_masks_and_pixels_are_those_of_a_render(root: Path):
    for name, phantom in load_phantoms(root).items():
        assert phantom == sample_phantom(phantom.seed)
        clip = render(phantom.motion, phantom.appearance, **SMALL)
        assert (load_masks(root, name) == clip.masks).all()
        frames, _ = read_video(root / "Videos" / f"{name}.avi")
        assert np.abs(frames.astype(int) - clip.frames).mean() < 3, "MJPG is lossy, but not by much"


def test_any_number_of_workers_gives_the_same_bytes(root: Path, tmp_path: Path):
    assert digests(write_phantoms(tmp_path / "set", 6, workers=2, **SMALL)) == digests(root)


def test_few_phantoms_start_no_process_that_nobody_asked_for(monkeypatch):
    monkeypatch.setattr(f"{mapper.__module__}.usable_cores", lambda: 8)
    monkeypatch.setattr(f"{mapper.__module__}.ProcessPoolExecutor", lambda *_, **__: pytest.fail("a pool"))
    with mapper(None, FEW) as spread:
        assert spread is map
    for workers, items in ((None, FEW + 1), (2, 5)):
        with pytest.raises(pytest.fail.Exception, match="a pool"), mapper(workers, items):
            pass


def test_what_was_lost_is_made_again(root: Path, tmp_path: Path):
    again = write_phantoms(tmp_path / "set", 6, workers=1, **SMALL)
    for lost in ("Videos/P0000002.avi", "masks.h5", "phantoms.json"):
        (again / lost).unlink()
        (again / "Videos" / ".P0000002.avi.abc.tmp").write_bytes(b"left by a kill")
        assert digests(write_phantoms(again, 6, workers=1, **SMALL)) == digests(root)


def test_killed_anywhere_it_ends_the_same(root: Path, tmp_path: Path):
    target = tmp_path / "set"
    code = (
        "from echo_augment.augmentor.data.phantom import write_phantoms;"
        f"write_phantoms({str(target)!r}, 6, workers=1, num_frames=40, fps=50)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(target.glob("Videos/P*.avi")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert list(target.glob("Videos/P*.avi")) and not (target / "phantoms.json").exists()
    assert digests(write_phantoms(target, 6, workers=1, **SMALL)) == digests(root)


def test_splits_are_a_fixed_permutation():
    names = assign_splits(1000, 0, (0.75, 0.125, 0.125))
    assert [names.count(name) for name in ("TRAIN", "VAL", "TEST")] == [750, 125, 125]
    assert names == assign_splits(1000, 0, (0.75, 0.125, 0.125)) != assign_splits(1000, 1, (0.75, 0.125, 0.125))
    assert set(assign_splits(3, 0, (1, 0, 0))) == {"TRAIN"}


def test_sets_of_different_seeds_share_no_heart():
    assert not set(phantom_seeds(5000, 0)) & set(phantom_seeds(5000, 1))


@pytest.mark.parametrize(("module", "seed"), [(pairs, 800), (reader_data, 900), (reader_data, 910)])
def test_sets_whose_phantoms_judge_generators_are_refused(module, seed):
    assert module.SEEDS // 1_000_000 in RESERVED
    with pytest.raises(EchoAugmentError, match=f"the phantoms of set {seed} judge generators"):
        phantom_seeds(10, seed)


def test_another_set_is_never_written_over(root: Path, tmp_path: Path):
    with pytest.raises(EchoAugmentError, match="other settings"):
        write_phantoms(root, 7, workers=1, **SMALL)
    (tmp_path / "FileList.csv").write_text("FileName\n")
    with pytest.raises(EchoAugmentError, match="another dataset"):
        write_phantoms(tmp_path, 2, workers=1, **SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"n": 0}, "n must"), ({"seed": -1}, "-1"), ({"splits": (0.5, 0.1, 0.1)}, "splits"),
     ({"num_frames": 1}, "least 2"), ({"fps": 0}, "fps must be in"), ({"workers": 0}, "workers must be a whole")],
)  # fmt: skip
def test_wrong_arguments(tmp_path: Path, wrong: dict[str, object], message: str):
    with pytest.raises(EchoAugmentError, match=message):
        write_phantoms(tmp_path / "set", **({"n": 2, "workers": 1} | SMALL | wrong))


def test_reading_what_is_not_there(tmp_path: Path, root: Path):
    with pytest.raises(EchoAugmentError, match=r"phantoms\.json: is missing"):
        load_phantoms(tmp_path)
    (tmp_path / "phantoms.json").write_text('{"phantoms": [{"name": "P1"}]}')
    with pytest.raises(EchoAugmentError, match="not a phantom file"):
        load_phantoms(tmp_path)
    with pytest.raises(EchoAugmentError, match=r"masks\.h5"):
        load_masks(tmp_path, "P0000000")
    with pytest.raises(EchoAugmentError, match="P9999999"):
        load_masks(root, "P9999999")
