"""The oracle generator: for phantoms the very clip that a perfect generator would make."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import Phantom, counterfactual, load_phantoms
from echo_augment.cache import EchoClip, PlanLine, Provenance
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.generator import SkippedDonor

PHASES = 3.0  # seconds: starts are drawn from [0, 3), which holds a beat of any rhythm


class OracleGenerator:
    """Renders (motion of A, appearance of B) with A's label, at a start time drawn anew for each clip.

    A callable for `echo_augment.cache.fill`. Only for evidence on phantoms: it is the reference that a generator is
    held against, and knows what no generator can know.

    Args:
        phantoms: by name.
        motion_donors: EF in percent by name: the donors of motion and label.
        appearance_donors: names of the donors of appearance.
        frames: frames of a clip.
        fps: frames per second of a clip.
        fingerprint: fingerprint of the phantom set.
        masks: whether the clips carry the exact LV mask of every frame.
    """

    sampler = "render"

    def __init__(
        self,
        *,
        phantoms: Mapping[str, Phantom],
        motion_donors: Mapping[str, float],
        appearance_donors: Sequence[str],
        frames: int = 16,
        fps: float = 12.5,
        fingerprint: str = "oracle",
        masks: bool = False,
    ) -> None:
        self.phantoms, self.motion_donors, self.appearance_donors = phantoms, motion_donors, appearance_donors
        self.skipped: list[SkippedDonor] = []
        self.frames, self.fps, self.fingerprint, self.masks = frames, fps, fingerprint, masks

    @classmethod
    def of(cls, root: str | Path, *, frames: int = 16, fps: float = 12.5, masks: bool = False) -> "OracleGenerator":
        """Return the oracle of the TRAIN phantoms of a data set.

        Raises:
            EchoAugmentError: ``root`` holds no phantoms.
        """
        phantoms = load_phantoms(root)
        ef = {row.name: row.ef for row in read_table(root).split("train")}
        content = (Path(root) / "phantoms.json").read_bytes()
        digest = hashlib.sha256(content + f"{frames} {fps} 1{' masks' * masks}".encode()).hexdigest()[:16]
        name = f"oracle-{digest}"
        return cls(
            phantoms=phantoms,
            motion_donors=ef,
            appearance_donors=sorted(ef),
            frames=frames,
            fps=fps,
            fingerprint=name,
            masks=masks,
        )

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return one clip for each line, a pure function of it."""
        return [self._render(line) for line in lines]

    def _render(self, line: PlanLine) -> EchoClip:
        for name in (line.motion_donor, line.appearance_donor):
            if name not in self.phantoms:
                raise EchoAugmentError(f"donor {name!r} is no phantom", "The oracle arm is for phantom data only")
        start = float(np.random.default_rng([line.seed, 7]).uniform(0, PHASES))
        clip = counterfactual(
            self.phantoms[line.motion_donor],
            self.phantoms[line.appearance_donor],
            num_frames=self.frames,
            fps=self.fps,
            start=start,
            seed=line.seed,
        )
        return EchoClip(
            clip_id=line.clip_id,
            frames=clip.frames,
            fps=clip.fps,
            ef=self.motion_donors[line.motion_donor],
            ed_frame=clip.ed_frame,
            es_frame=clip.es_frame,
            masks=clip.masks if self.masks else None,
            provenance=Provenance(
                motion_donor=line.motion_donor,
                appearance_donor=line.appearance_donor,
                seed=line.seed,
                sampler=self.sampler,
                preset="oracle",
                fingerprint=self.fingerprint,
                extra={"start": start, "rendered_ef": clip.ef},
            ),
        )
