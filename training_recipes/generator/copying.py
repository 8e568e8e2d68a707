"""Copies of a video that a contraction survives: another place, size, shape and light; frames and flows in them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from echo_augment.augmentor.affine import draw_affine
from echo_augment.augmentor.mcdm.flow import SHRINK

from ..common.ranks import Share

DISK = {"x": (0.4, 0.6), "y": (0.35, 0.6), "radius": (0.3, 0.5), "longer": (0.8, 1.25)}  # shares of a side; a ratio
# One bulge is about as wide as a heart and lies where hearts lie, so that the heart's size in its sector, its walls'
# texture and what is around it say nothing of each other; two are narrower, and anywhere. Places and reaches are in
# shares of half a side from the middle, sizes natural logarithms of the magnification in the middle of the bulge.
MIDDLE, WIDE, SIZE = (0.0, -0.05), (0.75, 1.0), 0.35
ELSEWHERE, NARROW, LESS = 0.7, (0.25, 0.5), 0.1
PLACES = (0.1, 0.12)  # how far the wide one is from `MIDDLE` at most
SHADE = 0.3  # natural logarithm of the brightness in a bulge
ROUNDS = 12  # of the fixed point by which a bend is undone
BULGES = ("centre", "bend", "reach", "shade")


@dataclass(frozen=True, slots=True)
class Copies:
    """How ``N`` copies differ from their videos: by an affine map, ``K`` smooth bulges, and light.

    Attributes:
        linear: maps places relative to the centre of the frame, x before y, ``(N, 2, 2)``.
        shift: added to them, in shares of half a side, ``(N, 2)``.
        gain: gain of the brightness, ``(N,)``.
        gamma: gamma of the brightness, ``(N,)``.
        centre: of the bulges in the copy, ``(N, K, 2)`` in shares of half a side from the middle.
        bend: what they add to a place relative to their centre, ``(N, K)``: -0.2 magnifies the middle by 1.25.
        reach: how far they go, ``(N, K)`` in shares of half a side.
        shade: natural logarithm of the brightness in them, ``(N, K)``.
        disks: what the encoder sees of each: arguments of
            `echo_augment.augmentor.mcdm.transport.soft_disk` beside the side, ``(N, 1, 1)`` each.
    """

    linear: Tensor
    shift: Tensor
    gain: Tensor
    gamma: Tensor
    centre: Tensor
    bend: Tensor
    reach: Tensor
    shade: Tensor
    disks: dict[str, Tensor]

    def plain(self, whose: str = "") -> dict[str, Tensor]:
        """Return all of it by name, each with the prefix ``whose``, as a batch holds it."""
        numbers = {key: getattr(self, key) for key in ("linear", "shift", "gain", "gamma", *BULGES)}
        return {whose + key: value.contiguous() for key, value in (numbers | self.disks).items()}

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], whose: str = "") -> "Copies":
        """Return the copies that a batch holds under the names that `plain` gave them."""
        numbers = {key: batch[whose + key] for key in ("linear", "shift", "gain", "gamma", *BULGES)}
        return cls(**numbers, disks={key: batch[whose + key] for key in DISK})

    def part(self, share: Share) -> "Copies":
        """Return a process's share of them."""
        return Copies.of({key: share.of(value) for key, value in self.plain().items()})

    @classmethod
    def unchanged(cls, count: int, device: torch.device | None = None) -> "Copies":
        """Return copies that show the video as it is, each through the disk in the middle of its ranges."""
        one, none = torch.ones(count, device=device), torch.zeros(count, 1, device=device)
        disks = {key: torch.full((count, 1, 1), sum(ends) / 2, device=device) for key, ends in DISK.items()}
        linear, nowhere = torch.eye(2, device=device).repeat(count, 1, 1), torch.zeros(count, 1, 2, device=device)
        return cls(linear, nowhere[:, 0], one, one, nowhere, none, none + 1, none, disks)

    def repeated(self, count: int) -> "Copies":
        """Return the changes of one copy for ``count`` frames."""
        return Copies.of({key: value.expand(count, *value.shape[1:]) for key, value in self.plain().items()})


def draw_copies(rng: np.random.Generator, count: int) -> Copies:
    """Draw another size, proportion, tilt, place, shape and light for each of ``count`` copies, and what is seen.

    An affine map keeps the EF (`echo_augment.augmentor.affine`). A bulge keeps it roughly, by no rule too high or too
    low; without them a code learned with a copy's own texture as its ruler (`MotionTransport`).
    """
    drawn = draw_affine(rng, count)
    disks = {key: torch.from_numpy(rng.uniform(*ends, (count, 1, 1))).float() for key, ends in DISK.items()}
    near, anywhere = rng.uniform(-1, 1, (count, 1, 2)), rng.uniform(-ELSEWHERE, ELSEWHERE, (count, 2, 2))
    wide, narrow = rng.uniform(*WIDE, (count, 1)), rng.uniform(*NARROW, (count, 2))
    sizes = np.concatenate([rng.uniform(-SIZE, SIZE, (count, 1)), rng.uniform(-LESS, LESS, (count, 2))], axis=1)
    numbers = {
        "linear": drawn.linear,
        "shift": drawn.shift,
        "gain": drawn.gain,
        "gamma": drawn.gamma,
        "centre": np.concatenate([np.array(MIDDLE) + near * np.array(PLACES), anywhere], axis=1),
        "bend": np.exp(-sizes) - 1,
        "reach": np.concatenate([wide, narrow], axis=1),
        "shade": rng.uniform(-SHADE, SHADE, sizes.shape),
    }
    return Copies(**{key: torch.from_numpy(value.astype(np.float32)) for key, value in numbers.items()}, disks=disks)


def places_of(size: int, copies: Copies) -> Tensor:
    """Return the places of a copy's pixels, ``(N, size, size, 2)`` in shares of half a side from the middle."""
    line = (torch.arange(size, device=copies.linear.device) + 0.5) * 2 / size - 1
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    return grid.expand(len(copies.linear), -1, -1, -1)


def nearness(places: Tensor, copies: Copies) -> tuple[Tensor, Tensor]:
    """Return how much places ``(N, h, w, 2)`` are in each bulge, ``(N, K, h, w)`` in [0, 1]; and away from its centre.

    A bulge is flat in its middle: what is there grows and keeps its proportions.
    """
    away = places[:, None] - copies.centre[:, :, None, None]
    distance = away.square().sum(-1) / copies.reach.square()[..., None, None]
    return torch.exp(-(distance**3)), away


def bends(places: Tensor, copies: Copies) -> Tensor:
    """Return what the bulges add to places ``(N, h, w, 2)`` of the copies."""
    near, away = nearness(places, copies)
    return ((copies.bend[..., None, None] * near)[..., None] * away).sum(1)


def originals(places: Tensor, copies: Copies) -> Tensor:
    """Return where the video shows what its copy shows at places ``(N, h, w, 2)``."""
    back = torch.linalg.inv_ex(copies.linear).inverse  # linalg.inv waits for a GPU to say that all went well
    straight = places + bends(places, copies) - copies.shift[:, None, None]
    return torch.einsum("nij,nhwj->nhwi", back, straight)


def copied_places(places: Tensor, copies: Copies) -> Tensor:
    """Return where a copy shows what the video shows at places ``(N, h, w, 2)``: undoes `originals`."""
    straight = torch.einsum("nij,nhwj->nhwi", copies.linear, places) + copies.shift[:, None, None]
    found = straight
    for _ in range(ROUNDS):
        found = straight - bends(found, copies)
    return found


def copied_flow(flow: Tensor, copies: Copies) -> Tensor:
    """Return flows ``(N, 2, s, s)``, in pixels of frames four times as wide, as they are in the copies.

    A displacement goes where its two ends go: nothing is rendered or estimated anew. None outside of the video.
    """
    unit = 2 / (SHRINK * flow.shape[-1])
    places = places_of(flow.shape[-1], copies)
    start = originals(places, copies)
    moved = F.grid_sample(flow, start, align_corners=False).movedim(1, -1) * unit
    end = copied_places(start + moved, copies)
    still = copied_places(start, copies)  # and not `places`: what a fixed point leaves is no motion
    return (end - still).movedim(-1, 1) / unit


def copied_frames(frames: Tensor, copies: Copies) -> Tensor:
    """Return frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside."""
    places = places_of(frames.shape[-1], copies)
    gain, gamma = (value[:, None, None, None] for value in (copies.gain, copies.gamma))
    shade = (copies.shade[..., None, None] * nearness(places, copies)[0]).sum(1, keepdim=True).exp()
    shown = F.grid_sample(frames, originals(places, copies), align_corners=False)
    return (gain * shade * shown.clamp_min(1e-4) ** gamma).clamp(0, 1)
