"""Stage ``motions``: the flow of every video, or its codes; and copies for the transport to learn from."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from echo_augment.augmentor.affine import draw_affine
from echo_augment.augmentor.mcdm.flow import SHRINK
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import Codes, flow_codes, mafe_codes, vector_code

from ..common.parts import SOLO, Crew, write_rows
from ..common.ranks import ALONE, Share
from .codec import Latents
from .prepare import Prepared
from .pseudo import PseudoLabels, video_flow

if TYPE_CHECKING:
    from .context import StageContext

SHOWN = "shown_"  # before the names of the copies that the predictor sees
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


def write_flows(data: Prepared, labels: PseudoLabels, path: Path, *, crew: Crew = SOLO) -> None:
    """Write the flow estimator's flows on every video's grid: ``(sum of G, 2, H / 4, W / 4)`` float16.

    The pseudo labels hold them for the training videos already. The processes of a crew share the work.
    """

    def flow(number: int) -> npt.NDArray[np.float16]:
        return labels.flows[number] if number < len(labels.flows) else video_flow(data.videos[number])

    counts = [len(heart.grid) for heart in data.videos]
    with ThreadPoolExecutor(crew.cores) as pool:
        write_rows(path, counts, lambda numbers: pool.map(flow, numbers), what="motion", crew=crew)


class Motions:
    """Single frames of videos, each to be made into two copies: one that the transport's encoder reads, and one
    that its predictor sees and is to move.

    Args:
        data: the videos.
        latents: those of their frames.
        flows: path of `write_flows`'s array, for codes of the flow estimator's flow; None for codes of MAFE's motion,
            which is read of the copied frames themselves.
        labels: the flow estimator's flow between the frames of the training videos, which teaches the displacement.
    """

    def __init__(self, data: Prepared, latents: Latents, flows: Path | None, labels: PseudoLabels) -> None:
        self.data, self.latents, self.labels = data, latents, labels
        self.flows = None if flows is None else np.load(flows, mmap_mode="r", allow_pickle=False)
        counts = [len(heart.grid) for heart in data.videos]
        self.video_of = np.repeat(np.arange(len(counts)), counts)
        self.first = np.cumsum([0, *counts[:-1]])

    def pairs(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return the ED frame and the frame of each row, ``(N, 2, H, W)`` uint8."""
        numbers, videos = self.video_of[rows], self.data.videos
        places = [videos[v].grid[row - self.first[v]] for v, row in zip(numbers, rows, strict=True)]
        pairs = [videos[v].frames[[videos[v].ed, place]] for v, place in zip(numbers, places, strict=True)]
        return torch.from_numpy(np.stack(pairs))

    def draw(
        self, rng: np.random.Generator, count: int, share: Share = ALONE, *, watched: bool = False
    ) -> dict[str, Tensor]:
        """Draw ``count`` frames, each with two copies that are still to be made, or a process's share of them.

        ``watched``: of the watched videos, whose predictor sees the video itself: its latents, and no teacher.
        """
        border = self.first[len(self.data.training)]
        rows = rng.integers(border, len(self.video_of), count) if watched else rng.integers(0, border, count)
        copies = draw_copies(rng, count).part(share)
        shown = None if watched else draw_copies(rng, count).part(share)
        rows = share.of(rows)
        places = [(int(v), int(row - self.first[v])) for v, row in zip(self.video_of[rows], rows, strict=True)]
        found = {"pair": self.pairs(rows)} | self._copies(rows, copies)
        if shown is None:
            latents = zip(*[self.latents.frame(*place) for place in places], strict=True)
            found["reference"], found["relative"] = (torch.from_numpy(np.stack(part)) for part in latents)
            return found
        found["teacher"] = torch.from_numpy(np.stack([self.labels.flow(*place) for place in places]))
        return found | shown.plain(SHOWN)

    def window(self, rng: np.random.Generator, video: int, grid: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """Return what the encoder reads of one copy of a video at some grid positions."""
        rows = self.first[video] + grid
        return {"pair": self.pairs(rows)} | self._copies(rows, draw_copies(rng, 1).repeated(len(grid)))

    def _copies(self, rows: npt.NDArray[np.int64], copies: Copies) -> dict[str, Tensor]:
        flow = {} if self.flows is None else {"flow": torch.from_numpy(self.flows[rows])}
        return copies.plain() | flow


def write_codes(data: Prepared, mafe: MAFE, kind: str, path: Path, *, crew: Crew = SOLO) -> None:
    """Write the codes on every video's grid, ``(sum of G, D)`` float32, of kind ``mafe``, ``flow`` or ``vector``.

    A vector is one row a video. The processes of a crew share the work.
    """

    def code(number: int) -> Codes:
        heart = data.videos[number]
        if kind == "vector":
            return vector_code(mafe, heart)
        return mafe_codes(mafe, heart) if kind == "mafe" else flow_codes(heart)

    counts = [1 if kind == "vector" else len(heart.grid) for heart in data.videos]
    with ThreadPoolExecutor(crew.cores if kind == "flow" else 1) as pool:
        write_rows(path, counts, lambda numbers: pool.map(code, numbers), what="motion codes", crew=crew)


def make(context: "StageContext") -> dict[str, float]:
    """Write the flows, for codes of a transport that reads the flow estimator's, or else the codes."""
    preset, out, crew = context.preset, context.out, context.crew
    if preset.code == "transport":
        write_flows(context.data, PseudoLabels(out / "pseudo.h5"), out / "flows.npy", crew=crew)
    else:
        write_codes(context.data, context.networks.mafe, preset.code, out / "codes.npy", crew=crew)
    return {"hearts": len(context.data.videos)}
