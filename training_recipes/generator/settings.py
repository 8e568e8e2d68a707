"""Settings of ``train-generator``, checked before any work."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from echo_augment.cache.arguments import check_choice, check_whole
from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import DataSettings
from ..common.inputs import check_folders, check_generator
from ..common.lpips import load_lpips
from ..common.settings import JobSettings
from ..judging.kept_aside import ReenactmentSettings
from ..training.logging import TRACKERS
from .preset import LOSSES, LossWeights, PresetSettings
from .stages import BY_NAME, NAMES, Stage, stages_of

PRECISIONS = ("auto", "no", "fp16", "bf16")


@dataclass(kw_only=True)
class GeneratorSettings(JobSettings):
    """What ``train-generator`` is told (``conf/train-generator.yaml``).

    Attributes:
        data: the data set.
        preset: sizes of the networks and how each stage trains.
        precision: ``no``, ``fp16`` or ``bf16``; ``auto``: what the device is fast in.
        codec: a trained autoencoder to take instead of training one
            (`echo_augment.augmentor.mcdm.codec.load_codec`).
        losses: MAFE's losses beside the interpolation's: ``interp`` (none), ``reid``, ``flow`` or ``both``; None: the
            preset's weights as they are.
        only: the last stage; it and what it needs are run. ``denoiser``, the default, writes the pipeline to
            ``<out>/generator``, ``student`` one for few steps to ``<out>/generator-student``, the others none.
        log: trackers beside the CSV files, a list or one: ``tensorboard``, ``wandb``.
        accumulate: batches a step, whose gradients are averaged; None: 1.
        checkpointing: compute the denoiser's activations again in the backward pass instead of keeping them: slower,
            with the same result and much less memory.
        compile: compile the networks' training (``torch.compile``); for a GPU, and for more than an hour.
        distil: a finished generator (its folder or Hub id) whose denoiser is distilled to a student; its networks are
            taken, and only the student is trained.
        start: a finished generator (as ``distil``) from whose weights every stage goes on instead of fresh ones; None:
            fresh ones.
        reuse: folder of another run; what that has made with the settings of this one, in whatever precision, is taken
            from there.
        workers: processes of each rank that decode the videos; None: one a core, at most 16.
        reenactment: how the pipeline is judged in the end, on TRAIN videos that were kept aside.

    Raises:
        EchoAugmentError: a value out of its range, or settings that contradict each other.
    """

    data: DataSettings = field(default_factory=DataSettings)
    preset: PresetSettings = MISSING
    precision: str = "auto"
    codec: str | None = None
    losses: str | None = None
    only: str | None = None
    log: Any = None
    accumulate: int | None = None
    checkpointing: bool | None = None
    compile: bool | None = None
    distil: str | None = None
    start: str | None = None
    reuse: str | None = None
    workers: int | None = None
    reenactment: ReenactmentSettings = field(default_factory=ReenactmentSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("precision", self.precision, PRECISIONS)
        if self.losses is not None:
            check_choice("losses", self.losses, tuple(LOSSES))
        check_choice("only", self.last, NAMES)
        for name in self.trackers:
            check_choice("log", name, TRACKERS)
        if self.accumulate is not None:
            check_whole("accumulate", self.accumulate, 1)
        if self.workers is not None:
            check_whole("workers", self.workers, 1)
        self._check_sources()
        self._check_preset()

    def check_inputs(self) -> None:
        """Look for the data set, and whatever the run takes over."""
        self.data.check_inputs()
        check_generator("distil", self.distil)
        check_generator("start", self.start)
        check_folders(
            "preset.mafe.start", [self.preset.mafe.start], "Give the folder of echo-augment import-weights from=emavfi"
        )
        if self.preset.codec.perceives:
            load_lpips(Path(str(self.preset.codec.lpips_weights)))
        check_folders("reuse", [self.reuse], "Give the folder of another train-generator run")
        if self.codec is not None and not self.codec.startswith("hub:"):
            check_folders("codec", [self.codec], "Give a folder, or hub:<owner>/<name>/<subfolder>")

    def _check_sources(self) -> None:
        others = {"only": self.last != "student", "codec": self.codec is not None, "losses": self.losses is not None}
        given = [name for name, is_given in others.items() if is_given]
        if self.distil is not None and given:
            raise EchoAugmentError(
                f"distil={self.distil} trains a student alone, of networks that are there", f"Leave {given[0]} out"
            )
        others = {"distil": self.distil is not None, "codec": self.codec is not None}
        given = [name for name, is_given in others.items() if is_given]
        if self.start is not None and given:
            raise EchoAugmentError(
                f"start={self.start} trains the networks of a generator further, its codec too", f"Leave {given[0]} out"
            )

    def _check_preset(self) -> None:
        """Refuse a run that would not do what it is asked for with its preset."""
        preset = self.preset
        if self.last == "couplings" and preset.student.kind != "reflow":
            raise EchoAugmentError(f"only=couplings needs preset.student.kind=reflow, got {preset.student.kind!r}")
        if self.last == "transport" != preset.code:
            raise EchoAugmentError(f"only=transport needs preset.code=transport, got {preset.code!r}")
        if BY_NAME["couplings"] in self.stages:
            for key in ("clips", "batch", "steps"):
                check_whole(f"preset.couplings.{key}", getattr(preset.couplings, key), 1)
        unread = preset.code == "flow" or (preset.code == "transport" and preset.transport.flow == "teacher")
        if unread and self.losses is not None and self.last != "mafe":
            raise EchoAugmentError(
                f"losses={self.losses} changes MAFE, which the motion codes of preset {preset.name} do not read",
                "Add only=mafe, or take preset.transport.flow=mafe or preset.code=mafe",
            )

    @property
    def last(self) -> str:
        """The last stage: ``only``, or else ``student`` for a generator to distil, or ``denoiser``."""
        return self.only or ("denoiser" if self.distil is None else "student")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages to run, in their order."""
        return stages_of(self.last, self.preset)

    @property
    def pipeline_folder(self) -> str | None:
        """Where in ``out`` the finished pipeline goes; None for a run that makes none."""
        return BY_NAME[self.last].pipeline

    @property
    def trackers(self) -> tuple[str, ...]:
        """``log`` as a tuple of names."""
        return (self.log,) if isinstance(self.log, str) else tuple(self.log or ())

    @property
    def batches_a_step(self) -> int:
        """Batches whose gradients are averaged: ``accumulate``, or 1."""
        return self.accumulate or 1

    def weights(self) -> LossWeights:
        """Return the weights of MAFE's losses: those that ``losses`` leaves out have weight 0."""
        given = self.preset.mafe.losses
        if self.losses is None:
            return given
        kept = LOSSES[self.losses]
        return replace(given, reid=given.reid if "reid" in kept else 0.0, flow=given.flow if "flow" in kept else 0.0)

    def with_losses(self) -> PresetSettings:
        """Return the preset with the `weights` that ``losses`` asks for."""
        return replace(self.preset, mafe=replace(self.preset.mafe, losses=self.weights()))
