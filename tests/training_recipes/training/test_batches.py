"""Batches, decoded videos and the grey-value scale of a training."""

import platform
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import Dataset

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.training.batches import (
    DecodedEcho,
    channel_scale,
    endless,
    loader_of,
    train_batches,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=48, workers=1, splits=(0.6, 0.2, 0.2), format=2
    )


def test_decoded_samples_are_the_reader_s_own(root):
    settings = {"root": root, "length": 6, "period": 4, "pad": 12, "mean": 30.0, "std": 50.0}
    plain, kept = EchoNetDynamic(**settings), DecodedEcho(**settings, memory_mb=50)
    for epoch in (0, 1):
        plain.set_epoch(epoch)
        kept.set_epoch(epoch)
        for index in (0, 3):
            np.testing.assert_array_equal(plain[index][0], kept[index][0])
            assert plain[index][1] == kept[index][1]
    assert len(kept._kept) == 2


def stacked(data: DecodedEcho, *arguments: int | None) -> np.ndarray:
    return np.concatenate([clips.numpy() for part in data.windows(*arguments) for clips in part.clips(4)])


def test_windows_are_the_sample_s_in_parts_spread_over_the_video_and_the_same_from_memory(root):
    settings = {"root": root, "length": 6, "period": 4, "clips": "all", "mean": [30.0, 31.0, 32.0], "std": 50.0}
    whole = EchoNetDynamic(**settings)[0][0]
    assert whole.shape == (48 - 20, 3, 6, 112, 112)
    everything = stacked(DecodedEcho(**settings), 0, None, 7)
    np.testing.assert_array_equal(everything, whole)
    some = stacked(DecodedEcho(**settings, memory_mb=50), 0, 3)
    np.testing.assert_array_equal(some, everything[[0, 14, 27]])
    np.testing.assert_array_equal(stacked(DecodedEcho(**settings), 0, 3), some)


def test_windows_of_a_video_that_is_too_short_end_in_zeros_as_the_sample_does(root):
    settings = {"root": root, "length": 14, "period": 4, "clips": "all", "mean": 30.0, "std": 50.0}
    whole = EchoNetDynamic(**settings)[0][0]
    assert not whole[:, :, -2:].any()
    np.testing.assert_array_equal(stacked(DecodedEcho(**settings), 0), whole)


def test_memory_is_bounded(root):
    one = 48 * 112 * 112 * 3 / 1e6
    data = DecodedEcho(root, length=6, period=4, memory_mb=1.5 * one)
    for index in range(4):
        data[index]
    assert len(data._kept) == 1


def test_channel_scale_normalises_train_clips(root):
    scale = channel_scale(str(root), samples=8, length=12, period=4)
    data = DecodedEcho(root, length=12, period=4, **scale)
    pixels = np.stack([data[index][0] for index in range(8)])
    assert np.abs(pixels.mean((0, 2, 3, 4))).max() < 0.05
    assert np.abs(pixels.std((0, 2, 3, 4)) - 1).max() < 0.05


def test_channel_scale_holds_few_clips_at_a_time(root):
    tracemalloc.start()
    try:
        channel_scale(str(root), samples=8, length=12, period=4)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 6 * 12 * 3 * 112 * 112 * 8, "six of the eight, as float64"


class Resident(Dataset):
    """Says how many bytes of its own the process has that reads it."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no freed memory, or cannot say")
def test_workers_do_not_keep_what_was_freed():
    blocks = [b"x" * 60_000 for _ in range(2_000)]  # too small for pages of their own
    blocks = blocks[-1:]  # the last one keeps the heap from shrinking by itself
    before = Resident()[0]
    (found,) = loader_of(Resident(), 1, batch_size=None)
    assert before - int(found) > 60e6 and blocks


class Numbers(Dataset):
    """Says which item was asked for in which epoch."""

    def __init__(self, length: int) -> None:
        self.length, self.epoch = length, -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[int, int]:
        return self.epoch, index


def test_processes_share_each_batch():
    def first(share: Share) -> list[int]:
        return next(train_batches(Numbers(10), 4, 7, 0, share)(0))[1].tolist()

    whole = first(Share())
    assert first(Share(0, 2)) == whole[::2] and first(Share(1, 2)) == whole[1::2]
    drawn = [next(endless(lambda rng, share: share.of(rng.random(6)), 3, 1, Share(k, 3))(5)) for k in range(3)]
    assert np.stack(drawn, 1).ravel().tolist() == np.random.default_rng([3, 1, 5]).random(6).tolist()


def test_batches_are_a_function_of_the_step():
    def take(start: int, count: int) -> list[tuple]:
        stream = train_batches(Numbers(10), 4, 7, 0)(start)
        return [tuple(part.tolist() for part in next(stream)) for _ in range(count)]

    whole = take(0, 6)
    assert [batch[0][0] for batch in whole] == [0, 0, 1, 1, 2, 2]
    assert all(len(set(batch[1])) == 4 for batch in whole)
    for start in (1, 2, 5):
        assert take(start, 1) == [whole[start]]
    assert whole[0][1] != whole[2][1]
