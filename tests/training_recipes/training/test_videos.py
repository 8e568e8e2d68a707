"""A finished training is taken up again only if its videos still show what they did."""

import os
import shutil

import pytest
from fakes.training import REAL, ef_trainer, tiny

from echo_augment.augmentor.data import read_video, write_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.trainings import borrow
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.training.run import RESULT, finished
from echo_augment.training_recipes.training.videos import VIDEOS, changed_video, note_videos


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_phantoms(
        tmp_path_factory.mktemp("set") / "a", 8, num_frames=48, workers=1, splits=(0.5, 0.25, 0.25), format=2
    )


@pytest.fixture(scope="module")
def trained(original, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    train_ef(run_on(original), out, progress=False)
    return out


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "b")


def run_on(root):
    setting = {"arm": "real", "spec": REAL, "labels": 2, "seed": 0, "val_at_least": 2, "device": "cpu"}
    return EFRun(root=str(root), model=tiny(), trainer=ef_trainer(), **setting)


def path_of(root, split):
    return next(row.path for row in run_on(root).videos() if row.split == split)


def all_frames(path):
    frames, fps = read_video(path)
    write_video(path, frames[:, ::-1].copy(), fps)


def late_frames(path):
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(content)


def test_a_copy_of_the_data_set_is_the_same(trained, root):
    assert finished(run_on(root), trained) is not None
    os.utime(path_of(root, "TEST"), (1, 1))
    assert finished(run_on(root), trained) is not None


@pytest.mark.parametrize("split", ["TRAIN", "VAL", "TEST"])
@pytest.mark.parametrize(
    ("change", "how"), [(all_frames, "begins with another frame"), (late_frames, "has another content")]
)
def test_a_replaced_video_is_refused_by_its_name(trained, root, split, change, how):
    path = path_of(root, split)
    change(path)
    with pytest.raises(EchoAugmentError, match=rf"holds a training on other videos: .*{path.name} {how}.*another out="):
        train_ef(run_on(root), trained, progress=False)


def test_a_video_that_has_gone_or_come(trained, root, tmp_path):
    path = path_of(root, "VAL")
    path.unlink()
    with pytest.raises(EchoAugmentError, match=rf"{path.stem} is gone"):
        finished(run_on(root), trained)
    note_videos(tmp_path, run_on(root).videos())
    shutil.copy(path_of(root, "TRAIN"), path)
    assert changed_video(tmp_path, run_on(root).videos()) == f"{path} is new"


def test_a_killed_training_goes_on_only_with_its_own_videos(trained, root, tmp_path):
    out = shutil.copytree(trained, tmp_path / "out")
    (out / RESULT).unlink()
    late_frames(path_of(root, "TRAIN"))
    with pytest.raises(EchoAugmentError, match="on other videos"):
        train_ef(run_on(root), out, progress=False)


def test_results_of_earlier_versions_stay_valid(trained, root, tmp_path):
    out = shutil.copytree(trained, tmp_path / "out")
    (out / VIDEOS).unlink()
    assert finished(run_on(root), out) is not None


def test_a_benchmark_borrows_no_training_on_other_videos(trained, root, tmp_path):
    borrow(run_on(root), tmp_path / "same", [trained])
    assert (tmp_path / "same" / RESULT).exists()
    late_frames(path_of(root, "TEST"))
    borrow(run_on(root), tmp_path / "other", [trained])
    assert not (tmp_path / "other").exists()
