"""The EF reader's network, which follows the ventricle's volume through a clip, and the phantoms it learns from."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from echo_augment.augmentor.data.phantom import Phantom, render, sample_phantom, volume_curve
from echo_augment.cache.system.processes import end_with_parent
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.ef.models import EF_MEAN, EF_SCALE, TinyEF

MEAN, SCALE = 32.0, 50.0  # of pixels
WIDTHS = (16, 32, 64, 96)
HIDDEN = 64
READ_BATCH = 32


class EFReaderNet(nn.Module):
    """Tells the EF of a clip, and the ventricle's volume in every frame, which in training shows the net where to look.

    The stages are :class:`~echo_augment.training_recipes.ef.models.TinyEF`'s, one more of them; the head is not linear,
    for EF is a ratio of volumes.
    """

    def __init__(self) -> None:
        super().__init__()
        width = WIDTHS[-1]
        self.features = TinyEF(widths=WIDTHS).features
        self.volume = nn.Conv1d(width, 1, 1)
        self.head = nn.Sequential(nn.Linear(4 * (width + 1), HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return EF ``(B,)`` in percent and volumes ``(B, T)``, as shares of the clip's largest.

        Args:
            clips: ``(B, T, H, W)`` with values 0 to 255.
        """
        frames = functional.avg_pool3d(((clips.float() - MEAN) / SCALE)[:, None], (1, 2, 2))
        pooled = self.features(frames).mean((3, 4))
        with torch.autocast(clips.device.type, enabled=False):  # EF in bfloat16 would come in quarters of a percent
            pooled = pooled.float()
            volume = self.volume(pooled)
            seen = torch.cat([pooled, volume], 1)
            found = torch.cat([seen.mean(2), seen.std(2), seen.amax(2), seen.amin(2)], 1)
            return EF_MEAN + EF_SCALE * self.head(found)[:, 0], volume[:, 0]


def read_ef(net: EFReaderNet, clips: Tensor) -> npt.NDArray[np.float64]:
    """Return the EF in percent of uint8 clips ``(N, T, H, W)``."""
    with torch.no_grad():
        return np.concatenate([net(part)[0].double().numpy() for part in clips.split(READ_BATCH)])


FORMAT = 3  # of the phantoms that the bundled generator and the bundled reader learned from
SEEDS = 900_000_000  # phantoms of the reader alone: no dataset may have them (phantom.writing.RESERVED)


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
    seed: int, num_frames: int, fps: float, image_size: int
) -> tuple[npt.NDArray[np.uint8], float, npt.NDArray[np.float32]]:
    """Return a short phantom clip, the EF of its heart's beat (not of the few frames drawn) and the volumes it shows.

    Args:
        seed: of the phantom.
        num_frames: of the clip.
        fps: frames per second.
        image_size: side of a frame in pixels.
    """
    phantom = sample_phantom(seed, format=FORMAT)
    start = float(np.random.default_rng([seed, 3]).uniform(0, 0.7))
    clip = render(
        phantom.motion,
        phantom.appearance,
        num_frames=num_frames,
        fps=fps,
        start=start,
        seed=seed,
        image_size=image_size,
    )
    return clip.frames, whole_beat_ef(phantom), (clip.volumes / clip.volumes.max()).astype(np.float32)


def whole_beat_ef(phantom: Phantom) -> float:
    """Return the EF of the labelled beat of a phantom's two-second recording, in percent."""
    return float(volume_curve(phantom.motion, phantom.appearance).ef)


def render_many(count: int, num_frames: int, fps: float, image_size: int, first: int, what: str) -> Readings:
    """Render ``count`` phantoms from seed ``first`` on, on all cores.

    Args:
        count: phantoms.
        num_frames: of each clip.
        fps: frames per second.
        image_size: side of a frame in pixels.
        first: first seed.
        what: name of the stage.
    """
    job = partial(render_one, num_frames=num_frames, fps=fps, image_size=image_size)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        made = list(follow(pool.map(job, range(first, first + count), chunksize=16), what, unit="clip", total=count))
    clips, efs, volumes = zip(*made, strict=True)
    return Readings(
        torch.from_numpy(np.stack(clips)), torch.tensor(efs, dtype=torch.float32), torch.from_numpy(np.stack(volumes))
    )
