"""Stage ``motions``: the flow of every video, with affine copies for the transport to learn from; or its codes."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from echo_augment.augmentor.mcdm.flow import SHRINK, shrink_flow
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import Codes, flow_codes, mafe_codes, mafe_flows, vector_code
from echo_augment.augmentor.mcdm.transport import small, soft_disk
from echo_augment.cache.system.files import atomic_path

from .codec import Latents
from .prepare import Prepared
from .pseudo import PseudoLabels, video_flow

if TYPE_CHECKING:
    from .context import StageContext

SCALE, STRETCH = 0.35, 0.15  # natural logarithms: lengths by 0.70 to 1.42, one axis against the other up to 1.35
TURN, SHIFT = 25.0, 0.1  # degrees; share of a side
LIGHT = 0.35  # natural logarithm of gain and of gamma
DISK = {"x": (0.4, 0.6), "y": (0.35, 0.6), "radius": (0.3, 0.5), "longer": (0.8, 1.25)}  # shares of a side; a ratio


@dataclass(frozen=True, slots=True)
class Copies:
    """How ``N`` affine copies differ from their videos.

    Attributes:
        linear: maps places relative to the centre of the frame, x before y, ``(N, 2, 2)``.
        shift: added to them, in shares of half a side, ``(N, 2)``.
        gain: gain of the brightness, ``(N,)``.
        gamma: gamma of the brightness, ``(N,)``.
        disks: what the encoder sees of each: arguments of
            `echo_augment.augmentor.mcdm.transport.soft_disk` beside the side, ``(N, 1, 1)`` each.
    """

    linear: Tensor
    shift: Tensor
    gain: Tensor
    gamma: Tensor
    disks: dict[str, Tensor]


def draw_copies(rng: np.random.Generator, count: int) -> Copies:
    """Draw another size, proportion, tilt, place and light for each of ``count`` copies."""
    scale = np.exp(rng.uniform(-SCALE, SCALE, count))[:, None, None]
    turn, axis = np.deg2rad(rng.uniform(-TURN, TURN, count)), rng.uniform(-np.pi / 2, np.pi / 2, count)
    stretch = np.exp(rng.uniform(-STRETCH, STRETCH, (count, 2)))[:, :, None] * np.eye(2)
    linear = scale * rotations(turn) @ rotations(axis) @ stretch @ rotations(-axis)
    shift = 2 * rng.uniform(-SHIFT, SHIFT, (count, 2))
    light = np.exp(rng.uniform(-LIGHT, LIGHT, (2, count)))
    disks = {key: torch.from_numpy(rng.uniform(*ends, (count, 1, 1))).float() for key, ends in DISK.items()}
    moved, shifted, gain, gamma = (torch.from_numpy(value.astype(np.float32)) for value in (linear, shift, *light))
    return Copies(moved, shifted, gain, gamma, disks)


def repeated(copies: Copies, count: int) -> Copies:
    """Repeat one copy's changes for ``count`` frames."""
    return Copies(
        copies.linear.expand(count, 2, 2),
        copies.shift.expand(count, 2),
        copies.gain.expand(count),
        copies.gamma.expand(count),
        {key: value.expand(count, 1, 1) for key, value in copies.disks.items()},
    )


def rotations(angles: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    """Return the rotation matrices ``(N, 2, 2)`` of angles in radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)


def copied(flow: Tensor, frames: Tensor, copies: Copies) -> tuple[Tensor, Tensor]:
    """Return flows ``(N, 2, s, s)`` and frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside.

    A displacement goes where its place goes and turns and grows with it: nothing is rendered or estimated anew.
    """
    back = torch.linalg.inv(copies.linear)
    theta = torch.cat([back, -back @ copies.shift[:, :, None]], dim=2)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    moved = F.grid_sample(flow, grid, align_corners=False)
    turned = torch.einsum("nij,njhw->nihw", copies.linear, moved)
    gain, gamma = (value[:, None, None, None] for value in (copies.gain, copies.gamma))
    lit = gain * F.grid_sample(frames, grid, align_corners=False).clamp_min(1e-4) ** gamma
    return turned, lit.clamp(0, 1)


def write_flows(data: Prepared, source: MAFE | PseudoLabels, path: Path) -> None:
    """Write the flows on every video's grid, one after the other: ``(sum of G, 2, H / 4, W / 4)`` float16.

    They are a MAFE's, or the flow estimator's, which the pseudo labels hold for the training videos already.
    """
    side = data.videos[0].frames.shape[1] // SHRINK
    with atomic_path(path) as temporary, ThreadPoolExecutor() as pool:
        shape = (sum(len(heart.grid) for heart in data.videos), 2, side, side)
        target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        fields: Iterable[npt.NDArray[np.float16] | npt.NDArray[np.float32]]
        if isinstance(source, PseudoLabels):
            fields = chain(source.flows, pool.map(video_flow, data.watched))
        else:
            fields = (shrink_flow(mafe_flows(source, heart)) for heart in data.videos)
        start = 0
        for flows in tqdm(fields, "motion", len(data.videos), unit="video"):
            target[start : start + len(flows)] = flows
            start += len(flows)
        target.flush()


class Motions:
    """Single frames of videos: the flow from the ED frame, the ED frame and the frame, their latents.

    Args:
        data: the videos.
        latents: those of their frames.
        flows: path of `write_flows`'s array.
    """

    def __init__(self, data: Prepared, latents: Latents, flows: Path) -> None:
        self.data, self.latents = data, latents
        self.flows = np.load(flows, mmap_mode="r", allow_pickle=False)
        counts = [len(heart.grid) for heart in data.videos]
        self.video_of = np.repeat(np.arange(len(counts)), counts)
        self.first = np.cumsum([0, *counts[:-1]])
        self.references = small(torch.from_numpy(np.stack([heart.reference for heart in data.videos])))

    def frames(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return the ED frame and the frame of each row at the side of a flow field, ``(N, 2, s, s)`` in [0, 1]."""
        numbers, videos = self.video_of[rows], self.data.videos
        moved = [videos[v].frames[videos[v].grid[row - self.first[v]]] for v, row in zip(numbers, rows, strict=True)]
        return torch.cat([self.references[torch.from_numpy(numbers)], small(torch.from_numpy(np.stack(moved)))], dim=1)

    def draw(self, rng: np.random.Generator, count: int, *, watched: bool = False) -> dict[str, Tensor]:
        """Draw ``count`` frames, each with an affine copy's flow and frames; ``watched``: of the watched videos."""
        border = self.first[len(self.data.training)]
        rows = rng.integers(border, len(self.video_of), count) if watched else rng.integers(0, border, count)
        numbers = self.video_of[rows]
        pairs = [self.latents.frame(int(v), int(row - self.first[v])) for v, row in zip(numbers, rows, strict=True)]
        reference, relative = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return self._copies(rows, draw_copies(rng, count)) | {"reference": reference, "relative": relative}

    def window(self, rng: np.random.Generator, video: int, grid: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """Return flows, frames and disks of one affine copy of a video at some grid positions."""
        return self._copies(self.first[video] + grid, repeated(draw_copies(rng, 1), len(grid)))

    def _copies(self, rows: npt.NDArray[np.int64], copies: Copies) -> dict[str, Tensor]:
        flows = torch.from_numpy(self.flows[rows].astype(np.float32))
        flow, frames = copied(flows, self.frames(rows), copies)
        return {"flow": flow, "frames": frames, "disks": soft_disk(flow.shape[-1], **copies.disks)[:, None]}


def write_codes(data: Prepared, mafe: MAFE, kind: str, path: Path) -> None:
    """Write the codes on every video's grid, ``(sum of G, D)`` float32, of kind ``mafe``, ``flow`` or ``vector``."""
    parts: list[Codes] = []
    for heart in tqdm(data.videos, desc="motion codes", unit="video"):
        if kind == "vector":
            parts.append(vector_code(mafe, heart))
        else:
            parts.append(mafe_codes(mafe, heart) if kind == "mafe" else flow_codes(heart))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(parts), allow_pickle=False)


def make(context: "StageContext") -> dict[str, float]:
    """Write the flows, for codes of the transport, or else the codes."""
    preset, mafe, out = context.preset, context.networks.mafe, context.out
    if not context.accelerator.is_main_process:
        pass
    elif preset.code == "transport":
        source = mafe if preset.transport.flow == "mafe" else PseudoLabels(out / "pseudo.h5")
        write_flows(context.data, source, out / "flows.npy")
    else:
        write_codes(context.data, mafe, preset.code, out / "codes.npy")
    return {"hearts": len(context.data.videos)}
