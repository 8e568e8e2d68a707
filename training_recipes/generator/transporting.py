"""The motion transport's training: frames of hearts from the motion of their affine copies."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from echo_augment.augmentor.mcdm.flow import SHRINK, shrink_flow
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import mafe_flows
from echo_augment.augmentor.mcdm.transport import MotionTransport, small, soft_disk
from echo_augment.cache.system.files import atomic_path

from .copies import Copies, copied, draw_copies, repeated
from .latents import Latents
from .prepared import Prepared
from .pseudo import PseudoLabels, heart_flow

CODE_WEIGHT = 1e-3  # of the codes' mean square in the loss: keeps their size near 1


def write_flows(data: Prepared, source: MAFE | PseudoLabels, path: Path) -> None:
    """Flows on every heart's grid, one after the other: ``(sum of G, 2, H / 4, W / 4)`` float16.

    Of a MAFE; or the flow teacher's, which the pseudo labels hold for the training hearts already.
    """
    side = data.hearts[0].frames.shape[1] // SHRINK
    with atomic_path(path) as temporary, ThreadPoolExecutor() as pool:
        shape = (sum(len(heart.grid) for heart in data.hearts), 2, side, side)
        target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        fields: Iterable[npt.NDArray[Any]]
        if isinstance(source, PseudoLabels):
            fields = chain(source.flows, pool.map(heart_flow, data.watched))
        else:
            fields = (shrink_flow(mafe_flows(source, heart)) for heart in data.hearts)
        start = 0
        for flows in tqdm(fields, "motion", len(data.hearts), unit="heart"):
            target[start : start + len(flows)] = flows
            start += len(flows)
        target.flush()


class Motions:
    """Single frames of hearts: the flow from the ED frame, the ED frame and the frame, their latents.

    Args:
        data: the hearts.
        latents: of their frames.
        flows: path of :func:`write_flows`'s array.
    """

    def __init__(self, data: Prepared, latents: Latents, flows: Path) -> None:
        self.data, self.latents = data, latents
        self.flows = np.load(flows, mmap_mode="r", allow_pickle=False)
        counts = [len(heart.grid) for heart in data.hearts]
        self.heart_of = np.repeat(np.arange(len(counts)), counts)
        self.first = np.cumsum([0, *counts[:-1]])
        self.looks = small(torch.from_numpy(np.stack([heart.reference for heart in data.hearts])))

    def frames(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """The ED frame and the frame of each row at the side of a flow field, ``(N, 2, s, s)`` in [0, 1]."""
        hearts = self.heart_of[rows]
        moved = [
            self.data.hearts[h].frames[self.data.hearts[h].grid[r - self.first[h]]]
            for h, r in zip(hearts, rows, strict=True)
        ]
        return torch.cat([self.looks[torch.from_numpy(hearts)], small(torch.from_numpy(np.stack(moved)))], dim=1)

    def draw(self, rng: np.random.Generator, count: int, *, watched: bool = False) -> dict[str, Tensor]:
        """``count`` frames, each beside an affine copy's flow and frames; of the watched hearts where asked."""
        border = self.first[len(self.data.training)]
        rows = rng.integers(border, len(self.heart_of), count) if watched else rng.integers(0, border, count)
        hearts = self.heart_of[rows]
        pairs = [self.latents.frame(int(h), int(row - self.first[h])) for h, row in zip(hearts, rows, strict=True)]
        reference, relative = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return self._copies(rows, draw_copies(rng, count)) | {"reference": reference, "relative": relative}

    def window(self, rng: np.random.Generator, heart: int, grid: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """Flows, frames and disks of one affine copy of a heart at some grid positions."""
        return self._copies(self.first[heart] + grid, repeated(draw_copies(rng, 1), len(grid)))

    def _copies(self, rows: npt.NDArray[np.int64], copies: Copies) -> dict[str, Tensor]:
        flows = torch.from_numpy(self.flows[rows].astype(np.float32))
        flow, frames = copied(flows, self.frames(rows), copies)
        return {"flow": flow, "frames": frames, "disks": soft_disk(flow.shape[-1], **copies.disks)[:, None]}


def transport_loss(scale: float) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Mean squared error of the predicted latents, as a share of the latents' own mean square."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        codes, moved = model(batch["flow"], batch["frames"], batch["disks"], batch["reference"])
        error = (moved.float() - batch["relative"]).pow(2).mean() / scale**2
        return {"loss": error + CODE_WEIGHT * codes.float().pow(2).mean(), "error": error}

    return loss


def explained(transport: MotionTransport, motions: Motions, count: int = 512) -> float:
    """Share of what moves in frames of the watched hearts that is predicted from their copies' codes."""
    batch = motions.draw(np.random.default_rng(0), count, watched=True)
    device = transport.device
    errors = []
    with torch.no_grad():
        for at in range(0, count, 64):
            part = {key: value[at : at + 64].to(device) for key, value in batch.items()}
            moved = transport(part["flow"], part["frames"], part["disks"], part["reference"])[1]
            errors.append((moved - part["relative"]).cpu())
    error = torch.cat(errors).pow(2).mean() / batch["relative"].pow(2).mean()
    return float(1 - error)
