"""Stage ``motions``: the flow of every video, or its codes; and affine copies for the transport to learn from."""

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

    def plain(self, whose: str = "") -> dict[str, Tensor]:
        """Return all of it by name, each with the prefix ``whose``, as a batch holds it."""
        numbers = {"linear": self.linear, "shift": self.shift, "gain": self.gain, "gamma": self.gamma}
        return {whose + key: value.contiguous() for key, value in (numbers | self.disks).items()}

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], whose: str = "") -> "Copies":
        """Return the copies that a batch holds under the names that `plain` gave them."""
        linear, shift, gain, gamma = (batch[whose + key] for key in ("linear", "shift", "gain", "gamma"))
        return cls(linear, shift, gain, gamma, {key: batch[whose + key] for key in DISK})

    def part(self, share: Share) -> "Copies":
        """Return a process's share of them."""
        return Copies.of({key: share.of(value) for key, value in self.plain().items()})


def draw_copies(rng: np.random.Generator, count: int) -> Copies:
    """Draw another size, proportion, tilt, place and light for each of ``count`` copies, and what is seen of them."""
    drawn = draw_affine(rng, count)
    disks = {key: torch.from_numpy(rng.uniform(*ends, (count, 1, 1))).float() for key, ends in DISK.items()}
    numbers = (drawn.linear, drawn.shift, drawn.gain, drawn.gamma)
    moved, shifted, gain, gamma = (torch.from_numpy(value.astype(np.float32)) for value in numbers)
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


def copied(flow: Tensor, frames: Tensor, copies: Copies) -> tuple[Tensor, Tensor]:
    """Return flows ``(N, 2, s, s)`` and frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside.

    A displacement goes where its place goes and turns and grows with it: nothing is rendered or estimated anew.
    """
    moved = F.grid_sample(flow, copied_places(flow, copies), align_corners=False)
    return torch.einsum("nij,njhw->nihw", copies.linear, moved), copied_frames(frames, copies)


def copied_places(images: Tensor, copies: Copies) -> Tensor:
    """Return where each pixel of the copies lies in images ``(N, C, s, s)``, as ``grid_sample`` takes it."""
    back = torch.linalg.inv_ex(copies.linear).inverse  # linalg.inv waits for a GPU to say that all went well
    theta = torch.cat([back, -back @ copies.shift[:, :, None]], dim=2)
    return F.affine_grid(theta, list(images.shape), align_corners=False)


def copied_frames(frames: Tensor, copies: Copies) -> Tensor:
    """Return frames ``(N, C, s, s)`` in [0, 1] as they are in the copies, zero outside."""
    gain, gamma = (value[:, None, None, None] for value in (copies.gain, copies.gamma))
    shown = F.grid_sample(frames, copied_places(frames, copies), align_corners=False)
    return (gain * shown.clamp_min(1e-4) ** gamma).clamp(0, 1)


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
    """Single frames of videos, each to be made into two affine copies: one that the transport's encoder reads, and one
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
        """Draw ``count`` frames, each with two affine copies that are still to be made, or a process's share of them.

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
        """Return what the encoder reads of one affine copy of a video at some grid positions."""
        rows = self.first[video] + grid
        return {"pair": self.pairs(rows)} | self._copies(rows, repeated(draw_copies(rng, 1), len(grid)))

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
