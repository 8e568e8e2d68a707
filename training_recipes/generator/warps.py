"""The same beat in a heart that lies elsewhere: motion codes of affine copies of a training video.

A denoiser that only ever sees a heart's look beside its own motion learns motion in pixels at that heart's place. The
donor of a generated clip is larger or smaller, tilted, somewhere else. An affine map of a video changes all of that and
leaves the EF alone: every volume changes by the same factor. So the codes of such a copy, beside the unchanged look,
teach the denoiser which motion of *this* heart is meant. Nothing is rendered: the flow is moved, and pooled where it
then lies.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.flow import grid_weights, pixel_places, pool_flow
from echo_augment.augmentor.mcdm.motion import CELLS, Codes

SCALE, STRETCH = 0.35, 0.1  # natural logarithms: lengths by 0.70 to 1.42, one axis against the other by 0.90 to 1.11
TURN, SHIFT = 20.0, 0.1  # degrees; share of a side


@dataclass(frozen=True, slots=True)
class Warp:
    """An affine map about the centre of a frame: ``x' = linear @ (x - 0.5) + 0.5 + shift``, x before y, in shares."""

    linear: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]


def draw_warp(rng: np.random.Generator) -> Warp:
    """Another size, shape, tilt and place, within what hearts differ by."""
    scale, stretch = np.exp(rng.uniform(-SCALE, SCALE)), np.exp(rng.uniform(-STRETCH, STRETCH, 2))
    turn = np.deg2rad(rng.uniform(-TURN, TURN))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return Warp(scale * rotation @ np.diag(stretch), rng.uniform(-SHIFT, SHIFT, 2))


def warped_codes(flows: Codes, reference: npt.NDArray[np.uint8], warp: Warp) -> Codes:
    """Codes ``(G, 50)`` of the copy of a video whose flows ``(G, 2, H, W)`` from ``reference (H, W)`` are known."""
    places = pixel_places(*reference.shape)[::-1]
    moved = warp.linear @ (places - 0.5) + 0.5 + warp.shift[:, None]
    codes = pool_flow(flows, grid_weights(reference, CELLS, moved[::-1])).reshape(len(flows), 2, -1)
    return np.einsum("ij,gjc->gic", warp.linear, codes).reshape(len(flows), -1).astype(np.float32)
