"""Every target of a sample, in every form."""

from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo
from echo_augment.augmentor.data.targets import Targets
from echo_augment.cache.errors import EchoAugmentError

ALL_TARGETS = [
    *("Filename", "EF", "EDV", "ESV", "LargeIndex", "SmallIndex"),
    *("LargeFrame", "SmallFrame", "LargeTrace", "SmallTrace", "FPS", "Split"),
]


def test_every_target(good, tools):
    data = EchoNetDynamic(good, "test", ALL_TARGETS, mean=10.0, std=2.0, length=4)
    (name, ef, edv, esv, large, small, large_frame, small_frame, large_trace, small_trace, fps, split) = data[0][1]
    frames = np.moveaxis(tools.opencv_frames(good / "Videos" / "T.avi"), -1, 1)  # channels first
    assert (name, ef, edv, esv, fps, split) == ("T.avi", 55.5, 100, 44.5, 50, "TEST")
    assert (large, small) == (3, 30) and type(large) is int
    assert np.array_equal(large_frame, (frames[3] - np.float32(10)) / 2)
    assert np.array_equal(small_frame, (frames[30] - np.float32(10)) / 2)
    for trace, half_width in ((large_trace, 8), (small_trace, 4)):
        mask = np.zeros((24, 32), np.float32)
        mask[4:17, 15 - half_width : 16 + half_width] = 1
        assert trace.dtype == np.float32 and np.array_equal(trace, mask)


def test_target_forms(good):
    assert EchoNetDynamic(good, target_type=[])[0][1] == []
    assert EchoNetDynamic(good, target_type=["EF"])[0][1] == np.float32(55.5)
    assert EchoNetDynamic(good, target_type=("Filename", "EF"))[1][1] == ("B.avi", 30)
    doubled = EchoNetDynamic(good, target_type=["Filename", "EF"], target_transform=lambda pair: pair[1] * 2)
    assert doubled[1][1] == 60


def test_a_tracing_beyond_the_video_is_named(maker, tools):
    lines = tools.tracing_lines("A.avi", 50, 3) + tools.tracing_lines("A.avi", 60, 5)
    root = maker([tools.row("A", n="")], ["A"], tracings=lines)
    assert EchoNetDynamic(root)[0][1] == 55.5
    with pytest.raises(EchoAugmentError, match=r"A\.avi: is traced in frame 60, it has 40 frames"):
        EchoNetDynamic(root, target_type="LargeFrame")[0]


def test_a_tracing_past_the_end_is_refused_for_every_target_of_it():
    rows = [VideoInfo("A", Path("A.avi"), values=("A",))]
    lines = np.zeros((21, 4))
    targets = Targets(rows, ["FileName"], {"A": {2: lines, 9: lines}})
    for name in ("LargeFrame", "LargeTrace", "LargeIndex"):
        assert targets.pictured([name], 0, 10) == ({"LargeFrame": 9} if name == "LargeFrame" else {})
        with pytest.raises(EchoAugmentError, match="traced in frame 9, it has 5 frames"):
            targets.pictured([name], 0, 5)
    assert targets.pictured(["SmallTrace", "EF"], 0, 5) == {}
