"""Excerpts of videos, which a generator re-enacts, and the motion code read back from a clip that it made."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.mcdm.motion import stretch
from echo_augment.augmentor.mcdm.phase import Heart, heart_volume, volume_curve
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError

Frames = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excerpt:
    """The middle of a video, as long as a generator's clip, and what the generator is told of it.

    Attributes:
        name: of the video.
        clip: its frames at the generator's rate, ``(T, H, W)`` uint8.
        reference: the ED frame, ``(H, W)`` uint8.
        codes: normalised motion codes, ``(T, D)``, or ``(1, D)`` for one vector a clip.
        rest: the ED frame's, ``(D,)``; zeros for one vector a clip, which has none.
        volume: curve that follows the LV's size through the whole video, ``(G,)`` at the generator's rate, no unit.
        start: where in that curve the clip begins.
    """

    name: str
    clip: Frames
    reference: Frames
    codes: Tensor
    rest: Tensor
    volume: Values
    start: int


def take_excerpt(pipeline: MCDMPipeline, heart: Heart) -> Excerpt:
    """Return the middle of a video, as long as the pipeline's clips.

    Raises:
        EchoAugmentError: the video is shorter.
    """
    length, fps = int(pipeline.config["frames"]), float(pipeline.config["rate"])
    grid = heart.grid
    if len(grid) < length:
        raise EchoAugmentError(
            f"video {heart.name!r}: {len(grid)} frames at {fps:g} a second are shorter than a clip's {length}"
        )
    start = (len(grid) - length) // 2
    picked = grid[start : start + length]
    codes = pipeline.encode_motion(heart)
    one = pipeline.config["code"] == "vector"
    return Excerpt(
        name=heart.name,
        clip=np.array(heart.frames[picked]),
        reference=np.array(heart.reference),
        codes=codes if one else stretch(codes, length, start=float(start)),
        rest=torch.zeros_like(codes[0]) if one else codes[min(heart.ed // 2, len(codes) - 1)],
        volume=heart_volume(heart, 2 * fps),
        start=start,
    )


def read_back(pipeline: MCDMPipeline, clip: Frames, reference: Frames) -> Tensor:
    """Return the motion codes that the pipeline reads from a clip ``(T, H, W)``, in the form of `Excerpt.codes`.

    Args:
        pipeline: the generator.
        clip: at the generator's rate.
        reference: ED frame ``(H, W)`` of the clip's appearance donor, from which its motion is measured.
    """
    # A Heart has twice the generator's rate, and every second of its frames is read: so each frame is there twice.
    frames = np.repeat(np.concatenate([reference[None], clip]), 2, axis=0)
    smallest = 1 + int(volume_curve(clip, float(pipeline.config["rate"])).argmin())
    codes = pipeline.encode_motion(Heart("clip", frames, ed=0, es=2 * smallest))
    return codes if pipeline.config["code"] == "vector" else codes[1:]


def cycle_error(read: Tensor, given: Tensor, rest: Tensor) -> float:
    """Return how far codes read back from a clip are from those it was made of: 0 equal, 1 as far as standing still.

    ``|read - given|^2 / |given - rest|^2``, as cycle consistency (Zhu et al., arXiv 1703.10593) asks of a pair of maps.

    Args:
        read: codes ``(T, D)``.
        given: the motion donor's, likewise.
        rest: the donor's ED frame's, ``(D,)``.
    """
    moved = float((given - rest).double().square().sum())
    return float((read - given).double().square().sum()) / max(moved, 1e-12)
