"""From plan lines to clips: donors are read from a dataset folder, the pipeline generates, the label travels along."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.cache import EchoAugmentError, EchoClip, PlanLine, Provenance
from echo_augment.cache.generator import SkippedDonor

from ..data import VideoInfo, probe_video, read_table, refuse_leaks
from ..data.layouts.finding import DataFolder
from ..data.probe import as_filed
from ..data.splits import is_unseen
from ..devices import fast_dtype
from ..tempo import TEMPO
from .calls import ONE_CODE
from .donors import Donors
from .fingerprint import fingerprint, hash_weights
from .labels import TransportedLabel, donor_label
from .masks import Masks, resized
from .motion import room, stretch
from .pipeline import BUNDLED, MCDMOutput, MCDMPipeline
from .published.ef_token import EFToken, ef_token, token_of
from .training_videos import refuse_trained_on, usable

REPLAN = "Plan with this generator's own motion_donors and appearance_donors"


def arithmetic(pipeline: MCDMPipeline) -> str:
    """Return on what kind of device and in which number format a pipeline makes clips."""
    weights, computed = pipeline.dtype, fast_dtype(pipeline.device)
    if computed == torch.float32:  # no autocast: as the weights are
        computed = weights
    return f"{pipeline.device.type} {computed} {weights}".replace("torch.", "")


class ClipGenerator:
    """Makes the clip of every plan line; a line makes the same clip whatever it is batched with.

    Args:
        pipeline: on its device already.
        donors: TRAIN videos by name; those with an EF can give motion.
        motion_donors: names that may give motion and label; by default all with an EF and a long enough video.
        steps: sampler steps; None for the pipeline's own number.
        sampler: ``"ddim"``, ``"dpm"`` or ``"ddpm"``; None for the pipeline's own.
        ef: which EF a generator is told that is told one instead of a motion; None: the table's.
        batch: clips denoised together; fewer are filled up, so that rounding does not depend on it.
        weights: hash of the pipeline's weights.
        contents: `VideoFacts.first` of the donors by name; None to open them for it.

    Attributes:
        motion_donors: EF in percent by name.
        appearance_donors: names of all usable TRAIN videos.
        fingerprint: of weights, donors (names and first frames), sampler, device, precision and code version.
        sampler: for instance ``"ddim-8"``.
        skipped: videos that cannot be donors, with reasons.

    Raises:
        EchoAugmentError: a motion donor that is unknown or has no label, or no donor at all.
    """

    def __init__(
        self,
        pipeline: MCDMPipeline,
        donors: dict[str, VideoInfo],
        *,
        motion_donors: Sequence[str] | None = None,
        steps: int | None = None,
        sampler: str | None = None,
        ef: EFToken | None = None,
        batch: int = 8,
        weights: str = "",
        contents: Mapping[str, str] | None = None,
        skipped: Sequence[SkippedDonor] = (),
    ) -> None:
        steps = int(pipeline.config["steps"]) if steps is None else steps
        if steps < pipeline.least_steps:
            raise EchoAugmentError(f"steps must be at least {pipeline.least_steps}, got {steps}")
        self.pipeline, self._rows, self._batch = pipeline, dict(donors), batch
        self._steps, self._kind = steps, sampler or str(pipeline.config["sampler"])
        self.sampler = f"{self._kind}-{steps}"
        self._token = ef_token(str(pipeline.config["code"]), ef)
        self.frames, self.fps = int(pipeline.config["frames"]), float(pipeline.config["rate"])
        self.height = self.width = int(pipeline.config["size"])
        self.skipped = list(skipped)
        self.motion_donors = self._choose_motion(motion_donors)
        self.appearance_donors = sorted(donors)
        if contents is None:
            contents = {name: probe_video(row.path).first for name, row in donors.items()}
        used = {name: contents[name] for name in donors}
        donors_of = (self.motion_donors, self.appearance_donors)
        how = self.sampler if self._token is None else f"{self.sampler} ef {self._token}"
        self.fingerprint = fingerprint(weights, *donors_of, how, used, arithmetic(pipeline))
        self._tracings: dict[str, Masks] = {}
        self._donors = Donors(pipeline, self._rows, self.motion_donors)

    @property
    def phaseless(self) -> bool:
        """Whether clips have no ED and ES frame that is known: one motion vector, or an EF, fixes no phase."""
        return self.pipeline.config["code"] in ONE_CODE

    def carry_tracings(self, tracings: Mapping[str, Masks]) -> bool:
        """Let LV masks at ED ``(h, w)`` of appearance donors, by name, ride to every frame of their clips.

        Return whether it can: the generator must have a transport. Clips of other donors get no masks.
        """
        transport = self.pipeline.transport
        if transport is None:
            return False
        self._tracings |= {name: resized(mask, self.height, self.width) for name, mask in tracings.items()}
        return True

    def _choose_motion(self, wanted: Sequence[str] | None) -> dict[str, float]:
        """Return the EF of the motion donors; a video must hold a whole clip."""
        names = self._rows if wanted is None else wanted
        unknown = [name for name in names if name not in self._rows]
        if unknown:
            raise EchoAugmentError(f"motion donor {unknown[0]!r} is not a usable TRAIN video")
        unlabelled = [name for name in names if math.isnan(self._rows[name].ef)]
        if wanted is not None and unlabelled:
            raise EchoAugmentError(f"motion donor {unlabelled[0]!r} has no EF", "Only labelled videos give motion")
        chosen = {}
        needed = 0.0 if self._token is not None else (self.frames - 1) / self.fps
        for name in names:
            row = self._rows[name]
            if math.isnan(row.ef):
                continue
            if row.n_frames <= 0 or not row.fps > 0:  # never opened: the file tells
                row = self._rows[name] = as_filed(row, probe_video(row.path))
            seconds = (row.n_frames - 1) / row.fps if row.fps > 0 else 0.0
            if seconds < needed:
                reason = f"{seconds:.2f} s is shorter than a clip's {needed:.2f} s"
                self.skipped.append(SkippedDonor(name, reason))
                continue
            chosen[name] = row.ef
        if not chosen:
            raise EchoAugmentError("no labelled TRAIN video is long enough to give motion", "Run echo-augment doctor")
        return chosen

    def expect(self, lines: Sequence[PlanLine], *, only: bool = True) -> None:
        """Let threads read the donors of lines that come soon. No clip changes by it; errors come when they are needed.

        Args:
            lines: in the order in which they come.
            only: drop what was expected before.
        """
        told = self._token is not None  # an EF, and no motion is read
        self._donors.expect([("" if told else one.motion_donor, one.appearance_donor) for one in lines], only=only)

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return the clips of ``lines``, in their order."""
        self.expect(lines, only=False)
        clips: list[EchoClip] = []
        for start in range(0, len(lines), self._batch):
            clips += self._generate(lines[start : start + self._batch])
        return clips

    def _generate(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        drawn = [self._draw(line) for line in lines]
        filled = [*range(len(lines)), *[0] * (self._batch - len(lines))]
        motions = torch.stack([drawn[i][0] for i in filled])
        references = torch.from_numpy(np.stack([self._appearance(lines[i].appearance_donor) for i in filled]))
        noise = [torch.Generator().manual_seed(lines[i].seed) for i in filled]
        device = self.pipeline.device
        dtype = fast_dtype(device)
        traced = [line.appearance_donor in self._tracings for line in lines]
        empty = np.zeros((self.height, self.width), np.bool_)
        tracings = np.stack([self._tracings.get(lines[i].appearance_donor, empty) for i in filled])
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            made = self.pipeline(
                references,
                motions,
                num_inference_steps=self._steps,
                sampler=self._kind,
                masks=torch.from_numpy(tracings) if any(traced) else None,
                generator=noise,
            )
        output = cast(MCDMOutput, made)
        frames = output.clips.numpy()
        moved = [None] * len(lines) if output.masks is None else list(output.masks.numpy())
        masks = [
            mask if there else None for mask, there in zip(moved, traced, strict=False)
        ]  # filled up like the clips
        return [self._clip(line, frames[i], masks[i], drawn[i][1], drawn[i][2]) for i, line in enumerate(lines)]

    def _draw(self, line: PlanLine) -> tuple[Tensor, float, float]:
        """Return the codes of a line's window, its start on the donor's grid and its tempo: both leave the EF alone."""
        if self._token is not None:
            self._check_motion(line.motion_donor)
            return token_of(self._token.label(line, self.motion_donors).ef), 0.0, 1.0
        self._check_motion(line.motion_donor)
        codes = self._donors.motion(line.motion_donor).codes
        if self.phaseless:
            return codes, 0.0, 1.0
        rng = np.random.default_rng([line.seed, 1])
        longest = (len(codes) - 1) / (self.frames - 1)
        tempo = min(float(rng.uniform(*TEMPO)), longest)
        start = float(rng.uniform(0, max(0.0, room(len(codes), self.frames, tempo))))
        return stretch(codes, self.frames, start=start, tempo=tempo), start, tempo

    def _clip(
        self, line: PlanLine, frames: npt.NDArray[np.uint8], masks: Masks | None, start: float, tempo: float
    ) -> EchoClip:
        label = self._label(line, start, tempo)
        provenance = Provenance(
            motion_donor=line.motion_donor,
            appearance_donor=line.appearance_donor,
            seed=line.seed,
            sampler=self.sampler,
            preset=str(self.pipeline.config["preset"]),
            fingerprint=self.fingerprint,
            label_policy=label.policy,
            extra={"start": start, "tempo": tempo},
        )
        return EchoClip(
            clip_id=line.clip_id,
            frames=np.ascontiguousarray(frames),
            fps=self.fps,
            masks=None if masks is None else np.ascontiguousarray(masks),
            ef=label.ef,
            ed_frame=label.ed_frame,
            es_frame=label.es_frame,
            provenance=provenance,
        )

    def _label(self, line: PlanLine, start: float, tempo: float) -> TransportedLabel:
        if self._token is not None:
            return self._token.label(line, self.motion_donors)
        donor = self._donors.motion(line.motion_donor)
        positions = None if self.phaseless else start + tempo * np.arange(self.frames, dtype=np.float64)
        return donor_label(donor.ef, donor.volume, positions)

    def _check_motion(self, name: str) -> None:
        if name not in self.motion_donors:
            raise EchoAugmentError(f"{name!r} is not a motion donor of this generator", REPLAN)

    def _appearance(self, name: str) -> npt.NDArray[np.uint8]:
        if name not in self._rows:
            raise EchoAugmentError(f"{name!r} is not an appearance donor of this generator", REPLAN)
        return self._donors.reference(name)


def load_generator(
    generator: str,
    root: DataFolder,
    *,
    device: str = "cpu",
    steps: int | None = None,
    sampler: str | None = None,
    ef: EFToken | None = None,
    seed: int = 0,
    motion_donors: Sequence[str] | None = None,
    on_error: str = "skip",
    batch: int = 8,
) -> ClipGenerator:
    """Return a `ClipGenerator` of a trained generator and the TRAIN videos of a dataset folder.

    Args:
        generator: folder of a trained pipeline, Hub id, or ``"bundled"``.
        root: dataset folder, as `echo_augment.augmentor.data.read_table` takes it.
        device: the pipeline's.
        steps: sampler steps; None for the pipeline's own number.
        sampler: ``"ddim"``, ``"dpm"`` or ``"ddpm"``; None for the pipeline's own.
        ef: which EF a generator is told that is told one instead of a motion; None: the table's.
        seed: not used: a plan line carries its own.
        motion_donors: names that may give motion and label; by default every labelled TRAIN video.
        on_error: ``"skip"`` leaves a TRAIN video that cannot be read out and counts it; ``"raise"`` stops.
        batch: clips denoised together.

    Raises:
        EchoAugmentError: a VAL or TEST video among the donors, or among those that trained the generator; a folder or
            generator that cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> from echo_augment.augmentor.data.phantom import write_phantoms
    >>> from echo_augment.cache import make_plan
    >>> with TemporaryDirectory() as folder:
    ...     root = write_phantoms(Path(folder) / "set", 2, num_frames=80, workers=1, splits=(1, 0, 0))
    ...     generator = load_generator("bundled", root, steps=0, batch=1)
    ...     donors = generator.motion_donors, generator.appearance_donors
    ...     clip = generator(make_plan(*donors, 1, seed=0).lines[:1])[0]
    >>> clip.frames.shape, clip.ef == generator.motion_donors[clip.provenance.motion_donor]
    ((16, 112, 112), True)
    """
    pipeline = MCDMPipeline.load(generator).to(device)
    pipeline.set_progress_bar_config(disable=True)
    table = read_table(root)
    rows, contents, skipped = usable(table.split("TRAIN"), on_error)
    held_out = [row for row in table.rows if is_unseen(row.split) and row.path.is_file()]
    held_out, _, _unreadable = usable(held_out, "skip", warn=False)
    refuse_leaks(rows, held_out)
    folder = BUNDLED if generator == "bundled" else Path(generator)
    refuse_trained_on(folder, held_out)
    return ClipGenerator(
        pipeline,
        {row.name: row for row in rows},
        motion_donors=motion_donors,
        steps=steps,
        sampler=sampler,
        ef=ef,
        batch=batch,
        weights=hash_weights(folder) if folder.is_dir() else generator,
        contents=contents,
        skipped=skipped,
    )
