"""EF of whole videos: every start frame counts, and the longest video needs no more memory than a batch."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.data.video import write_video
from echo_augment.training_recipes.ef.predicting import BATCH, predict
from echo_augment.training_recipes.training.batches import DecodedEcho

LONGEST = 1002  # frames of EchoNet-Dynamic's longest video
FORM = {"length": 32, "period": 2, "mean": [30.0, 30.0, 30.0], "std": [50.0, 50.0, 50.0]}  # echonet's clips


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = write_phantoms(
        tmp_path_factory.mktemp("set"), 4, num_frames=90, workers=1, splits=(0.25, 0.25, 0.5), format=2
    )
    rng = np.random.default_rng(0)
    rows = DecodedEcho(folder, "test", **FORM).rows
    for row, frames in zip(rows, (LONGEST, 200), strict=True):
        small = rng.integers(0, 200, (frames, 7, 7), np.uint8)
        write_video(row.path, small.repeat(8, 1).repeat(8, 2), 50.0)
    return folder


class Reader(nn.Module):
    """A net whose answer depends on every clip, and on which frame stands where; notes its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(clips))
        weights = torch.arange(1.0, 33.0)[None, None, :]
        return (clips[..., ::8, ::8].mean((-2, -1)) * weights).sum((1, 2)).sin()


def read(root, most=None, workers=0, items=(1,)):
    net = Reader()
    data = DecodedEcho(root, "test", "EF", clips="all", require_tracings=False, **FORM)
    return predict(net, data, items, most, torch.device("cpu"), False, workers), net.batches


def test_the_mean_over_every_start_frame_in_batches_of_one_video(root):
    data = DecodedEcho(root, "test", "EF", clips="all", require_tracings=False, **FORM)
    whole = torch.from_numpy(data[1][0])
    assert len(whole) == 200 - 62
    found, batches = read(root)
    expected = torch.cat([Reader()(part) for part in whole.split(BATCH)]).mean()
    assert found.tolist() == [float(expected)]
    assert batches == [BATCH] * 6 + [18]


def test_workers_change_nothing_and_nor_does_the_order_of_the_videos(root):
    found, batches = read(root, most=5, items=(0, 1))
    assert batches == [5, 5]
    np.testing.assert_array_equal(read(root, most=5, workers=2, items=(0, 1))[0], found)
    np.testing.assert_array_equal(read(root, most=5, workers=3, items=(1, 0))[0], found[::-1])
    assert found[0] != found[1] != read(root)[0][0]


def test_the_longest_video_takes_no_more_memory_than_its_frames_and_a_part(root):
    tracemalloc.start()
    try:
        _, batches = read(root, items=(0,))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(batches) == LONGEST - 62
    assert max(batches) == BATCH
    frame = 3 * 56 * 56  # a quarter of EchoNet-Dynamic's
    stacked = (LONGEST - 62) * 32 * frame * 4
    assert stacked > 1e9
    assert peak < LONGEST * frame * 2 + 25e6, f"{peak / 1e6:.0f} MB"
