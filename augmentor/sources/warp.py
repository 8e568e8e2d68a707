"""Clips of nothing learned: a motion donor's dense flow, laid on an appearance donor's ED frame.

The opponent that says what learning adds to a generator. The flow from the donor's ED frame to each of its frames is
estimated (`echo_augment.augmentor.mcdm.flow.FlowEstimator`); a similarity (turn, even scale, shift) is found under
which the two ED frames, blurred, are most alike; it carries places and displacements from donor to appearance, and the
appearance donor's ED frame is pulled along them. Tempo, phase and label are those of the generator's clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache import EchoClip, PlanLine, Provenance
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.generator import SkippedDonor
from echo_augment.cache.system.extras import needs

from ..data import VideoInfo, read_table, refuse_leaks
from ..data.layouts.finding import DataFolder
from ..data.splits import is_unseen
from ..mcdm.displacement import inverted, warped
from ..mcdm.donors import read_heart
from ..mcdm.fingerprint import fingerprint
from ..mcdm.flow import shrink_flow
from ..mcdm.labels import donor_label
from ..mcdm.motion import estimated_flows, room, stretch
from ..mcdm.phase import Heart, correlation, heart_volume
from ..mcdm.training_videos import usable
from ..tempo import TEMPO

with needs("generate"):
    from scipy.optimize import minimize

Array = npt.NDArray[np.float64]
Frame = npt.NDArray[np.uint8]
VERSION = "warp-1"  # raise it with every change of code that changes a clip
SMALL, BLUR = 28, 1.5  # pixels: side of the frames that are laid over each other, and how much they are blurred
LARGEST = np.array([0.35, np.deg2rad(25), 0.3, 0.3])  # logarithm of the scale, turn, shifts in shares of half a side
STARTS = (-0.2, 0.0, 0.2)  # logarithms of the scale from which the similarity is sought
STEP = 0.5  # first steps of the search, in shares of the largest


def find_similarity(donor: Frame, other: Frame) -> tuple[Array, Array]:
    """Return the similarity that lays a donor's frame best on another one: ``place there = linear place + shift``.

    Args:
        donor: ``(H, W)``.
        other: of the same size.

    Returns:
        ``linear`` ``(2, 2)`` and ``shift`` ``(2,)``, x before y, in shares of half a side from the middle. Each is
        sought within `LARGEST`; the correlation of the blurred frames decides.
    """
    first, second = (small_frame(frame) for frame in (donor, other))

    def unlike(scaled: Array) -> float:
        linear, shift = similarity(np.clip(scaled, -1, 1) * LARGEST)
        beyond = float(np.square(np.maximum(np.abs(scaled) - 1, 0)).sum())
        return beyond - correlation(moved(first, linear, shift).ravel(), second.ravel())

    found = []
    for start in STARTS:
        first_guess = np.array([start / LARGEST[0], 0.0, 0.0, 0.0])
        simplex = first_guess + np.vstack([np.zeros(4), STEP * np.eye(4)])
        options: Any = {"xatol": 0.005, "fatol": 1e-5, "initial_simplex": simplex}
        found.append(minimize(unlike, first_guess, method="Nelder-Mead", options=options))
    best = min(found, key=lambda one: float(one.fun))
    return similarity(np.clip(best.x, -1, 1) * LARGEST)


def similarity(values: Array) -> tuple[Array, Array]:
    """Return the linear part ``(2, 2)`` and the shift ``(2,)`` of scale (its logarithm), turn and two shifts."""
    cosine, sine = np.exp(values[0]) * np.cos(values[1]), np.exp(values[0]) * np.sin(values[1])
    return np.array([[cosine, -sine], [sine, cosine]]), np.asarray(values[2:])


def small_frame(frame: Frame) -> npt.NDArray[np.float32]:
    """Return a frame shrunk to `SMALL` pixels and blurred, so that chambers and walls count and speckle does not."""
    small = cv2.resize(frame, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), BLUR), np.float32)


def moved(frame: npt.NDArray[np.float32], linear: Array, shift: Array) -> npt.NDArray[np.float32]:
    """Return a square frame under a similarity; black comes in."""
    side = len(frame)
    centre = np.full(2, (side - 1) / 2)
    matrix = np.column_stack([linear, centre + shift * side / 2 - linear @ centre])
    return np.asarray(cv2.warpAffine(frame, matrix, (side, side)), np.float32)


def carried(flows: torch.Tensor, linear: Array, shift: Array) -> torch.Tensor:
    """Return flows ``(T, 2, s, s)`` as they are under a similarity.

    A displacement moves, turns and grows with its place. Beyond the donor's frame nothing moves.
    """
    back = np.linalg.inv(linear)
    theta = torch.from_numpy(np.column_stack([back, -back @ shift])).to(flows)[None].expand(len(flows), 2, 3)
    places = torch.nn.functional.affine_grid(theta, list(flows.shape), align_corners=False)
    found = torch.nn.functional.grid_sample(flows, places, align_corners=False)
    return torch.einsum("ij,tjhw->tihw", torch.from_numpy(linear).to(flows), found)


@dataclass(frozen=True, slots=True)
class DonorMotion:
    """A motion donor, read: flows ``(G, 2, H / 4, W / 4)`` in pixels, volume curve ``(G,)``, ED frame ``(H, W)``."""

    flows: torch.Tensor
    volume: Array
    reference: Frame


class WarpGenerator:
    """Makes the clip of every plan line without any learned part; a callable for `echo_augment.cache.fill`.

    Args:
        donors: TRAIN videos by name.
        motion_donors: names that may give motion and label; by default all with an EF.
        contents: `VideoFacts.first` of the donors by name.
        frames: frames of a clip.
        fps: frames per second of a clip.
        size: side of a frame in pixels, a multiple of 4.
        skipped: videos that cannot be donors, with reasons.

    Raises:
        EchoAugmentError: none of the videos can give motion.
    """

    sampler = "warp"

    def __init__(
        self,
        donors: Mapping[str, VideoInfo],
        *,
        motion_donors: Sequence[str] | None = None,
        contents: Mapping[str, str],
        frames: int = 16,
        fps: float = 12.5,
        size: int = 112,
        skipped: Sequence[SkippedDonor] = (),
    ) -> None:
        self._rows, self.skipped = dict(donors), list(skipped)
        self.frames, self.fps, self.height, self.width = frames, fps, size, size
        self.motion_donors: dict[str, float] = {}
        for name in donors if motion_donors is None else motion_donors:
            row = self._rows.get(name)
            if row is None or np.isnan(row.ef):
                continue
            if (row.n_frames - 1) / row.fps < (frames - 1) / fps:
                self.skipped.append(SkippedDonor(name, f"it is shorter than a clip's {(frames - 1) / fps:.2f} s"))
                continue
            self.motion_donors[name] = row.ef
        if not self.motion_donors:
            raise EchoAugmentError("no labelled TRAIN video is long enough to give motion", "Run echo-augment doctor")
        self.appearance_donors = sorted(donors)
        donors_of = (self.motion_donors, self.appearance_donors)
        form = f"{frames} {fps} {size}"
        self.fingerprint = fingerprint(
            VERSION, *donors_of, self.sampler, {name: contents[name] for name in donors}, form
        )
        self._motion: dict[str, DonorMotion] = {}
        self._reference: dict[str, Frame] = {}

    @classmethod
    def of(
        cls, root: DataFolder, *, motion_donors: Sequence[str] | None = None, on_error: str = "skip", **form: Any
    ) -> "WarpGenerator":
        """Return the generator of the TRAIN videos of a dataset folder.

        Args:
            root: dataset folder, as `echo_augment.augmentor.data.read_table` takes it.
            motion_donors: names that may give motion and label; by default every labelled TRAIN video.
            on_error: ``"skip"`` leaves a video that cannot be read out and counts it; ``"raise"`` stops.
            **form: ``frames``, ``fps`` and ``size`` of the clips.

        Raises:
            EchoAugmentError: a VAL or TEST video among the donors, or a folder that cannot be read.
        """
        table = read_table(root)
        rows, contents, skipped = usable(table.split("TRAIN"), on_error)
        held_out = [row for row in table.rows if is_unseen(row.split) and row.path.is_file()]
        refuse_leaks(rows, usable(held_out, "skip", warn=False)[0])
        named = {row.name: row for row in rows}
        return cls(named, motion_donors=motion_donors, contents=contents, skipped=skipped, **form)

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return the clips of ``lines``, in their order; each is a pure function of its line."""
        return [self._make(line) for line in lines]

    def _make(self, line: PlanLine) -> EchoClip:
        if line.motion_donor not in self.motion_donors:
            raise EchoAugmentError(f"{line.motion_donor!r} is no motion donor of this generator", "Plan with its own")
        donor, appearance = self._read(line.motion_donor), self._appearance(line.appearance_donor)
        grid, rng = len(donor.flows), np.random.default_rng([line.seed, 1])
        tempo = min(float(rng.uniform(*TEMPO)), (grid - 1) / (self.frames - 1))
        start = float(rng.uniform(0, max(0.0, room(grid, self.frames, tempo))))
        flows = stretch(donor.flows.flatten(1), self.frames, start=start, tempo=tempo).unflatten(
            1, donor.flows.shape[1:]
        )
        linear, shift = find_similarity(donor.reference, appearance)
        displacements, _ = inverted(carried(flows, linear, shift), side=self.height)
        still = torch.from_numpy(appearance.astype(np.float32)).expand(self.frames, 1, -1, -1)
        shown = warped(still, displacements, side=self.height, mode="bicubic")[:, 0]
        label = donor_label(
            self.motion_donors[line.motion_donor],
            donor.volume,
            start + tempo * np.arange(self.frames, dtype=np.float64),
        )
        provenance = Provenance(
            motion_donor=line.motion_donor,
            appearance_donor=line.appearance_donor,
            seed=line.seed,
            sampler=self.sampler,
            preset=VERSION,
            fingerprint=self.fingerprint,
            label_policy=label.policy,
            extra={"start": start, "tempo": tempo, "scale": float(np.sqrt(np.linalg.det(linear)))},
        )
        return EchoClip(
            clip_id=line.clip_id,
            frames=shown.round().clamp(0, 255).to(torch.uint8).numpy(),
            fps=self.fps,
            ef=label.ef,
            ed_frame=label.ed_frame,
            es_frame=label.es_frame,
            provenance=provenance,
        )

    def _read(self, name: str) -> DonorMotion:
        """Decode a motion donor once."""
        if name not in self._motion:
            heart = self._heart(name)
            flows = torch.from_numpy(shrink_flow(estimated_flows(heart)))
            volume = heart_volume(heart, 2 * self.fps)
            self._motion[name] = DonorMotion(flows, volume, heart.reference.copy())
        return self._motion[name]

    def _appearance(self, name: str) -> Frame:
        if name not in self._rows:
            raise EchoAugmentError(f"{name!r} is no appearance donor of this generator", "Plan with its own")
        if name not in self._reference:
            self._reference[name] = self._heart(name).reference.copy()
        return self._reference[name]

    def _heart(self, name: str) -> Heart:
        return read_heart(self._rows[name], rate=self.fps, size=self.height)[0]
