"""Sample for sample against the real `echonet` package, where it can be imported.

It is not on the package index: ``pip install git+https://github.com/echonet/dynamic``. On a NumPy without ``np.int`` it
cannot make trace and index targets; they are compared where it can.
"""

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, open_video

echonet = pytest.importorskip("echonet", reason="the echonet package is not installed")

PLAIN = ["Filename", "EF", "EDV", "ESV", "LargeFrame", "SmallFrame", "FPS", "FrameHeight"]
NEEDS_INT = ["LargeIndex", "SmallIndex", "LargeTrace", "SmallTrace"]
PER_CHANNEL = {"mean": np.array([32.0, 33.5, 34.0], np.float32), "std": np.array([49.0, 50.0, 51.5], np.float32)}
FORMS = [
    {},
    {"length": 32, "period": 2, "pad": 12, "mean": 32.1, "std": 49.9},
    {"length": 10, "period": 1, **PER_CHANNEL},
    {"length": None, "period": 4, "mean": np.array([32.1, 33, 34]), "std": np.array([49.7, 50, 51])},
    {"length": 40, "period": 7, "mean": 30.0},
    {"length": 100, "max_length": 20, "clips": 3},
    {"length": 16, "period": 8, "clips": "all"},
]


def equal(ours, theirs):
    if isinstance(theirs, np.ndarray):
        return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    return type(ours) is type(theirs) and ours == theirs


def index_and_trace_targets_work(root):
    try:
        echonet.datasets.Echo(str(root), "all", NEEDS_INT)[0]
    except AttributeError:
        return False
    return True


def compare(root, split, form, monkeypatch):
    targets = PLAIN + (NEEDS_INT if index_and_trace_targets_work(root) else [])
    theirs = echonet.datasets.Echo(str(root), split, targets, **form)
    ours = EchoNetDynamic(root, split, targets, **form)
    assert ours.fnames == theirs.fnames and ours.header == theirs.header and ours.outcome == theirs.outcome
    for index in range(len(theirs)):
        with open_video(ours.rows[index].path) as video:
            choice = ours.choose(index, len(video))
        monkeypatch.setattr(np.random, "choice", lambda *_, choice=choice, **__: np.array(choice.starts))
        monkeypatch.setattr(np.random, "randint", lambda *_, choice=choice, **__: np.array(choice.corner))
        their_clip, their_target = theirs[index]
        clip, target = ours[index]
        assert equal(clip, np.asarray(their_clip)), f"item {index}"
        for name, one, other in zip(targets, target, their_target, strict=True):
            assert equal(one, other), f"item {index}, target {name}"


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_phantom_like_videos(good, form, monkeypatch):
    compare(good, "all", form, monkeypatch)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_real_echocardiograms(mini, form, monkeypatch):
    compare(mini, "train", form, monkeypatch)
