"""What the EF reader learns from, and is judged by: short phantom clips of hearts that nothing else sees."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from echo_augment.augmentor.data.phantom import render, sample_phantom, volume_curve
from echo_augment.cache.system.processes import end_with_parent

SEEDS = 900_000_000  # phantoms of the reader alone: no data set may have them (phantom.writing.RESERVED)


class Readings(NamedTuple):
    """Clips and what is to be read from them.

    Attributes:
        clips: ``(N, T, H, W)`` uint8.
        ef: of the labelled beat of each heart's two-second recording, in percent: ``(N,)`` float32.
        volumes: in every frame, as a share of the clip's largest: ``(N, T)`` float32.
    """

    clips: Tensor
    ef: Tensor
    volumes: Tensor


def render_one(
    seed: int, frames: int, rate: float, size: int
) -> tuple[npt.NDArray[np.uint8], float, npt.NDArray[np.float32]]:
    """A short phantom clip, its heart's EF (of the beat, not of the few frames drawn) and the volumes it shows."""
    phantom = sample_phantom(seed)
    start = float(np.random.default_rng([seed, 3]).uniform(0, 0.7))
    clip = render(phantom.motion, phantom.appearance, frames=frames, fps=rate, start=start, seed=seed, size=size)
    return clip.frames, whole_beat_ef(seed), (clip.volumes / clip.volumes.max()).astype(np.float32)


def whole_beat_ef(seed: int) -> float:
    """EF of the labelled beat of a phantom's two-second recording, in percent."""
    phantom = sample_phantom(seed)
    return float(volume_curve(phantom.motion, phantom.appearance).ef)


def render_many(count: int, frames: int, rate: float, size: int, first: int, what: str) -> Readings:
    """``count`` phantoms from seed ``first`` on, rendered by all cores."""
    job = partial(render_one, frames=frames, rate=rate, size=size)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        made = list(
            tqdm(pool.map(job, range(first, first + count), chunksize=16), total=count, desc=what, mininterval=1.0)
        )
    clips, efs, volumes = zip(*made, strict=True)
    return Readings(
        torch.from_numpy(np.stack(clips)), torch.tensor(efs, dtype=torch.float32), torch.from_numpy(np.stack(volumes))
    )
