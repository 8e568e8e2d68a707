"""Decide which frames of a video a sample takes: the random part of the reader, as pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

Scale = float | Sequence[float] | npt.NDArray[Any]


def check_scale(name: str, value: Scale, *, divides: bool = False) -> None:
    """Raise EchoAugmentError unless ``value`` is one finite number or three, and not 0 if it ``divides``."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EchoAugmentError(f"{name} must be one number or three, got {value!r}") from error
    if numbers.size not in (1, 3) or not np.isfinite(numbers).all() or (divides and (numbers == 0).any()):
        raise EchoAugmentError(
            f"{name} must be one number or three, finite{' and not 0' if divides else ''}, got {value!r}"
        )


Clips = int | Literal["all"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is drawn for one sample.

    Attributes:
        length: frames a clip.
        starts: first frame of each clip.
        corner: row and column of the crop inside the padded frame; None without padding.
        noise_seed: seed of the blacked-out pixels; None without noise.
        tempo: of the video's own at which the clips are read.
    """

    length: int
    starts: tuple[int, ...]
    corner: tuple[int, int] | None = None
    noise_seed: int | None = None
    tempo: float = 1.0

    def frames(self, period: int) -> npt.NDArray[np.int64]:
        """Return frame numbers ``(clips, length)``; those past the video's end stand for zero frames."""
        steps = np.rint(self.tempo * period * np.arange(self.length)).astype(np.int64)
        return np.asarray(np.array(self.starts, np.int64)[:, None] + steps)

    def at_tempo(self, tempo: float, period: int, frames: int) -> "Choice":
        """Return the same choice at another tempo; clips begin earlier where a video of ``frames`` frames would end.

        A video without room for it is read at the fastest tempo that fits, and one that is too short at its own.
        """
        span = max((self.length - 1) * period, 1)
        tempo = min(tempo, max(1.0, (frames - 1) / span))
        last = max(frames - 1 - int(np.rint(tempo * span)), 0)
        return replace(self, tempo=tempo, starts=tuple(min(start, last) for start in self.starts))


def clip_length(frames: int, length: int | None, period: int, max_length: int | None) -> int:
    """Return the length of a clip from a video of ``frames`` frames; ``length=None`` takes all the video gives.

    Raises:
        EchoAugmentError: ``length`` is None and the video is shorter than one period.
    """
    result = frames // period if length is None else length
    if max_length is not None:
        result = min(result, max_length)
    if result < 1:
        raise EchoAugmentError(
            f"a video of {frames} frames gives no clip with period {period}",
            "Lower period, give length, or drop the video",
        )
    return result


def choose(
    rng: np.random.Generator,
    frames: int,
    *,
    length: int | None,
    period: int,
    max_length: int | None,
    clips: Clips,
    pad: int | None,
    noise: float | None,
) -> Choice:
    """Draw a sample's clips, crop and noise as `echonet.datasets.Echo` distributes them.

    A video shorter than ``length * period`` counts as padded with zero frames to that length. Starts are uniform over
    all places where a clip fits, with repeats; corners uniform over ``0..2*pad-1``.

    Args:
        rng: generator of this sample alone.
        frames: frames that the video has.
        length: frames a clip, or None for as many as possible.
        period: step from one frame of a clip to the next.
        max_length: upper limit of the length, or None.
        clips: number of clips, or ``"all"`` for one at each possible start.
        pad: pixels of zero border before the random crop, or None.
        noise: share of blacked-out pixels, or None.
    """
    taken = clip_length(frames, length, period, max_length)
    places = max(frames, taken * period) - (taken - 1) * period
    starts = range(places) if clips == "all" else rng.integers(0, places, clips).tolist()
    corner = rng.integers(0, 2 * pad, 2).tolist() if pad else None
    noise_seed = int(rng.integers(2**63)) if noise is not None else None
    return Choice(taken, tuple(starts), (corner[0], corner[1]) if corner else None, noise_seed)


def black_out(frames: npt.NDArray[np.uint8], share: float, seed: int) -> npt.NDArray[np.uint8]:
    """Black out ``round(share * N * H * W)`` random pixels of a copy of ``frames`` ``(N, H, W, C)``."""
    count = int(np.prod(frames.shape[:3]))
    hit = np.random.default_rng(seed).choice(count, round(share * count), replace=False)
    noisy = frames.copy()
    noisy.reshape(count, -1)[hit] = 0
    return noisy


def crop_padded(clips: npt.NDArray[np.float32], pad: int, corner: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Cut the ``(H, W)`` window at ``corner`` from ``clips`` ``(..., H, W)`` with ``pad`` zeros on each side."""
    height, width = clips.shape[-2:]
    down, right = corner[0] - pad, corner[1] - pad
    result = np.zeros_like(clips)
    rows = slice(max(-down, 0), min(height - down, height))
    columns = slice(max(-right, 0), min(width - right, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        result[..., rows, columns] = clips[
            ..., rows.start + down : rows.stop + down, columns.start + right : columns.stop + right
        ]
    return result
