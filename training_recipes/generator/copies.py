"""Affine copies of a heart's motion: the same beat where the heart is larger, tilted, elsewhere, in other light."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SCALE, STRETCH = 0.35, 0.15  # natural logarithms: lengths by 0.70 to 1.42, one axis against the other up to 1.35
TURN, SHIFT = 25.0, 0.1  # degrees; share of a side
LIGHT = 0.35  # natural logarithm of gain and of gamma
DISK = {"x": (0.4, 0.6), "y": (0.35, 0.6), "radius": (0.3, 0.5), "longer": (0.8, 1.25)}  # shares of a side; a ratio


@dataclass(frozen=True, slots=True)
class Copies:
    """How ``N`` copies differ from their hearts.

    Attributes:
        linear: maps places relative to the centre of the frame, x before y, ``(N, 2, 2)``.
        shift: added to them, in shares of half a side, ``(N, 2)``.
        gain: of the brightness, ``(N,)``.
        gamma: of the brightness, ``(N,)``.
        disks: what the encoder sees of each: arguments of
            :func:`~echo_augment.augmentor.mcdm.transport.soft_disk` beside the side, ``(N, 1, 1)`` each.
    """

    linear: Tensor
    shift: Tensor
    gain: Tensor
    gamma: Tensor
    disks: dict[str, Tensor]


def draw_copies(rng: np.random.Generator, count: int) -> Copies:
    """Another size, proportion, tilt, place and light for each of ``count`` hearts."""
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
    """One copy's changes for ``count`` frames of its heart."""
    return Copies(
        copies.linear.expand(count, 2, 2),
        copies.shift.expand(count, 2),
        copies.gain.expand(count),
        copies.gamma.expand(count),
        {key: value.expand(count, 1, 1) for key, value in copies.disks.items()},
    )


def rotations(angles: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    """Rotation matrices ``(N, 2, 2)`` of angles in radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)


def copied(flow: Tensor, frames: Tensor, copies: Copies) -> tuple[Tensor, Tensor]:
    """Flows ``(N, 2, s, s)`` and frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside.

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
