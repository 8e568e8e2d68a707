"""Donors as a generator needs them, read ahead by threads.

To decode a video and to find its ED frame takes a core longer than a GPU takes for a clip. Decoding, optical flow and
tensors leave Python's lock to others, so threads read the donors of the next clips beside the present ones.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.processes import usable_cores

from ..data import VideoInfo, open_video
from .phase import Heart, heart_volume, make_heart, reference_frame, resample_indices
from .pipeline import MCDMPipeline

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
AHEAD = 8  # videos that `hearts` reads ahead


def readers_for(device: str | torch.device) -> int:
    """Return how many threads read ahead: every core beside a GPU, half of them beside a generator on the CPU."""
    cores = usable_cores()
    return cores if torch.device(device).type != "cpu" else max(1, cores // 2)


class Ahead(Generic[K, V]):
    """Results that threads find before they are asked for; the same ones, whatever was expected and by how many.

    Args:
        find: returns the result of a key; called in threads, several at a time.
        threads: at least 1.
    """

    def __init__(self, find: Callable[[K], V], threads: int) -> None:
        self._find, self._threads = find, threads
        self._owner = 0
        self._pool: ThreadPoolExecutor | None = None
        self._begun: dict[K, Future[V]] = {}

    def expect(self, keys: Iterable[K], *, only: bool = True) -> None:
        """Begin with some keys, in their order; with ``only``, earlier ones that are not among them are dropped."""
        wanted = dict.fromkeys(keys)
        self._here()
        for key in [key for key in self._begun if only and key not in wanted]:
            self._begun.pop(key).cancel()
        for key in wanted:
            self._begin(key)

    def __contains__(self, key: K) -> bool:
        return key in self._begun

    def __call__(self, key: K) -> V:
        """Return the result of a key, once; wait for it where it is not there. Raises what finding it raised."""
        self._begin(key)
        return self._begun.pop(key).result()

    def _begin(self, key: K) -> None:
        pool = self._here()
        if key not in self._begun:
            self._begun[key] = pool.submit(self._find, key)

    def _here(self) -> ThreadPoolExecutor:
        """Return the threads of this process; those of another one, and what they had begun, do not come along."""
        if self._pool is None or self._owner != os.getpid():
            self._owner, self._begun = os.getpid(), {}
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="donors")
        return self._pool

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None, "_begun": {}}


def read_heart(row: VideoInfo, *, rate: float, size: int) -> tuple[Heart, float]:
    """Return a video as a generator sees it, and the video's own frames per second; only frames it sees are decoded.

    Args:
        row: of the data set's table.
        rate: frames per second of the generator.
        size: side of its frames in pixels.

    Raises:
        EchoAugmentError: it cannot be read, has no frame rate, or is too short to find a beat.
    """
    with open_video(row.path) as video:
        fps = video.fps if video.fps > 0 else row.fps
        if not (np.isfinite(fps) and fps > 0):
            raise EchoAugmentError(
                f"video {row.name!r}: frame rate {fps} is not positive", "Mend the file or FPS in FileList.csv"
            )
        frames = video.read(resample_indices(len(video), fps, 2 * rate))
    return make_heart(row.name, frames, 2 * rate, rate=rate, size=size), fps


def hearts(
    rows: Sequence[VideoInfo], *, rate: float, size: int
) -> Iterator[tuple[VideoInfo, tuple[Heart, float] | EchoAugmentError]]:
    """Yield every video with what `read_heart` returns, or its error, in their order; the next are read meanwhile."""

    def read(place: int) -> tuple[Heart, float] | EchoAugmentError:
        try:
            return read_heart(rows[place], rate=rate, size=size)
        except EchoAugmentError as error:
            return error

    ahead = Ahead(read, usable_cores())
    try:
        for place, row in enumerate(rows):
            ahead.expect(range(place, min(place + AHEAD, len(rows))))
            yield row, ahead(place)
    finally:
        ahead.expect(())


@dataclass(frozen=True, slots=True)
class MotionDonor:
    """A motion donor, read: codes ``(G, D)``, volume curve ``(G,)`` and EF in percent."""

    codes: Tensor
    volume: npt.NDArray[np.float64]
    ef: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a video: its motion and its reference frame, or the latter alone."""

    name: str
    motion: bool


class Donors:
    """The donors of a generator, each decoded when it is first needed, or before.

    A motion code takes several times as long as all the rest, so it is read only of videos that give motion.

    Args:
        pipeline: reads the codes, on its device.
        rows: the videos by name.
        motion: EF in percent of those that can give motion.
    """

    def __init__(self, pipeline: MCDMPipeline, rows: Mapping[str, VideoInfo], motion: Mapping[str, float]) -> None:
        self._pipeline, self._rows, self._ef = pipeline, rows, motion
        self._motion: dict[str, MotionDonor] = {}
        self._reference: dict[str, npt.NDArray[np.uint8]] = {}
        self._ahead: Ahead[Wanted, None] = Ahead(self._read, readers_for(pipeline.device))

    def expect(self, pairs: Sequence[tuple[str, str]], *, only: bool = True) -> None:
        """Begin to read what is not there yet of some pairs of a motion and an appearance donor, in their order.

        Args:
            pairs: names; those of other videos are left alone, whoever asks for them gets the error.
            only: drop what was expected before.
        """
        wanted = list[Wanted]()
        moving = {name for name, _ in pairs if name in self._ef}
        for motion, appearance in pairs:
            if motion in moving and motion not in self._motion:
                wanted.append(Wanted(motion, True))
            if appearance in self._rows and appearance not in self._reference and appearance not in moving:
                wanted.append(Wanted(appearance, False))
        self._ahead.expect(wanted, only=only)

    def motion(self, name: str) -> MotionDonor:
        """Return a motion donor.

        Raises:
            EchoAugmentError: its video cannot be read.
        """
        if name not in self._motion:
            self._ahead(Wanted(name, True))
        return self._motion[name]

    def reference(self, name: str) -> npt.NDArray[np.uint8]:
        """Return the reference frame of an appearance donor, ``(size, size)``.

        Raises:
            EchoAugmentError: its video cannot be read.
        """
        if name not in self._reference:
            self._ahead(Wanted(name, Wanted(name, True) in self._ahead))
        return self._reference[name]

    def _read(self, wanted: Wanted) -> None:
        """Decode a video once; keep its reference frame and, if it is wanted, its motion."""
        config, name = self._pipeline.config, wanted.name
        rate = float(config["rate"])
        heart, _ = read_heart(self._rows[name], rate=rate, size=int(config["size"]))
        self._reference[name] = reference_frame(heart, str(config["reference"])).copy()
        if wanted.motion:
            volume = heart_volume(heart, 2 * rate)
            self._motion[name] = MotionDonor(self._pipeline.encode_motion(heart), volume, self._ef[name])
