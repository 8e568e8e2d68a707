"""Stage ``motions``: the flow of every video, with affine copies for the transport to learn from; or its codes."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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

from ..common.ranks import ALONE, Share
from .codec import Latents
from .prepare import Prepared
from .pseudo import PseudoLabels, video_flow

if TYPE_CHECKING:
    from .context import StageContext

SCALE, STRETCH = 0.35, 0.15  # natural logarithms: lengths by 0.70 to 1.42, one axis against the other up to 1.35
TURN, SHIFT = 25.0, 0.1  # degrees; share of a side
LIGHT = 0.35  # natural logarithm of gain and of gamma
Drawn = dict[str, Tensor | dict[str, Tensor]]
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

    def plain(self) -> dict[str, Tensor]:
        """Return all of it by name."""
        numbers = {"linear": self.linear, "shift": self.shift, "gain": self.gain, "gamma": self.gamma}
        return numbers | self.disks


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


def rotations(angles: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    """Return the rotation matrices ``(N, 2, 2)`` of angles in radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)


def copied(flow: Tensor, frames: Tensor, copies: Copies) -> tuple[Tensor, Tensor]:
    """Return flows ``(N, 2, s, s)`` and frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside.

    A displacement goes where its place goes and turns and grows with it: nothing is rendered or estimated anew.
    """
    back = torch.linalg.inv_ex(copies.linear).inverse  # linalg.inv waits for a GPU to say that all went well
    theta = torch.cat([back, -back @ copies.shift[:, :, None]], dim=2)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    moved = F.grid_sample(flow, grid, align_corners=False)
    turned = torch.einsum("nij,njhw->nihw", copies.linear, moved)
    gain, gamma = (value[:, None, None, None] for value in (copies.gain, copies.gamma))
    lit = gain * F.grid_sample(frames, grid, align_corners=False).clamp_min(1e-4) ** gamma
    return turned, lit.clamp(0, 1)


def make_copies(batch: Drawn) -> dict[str, Tensor]:
    """Make the affine copies that a batch of `Motions` asks for, on the device that it lies on.

    In place of ``copies`` the batch gets ``flow`` ``(B, 2, s, s)``, ``frames`` ``(B, 2, s, s)``, the ED frame and the
    moved one, and ``disks`` ``(B, 1, s, s)``; for windows of ``F`` frames ``(B, F, ...)``, of one copy each. A batch
    without ``copies`` passes as it is.
    """
    if "copies" not in batch:
        return cast(dict[str, Tensor], batch)
    given = cast(dict[str, Tensor], batch["copies"])
    windows, flow = given["frames"].ndim == 4, given["flow"].float()
    each = flow.shape[1] if windows else 1
    flow, frames = (flow.flatten(0, 1), given["frames"].flatten(0, 1)) if windows else (flow, given["frames"])
    linear, shift, gain, gamma, ed = (
        given[key].repeat_interleave(each, dim=0) for key in ("linear", "shift", "gain", "gamma", "ed")
    )
    disks = soft_disk(flow.shape[-1], *(given[key] for key in DISK))[:, None].repeat_interleave(each, dim=0)
    made = copied(flow, torch.cat([ed, small(frames)], dim=1), Copies(linear, shift, gain, gamma, {}))
    found = dict(zip(("flow", "frames", "disks"), (*made, disks), strict=True))
    if windows:
        found = {key: value.unflatten(0, (-1, each)) for key, value in found.items()}
    return {key: cast(Tensor, value) for key, value in batch.items() if key != "copies"} | found


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

    What is drawn are the parts of a batch and how its copies differ; `make_copies` makes these, on the device.

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
        self.references = small(torch.from_numpy(np.stack([heart.reference for heart in data.videos]))).numpy()

    def draw(self, rng: np.random.Generator, count: int, share: Share = ALONE, *, watched: bool = False) -> Drawn:
        """Draw ``count`` frames, each with an affine copy, or a process's share; ``watched``: of the watched videos."""
        border = self.first[len(self.data.training)]
        rows = rng.integers(border, len(self.video_of), count) if watched else rng.integers(0, border, count)
        copies = draw_copies(rng, count)
        rows = share.of(rows)
        numbers = self.video_of[rows]
        places = list(zip(map(int, numbers), map(int, rows - self.first[numbers]), strict=True))
        reference, relative = zip(*(self.latents.frame(*place) for place in places), strict=True)
        moved = np.stack([self._frames(video, at) for video, at in places])
        parts = {"flow": self.flows[rows], "frames": moved, "ed": self.references[numbers]}
        return {
            "reference": torch.from_numpy(np.stack(reference)),
            "relative": torch.from_numpy(np.stack(relative)),
            "copies": _parts(parts) | {key: share.of(value) for key, value in copies.plain().items()},
        }

    def window(self, copies: Copies, video: int, grid: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the parts of one affine copy of a video at some grid positions, and how it differs from the video."""
        flow = self.flows[self.first[video] + grid]
        parts = {"flow": flow, "frames": self._frames(video, grid), "ed": self.references[video]}
        return _parts(parts) | {key: value[0] for key, value in copies.plain().items()}

    def _frames(self, video: int, grid: npt.NDArray[np.int64] | int) -> npt.NDArray[np.uint8]:
        heart = self.data.videos[video]
        return heart.frames[heart.grid[grid]]


def _parts(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}


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
