"""Cut, resample and normalise clips as a training set does its videos: first choose a window, then apply it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.arguments import check_number, check_share
from echo_augment.cache.errors import EchoAugmentError

EPS = 1e-6


@dataclass(frozen=True, slots=True)
class Window:
    """What is cut out of a clip.

    Attributes:
        times: position of each frame in the clip, counted in the clip's frames, ``(K, L)`` float64.
        corner: ``(y, x)`` of the crop in the padded frame, or None.
        noise_seed: seed of the choice of pixels that are blacked out.
    """

    times: npt.NDArray[np.float64]
    corner: tuple[int, int] | None
    noise_seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoFormat:
    """The video arguments of ``echonet.datasets.Echo``, applied to a clip of any frame rate.

    ``format(clip, rng)`` gives float32 ``(C, L, H, W)``, or ``(K, C, L, H, W)`` for ``clips`` other than 1, in the
    normalisation of the training set.

    The clip is resampled in time (linear interpolation) from its own frame rate to ``fps / period``. A window starts on
    a frame of the clip, so if one rate divides the other nothing is interpolated and no speckle is blurred. A frame
    stands for ``1 / clip.fps`` seconds; a window that is longer than the clip ends in zeros (after normalisation), as
    echonet pads short videos.

    Args:
        length: number of frames; None takes the whole clip.
        period: every ``period``-th frame at ``fps`` is taken.
        fps: frame rate of the training set's videos, in 1/s.
        max_length: upper bound of ``length``, or None.
        clips: number of windows in an item, or ``"all"``.
        mean: grey level (0 to 255) to subtract, one number or ``(C,)``.
        std: divisor of the grey levels, one number or ``(C,)``.
        pad: zeros around the frame before a random crop of the old size, in pixels, or None.
        noise: share of pixels that are blacked out, in [0, 1], or None.
        channels: 1 or 3; the grey frame is repeated.
        size: ``(H, W)`` that frames are resized to; None keeps the clip's.

    Raises:
        EchoAugmentError: a value out of its range.

    Example:
        >>> clip = EchoClip("a", np.full((50, 112, 112), 80, np.uint8), fps=50)
        >>> format = VideoFormat(length=16, period=2, fps=50, mean=30.0, std=50.0)
        >>> video = format(clip, np.random.default_rng(0))
        >>> video.shape, float(video.max())
        ((3, 16, 112, 112), 1.0)
    """

    length: int | None = 16
    period: int = 2
    fps: float = 50.0
    max_length: int | None = 250
    clips: int | Literal["all"] = 1
    mean: Any = 0.0
    std: Any = 1.0
    pad: int | None = None
    noise: float | None = None
    channels: int = 3
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, low in (("length", 1), ("max_length", 1), ("period", 1), ("pad", 0)):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low)
        check_number("fps", self.fps, 0, above_low=True)
        if self.noise is not None:
            check_share("noise", self.noise)
        if self.clips != "all" and (isinstance(self.clips, str) or self.clips < 1):
            raise EchoAugmentError(f'clips must be at least 1 or "all", got {self.clips!r}')
        if self.channels not in (1, 3):
            raise EchoAugmentError(f"channels must be 1 or 3, got {self.channels!r}")

    def window(self, clip: EchoClip, rng: np.random.Generator) -> Window:
        """Choose frames, crop and noise; computes no pixels."""
        frames = clip.n_frames
        seen = max(int(frames * self.fps / clip.fps + EPS), 1)  # frames that the clip would have at ``fps``
        length = max(seen // self.period, 1) if self.length is None else self.length
        if self.max_length is not None:
            length = min(length, self.max_length)
        step = self.period * clip.fps / self.fps
        if self.clips == "all":
            starts = np.arange(max(seen, length * self.period) - (length - 1) * self.period) * (clip.fps / self.fps)
        else:
            last = max(math.floor(frames - 1 - (length - 1) * step + EPS), 0)
            starts = rng.integers(0, last + 1, self.clips).astype(np.float64)
        times = starts[:, None] + np.arange(length) * step
        y, x = rng.integers(0, 2 * self.pad, 2) if self.pad else (0, 0)
        return Window(times, (int(y), int(x)) if self.pad else None, int(rng.integers(2**63)))

    def video(self, clip: EchoClip, window: Window) -> npt.NDArray[np.float32]:
        """Return the video of a window."""
        stack = [
            self.normalise(self._noise(self._sample(clip, times), window, place), times < clip.n_frames)
            for place, times in enumerate(window.times)
        ]
        video = stack[0] if self.clips == 1 else np.stack(stack)
        return self._crop(video, window)

    def __call__(self, clip: EchoClip, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return the video of a window that ``rng`` draws."""
        return self.video(clip, self.window(clip, rng))

    @cached_property
    def _scales(self) -> tuple[list[float], list[float]]:
        return _by_channel(self.mean, self.channels), _by_channel(self.std, self.channels)

    def normalise(
        self, grey: npt.NDArray[np.uint8 | np.float32], inside: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return grey levels ``(L, H, W)``, 0 to 255, as normalised ``(C, L, H, W)``; frames not ``inside`` are 0."""
        mean, std = self._scales
        video = np.empty((self.channels, *grey.shape), np.float32)
        for channel in range(self.channels):
            if channel and mean[channel] == mean[0] and std[channel] == std[0]:
                video[channel] = video[0]
                continue
            video[channel] = grey  # converting first and then working in place is twice as fast
            video[channel] -= mean[channel]
            video[channel] /= std[channel]
        if inside is not None and not inside.all():
            video[:, ~inside] = 0
        return video

    def resize(self, frames: npt.NDArray[Any], *, nearest: bool = False) -> npt.NDArray[Any]:
        """Return frames ``(L, H, W)`` resized to ``size``; use ``nearest`` for masks."""
        if self.size is None or frames.shape[1:] == tuple(self.size):
            return frames
        height, width = self.size
        shrink = height < frames.shape[1]
        how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        return np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in frames])

    def _sample(self, clip: EchoClip, times: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8 | np.float32]:
        last = clip.n_frames - 1
        times = times.clip(0, last)
        low = (times + EPS).astype(np.int64)
        weight = (times - low).astype(np.float32)
        if np.abs(weight).max() < EPS:
            return self.resize(clip.take(low))
        weight = weight[:, None, None]
        length = len(low)
        pair = clip.take(np.concatenate((low, np.minimum(low + 1, last))))
        mixed = pair[:length] * (1 - weight) + pair[length:] * weight
        return self.resize(mixed)

    def _noise(
        self, grey: npt.NDArray[np.uint8 | np.float32], window: Window, place: int
    ) -> npt.NDArray[np.uint8 | np.float32]:
        if self.noise is None:
            return grey
        rng = np.random.default_rng([window.noise_seed, place])
        grey.reshape(-1)[rng.choice(grey.size, round(self.noise * grey.size), replace=False, shuffle=False)] = 0
        return grey

    def _crop(self, video: npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.float32]:
        if window.corner is None or self.pad is None:
            return video
        height, width = video.shape[-2:]
        y, x = window.corner
        result = np.zeros_like(video)  # crops the padded frame without making it
        top, left = self.pad - y, self.pad - x
        here = (..., slice(max(top, 0), height + min(top, 0)), slice(max(left, 0), width + min(left, 0)))
        there = (..., slice(max(-top, 0), height + min(-top, 0)), slice(max(-left, 0), width + min(-left, 0)))
        result[here] = video[there]
        return result


def _by_channel(value: Any, channels: int) -> list[float]:
    """Return one number for each channel, rounded to float32."""
    values: list[float] = np.asarray(value, np.float32).reshape(-1).tolist()
    return values * channels if len(values) == 1 else np.broadcast_to(values, channels).tolist()
