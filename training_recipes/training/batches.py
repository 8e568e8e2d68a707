"""Batches as a function of the step, and EchoNet-Dynamic with its decoded videos kept in memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.echonet import Sample
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.augmentor.data.sampling import Choice
from echo_augment.augmentor.wrapping import pass_epoch
from echo_augment.cache.system.processes import give_back_memory

from ..common.ranks import ALONE, Share
from .fit import Batches


class DecodedVideo:
    """A video in memory, read like an open file.

    Args:
        frames: ``(N, H, W, 3)`` uint8, all frames.
    """

    def __init__(self, frames: npt.NDArray[np.uint8]) -> None:
        self.frames = frames
        self.shape = (frames.shape[1], frames.shape[2])

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, wanted: npt.NDArray[np.int64], *, rgb: bool = True) -> npt.NDArray[np.uint8]:
        """The frames ``wanted``, ``(K, H, W, 3)``; the first channel only, ``(K, H, W)``, without ``rgb``."""
        return self.frames[wanted] if rgb else self.frames[wanted, ..., 0]


class Windows(NamedTuple):
    """Clips of one video that overlap, without copies of what they share.

    Attributes:
        pictures: the video's normalised frames that they need, ``(3, F, H, W)``.
        places: for each of the K clips, which of these are its frames, ``(K, length)``.
    """

    pictures: Tensor
    places: Tensor

    def clips(self, batch: int) -> Iterator[Tensor]:
        """Yield the clips stacked, ``(batch, 3, length, H, W)``, the last ones fewer, where the pictures lie."""
        for places in self.places.split(batch):
            taken = self.pictures[:, places.flatten()].unflatten(1, places.shape)
            yield taken.transpose(0, 1).contiguous()


class DecodedEcho(EchoNetDynamic):
    """`EchoNetDynamic` that keeps what it decoded, as long as it fits; samples are the same with and without.

    Not for a whole data set in many workers: each process keeps its own copy.

    Args:
        memory_mb: megabytes of decoded frames to keep; 0 keeps nothing.
        arguments: of `EchoNetDynamic`.
    """

    def __init__(self, *arguments: Any, memory_mb: float = 0, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.memory_mb = memory_mb
        self._kept: dict[int, DecodedVideo] = {}
        self._size = 0

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of a data set of {len(self)}")
        video = self._video(index % len(self))
        if video is None:
            return super().__getitem__(index)
        return self._read(index % len(self), video, self.choose(index % len(self), len(video)))  # type: ignore[arg-type]

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # form and values are Echo's

    def at_tempo(self, index: int, tempo: float) -> tuple[Sample, bool]:
        """Return item ``index`` with its heart beating ``tempo`` times as fast, and True: its frames are read so."""
        video = self._video(index)
        if video is None:
            return super().at_tempo(index, tempo)
        choice = self.choose(index, len(video)).at_tempo(tempo, self.period, len(video))
        return self._read(index, video, choice), True  # type: ignore[arg-type]

    def windows(self, index: int, most: int | None = None, at_once: int = 100) -> Iterator[Windows]:
        """Yield the clips of one video at all its start frames, or at ``most`` evenly spaced ones.

        The clips of a long video, stacked, are gigabytes, and share nearly all their frames: so the frames come, each
        once, with the places where every clip finds its own (`Windows.clips` stacks some).

        Args:
            index: of the video.
            most: clips at most; None for all.
            at_once: clips that one part describes at most.

        Yields:
            Parts in the clips' order. The data set must have been made with ``clips="all"``.
        """
        video = self._video(index)
        if video is not None:
            count, pixels, shape = len(video), video.frames, video.shape
            wanted = self._spread(index, count, most).frames(self.period)
            there = np.arange(count)
        else:
            with self.open(index) as file:
                count, shape = len(file), file.shape
                wanted = self._spread(index, count, most).frames(self.period)
                there = np.unique(wanted[wanted < count])
                pixels = file.read(there, rgb=True)
        for start in range(0, len(wanted), at_once):
            frames = wanted[start : start + at_once]
            needed = np.unique(frames[frames < count])
            # One more picture, of zeros, stands for the frames past the end, as in a sample.
            pictures = np.zeros((3, len(needed) + bool((frames >= count).any()), *shape), np.float32)
            taken = pixels[np.searchsorted(there, needed)]
            self._normalise(np.moveaxis(taken, -1, 0), pictures[:, : len(needed)])
            places = np.where(frames < count, np.searchsorted(needed, frames), len(needed))
            yield Windows(torch.from_numpy(pictures), torch.from_numpy(places))

    def _spread(self, index: int, frames: int, most: int | None) -> Choice:
        choice = self.choose(index, frames)
        if most is None or most >= len(choice.starts):
            return choice
        places = np.linspace(0, len(choice.starts) - 1, most).round().astype(int)
        return Choice(choice.length, tuple(choice.starts[place] for place in places))

    def _video(self, index: int) -> DecodedVideo | None:
        if index in self._kept:
            return self._kept[index]
        if self._size >= self.memory_mb * 1e6:
            return None
        with self.open(index) as file:
            frames = file.read(rgb=True)
        if self._size + frames.nbytes > self.memory_mb * 1e6:
            self._size = int(self.memory_mb * 1e6)  # full: later videos are read from their files
            return None
        self._size += frames.nbytes
        self._kept[index] = DecodedVideo(frames)
        return self._kept[index]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_size": 0}


def loader_of(dataset: Any, workers: int, **options: Any) -> DataLoader[Any]:
    """Return a ``DataLoader``; workers that it forks do not keep what this process has freed.

    A worker holds on to every page of its parent at the fork, and those of freed activations are gigabytes.

    Args:
        dataset: to read.
        workers: processes that read; 0 for none.
        options: others of the ``DataLoader``.
    """
    if workers:
        give_back_memory()
    return DataLoader(dataset, num_workers=workers, **options)


def train_batches(
    dataset: Any, batch_size: int, seed: int, workers: int, share: Share = ALONE, *, pin: bool = False
) -> Batches:
    """Batches as a pure function of the step: each epoch is a permutation drawn from ``(seed, epoch)``.

    Args:
        dataset: to draw from.
        batch_size: items a step, of all processes together.
        seed: of the order.
        workers: of the ``DataLoader``.
        share: of each batch, which this process reads.
        pin: whether batches lie in pinned memory, for a GPU.
    """
    per_epoch = len(dataset) // batch_size

    def batches(start: int) -> Iterator[Any]:
        epoch, skip = divmod(start, per_epoch)
        while True:
            pass_epoch(dataset, epoch)
            order = np.random.default_rng([seed, epoch]).permutation(len(dataset))[: per_epoch * batch_size]
            chosen = [share.of(batch) for batch in order.reshape(per_epoch, batch_size)[skip:].tolist()]
            yield from loader_of(dataset, min(workers, len(chosen)), batch_sampler=chosen, pin_memory=pin)
            epoch, skip = epoch + 1, 0

    return batches


class GreyScale(TypedDict):
    """Mean and standard deviation of the grey values 0-255, per channel."""

    mean: list[float]
    std: list[float]


def channel_scale(root: DataFolder, *, samples: int, length: int, period: int) -> GreyScale:
    """Return mean and deviation of the grey values of some TRAIN clips; labels are not used.

    Args:
        root: folder of the data set.
        samples: clips to take.
        length: frames of a clip.
        period: video frames from one frame of the clip to the next.
    """
    data = DecodedEcho(root, "train", [], length=length, period=period, require_tracings=False, on_error="skip")
    order = np.random.default_rng(0).permutation(len(data))[:samples]
    means, squares = [], []
    for index in order:  # one at a time: 128 clips of 32 frames are 1.2 GB
        clip = data[int(index)][0].astype(np.float64)
        means.append(clip.mean((1, 2, 3)))
        squares.append(np.square(clip).mean((1, 2, 3)))
    mean, square = np.mean(means, 0), np.mean(squares, 0)
    return GreyScale(mean=mean.tolist(), std=np.sqrt(np.maximum(square - mean**2, 1e-6)).tolist())


def endless(
    draw: Callable[[np.random.Generator, Share], Any], seed: int, stream: int, share: Share = ALONE
) -> Callable[[int], Iterator[Any]]:
    """Batches that are a pure function of the step: ``draw`` gets a fresh random generator for each, and the share."""

    def batches(step: int) -> Iterator[Any]:
        while True:
            yield draw(np.random.default_rng([seed, stream, step]), share)
            step += 1

    return batches
