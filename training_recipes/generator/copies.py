"""Stage ``copies``: the codes that the transport reads of affine copies of every video, for the denoiser."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.transport import MotionTransport

from ..common.parts import SOLO, Crew, write_rows
from .motions import Motions
from .transport import seen_of

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 7  # of random numbers
COPIES = 2  # of a video: a denoiser that saw its own codes alone would not know what a copy's leave open
BATCH = 64  # frames at once


def write_copies(
    motions: Motions, mafe: MAFE, transport: MotionTransport, path: Path, seed: int, *, crew: Crew = SOLO
) -> None:
    """Write the codes of `COPIES` copies of each video, one video after the other: ``(sum of G, COPIES, D)`` float32.

    Parts are kept until all are there: a killed run goes on with the next one.

    Args:
        motions: the videos, and what the encoder reads of them.
        mafe: reads the copies' motion, if the transport's codes are of its features.
        transport: reads the codes.
        path: of the array.
        seed: decides the copies.
        crew: the processes that share the work.
    """
    counts = [len(heart.grid) for heart in motions.data.videos]

    def codes(numbers: range) -> list[npt.NDArray[np.float32]]:
        return [video_codes(motions, mafe, transport, number, seed) for number in numbers]

    write_rows(path, counts, codes, what="copies", crew=crew)


def video_codes(
    motions: Motions, mafe: MAFE, transport: MotionTransport, video: int, seed: int
) -> npt.NDArray[np.float32]:
    """Return the codes of a video's copies, ``(G, COPIES, D)``: a pure function of the video's number and the seed."""
    rng, grid = np.random.default_rng([seed, STREAM, video]), np.arange(len(motions.data.videos[video].grid))
    copies = []
    for _ in range(COPIES):
        window = motions.window(rng, video, grid)
        parts = []
        for at in range(0, len(grid), BATCH):
            batch = {key: value[at : at + BATCH].to(transport.device) for key, value in window.items()}
            with torch.no_grad():
                flow, frames, disks, features = seen_of(batch, mafe)
                parts.append(transport.encode(flow, frames, disks, features).float().cpu())
        copies.append(torch.cat(parts))
    return torch.stack(copies, dim=1).numpy()


def make(context: "StageContext") -> dict[str, float]:
    """Write the copies' codes, each process its share."""
    transport, path, seed = context.networks.transport, context.out / "copies.npy", context.settings.seed
    assert transport is not None, "the table runs this stage only with code=transport"
    write_copies(context.motions, context.networks.mafe, transport, path, seed, crew=context.crew)
    return {"copies": COPIES}
