"""Stage ``motions``: the flow of every video, or its codes; and copies for the transport to learn from."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import Codes, flow_codes, mafe_codes, vector_code

from ..common.parts import SOLO, Crew, write_rows
from ..common.ranks import ALONE, Share
from .codec import Latents
from .copying import Copies, draw_copies
from .prepare import Prepared
from .pseudo import PseudoLabels, video_flow

if TYPE_CHECKING:
    from .context import StageContext

SHOWN = "shown_"  # before the names of the copies that the predictor sees


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
