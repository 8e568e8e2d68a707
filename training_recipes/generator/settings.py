"""What a run of ``train-generator`` may be told beyond its preset; nothing of it is needed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.mcdm.codec import HUB
from echo_augment.cache.errors import EchoAugmentError

from ..training.logging import TRACKERS

NEEDS: dict[str, tuple[str, ...]] = {
    "codec": (),
    "latents": ("codec",),
    "reid": (),
    "pseudo": ("reid",),
    "mafe": ("reid", "pseudo"),
    "motions": ("reid", "pseudo", "mafe"),
    "transport": ("codec", "latents", "reid", "pseudo", "mafe", "motions"),
    "denoiser": ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport"),
    "couplings": ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser"),
    "student": ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser", "couplings"),
}
FOLDERS = {"denoiser": "generator", "student": "generator-student"}  # where a finished pipeline goes
STUDENTS = ("consistency", "reflow")  # ways to distil
LOSSES = {"interp": (), "reid": ("reid",), "flow": ("flow",), "both": ("reid", "flow")}


@dataclass(frozen=True, slots=True)
class Options:
    """Optional settings, given as ``+key=value``.

    Attributes:
        codec: a trained autoencoder to take instead of training one
            (:func:`~echo_augment.augmentor.mcdm.codec.load_codec`).
        losses: of MAFE beside the interpolation's: ``interp`` (none), ``reid``, ``flow`` or ``both``; None leaves the
            preset's weights as they are.
        only: the stage that the run is for; it and what it needs are run. ``denoiser`` writes the pipeline to
            ``<out>/generator``, ``student`` one for few steps to ``<out>/generator-student``, the others none.
        log: trackers beside the CSV files: ``tensorboard``, ``wandb``.
        accumulate: batches a step; their gradients are averaged.
        checkpointing: compute the denoiser's activations again in the backward pass instead of keeping them: slower,
            with the same result and much less memory.
        distil: a finished generator (its folder, a Hub id, or ``bundled``) whose denoiser the run distils to a student;
            its networks are taken, and only the student is trained.
        reuse: folder of another run; what that has made with the settings of this one, in whatever precision, is taken
            from there.

    Raises:
        EchoAugmentError: a value that is none of these.
    """

    codec: str | None = None
    losses: str | None = None
    only: str = "denoiser"
    log: tuple[str, ...] = ()
    accumulate: int = 1
    checkpointing: bool = False
    distil: str | None = None
    reuse: str | None = None

    def __post_init__(self) -> None:
        _choose("losses", self.losses, [None, *LOSSES])
        _choose("only", self.only, list(NEEDS))
        for name in self.log:
            _choose("log", name, list(TRACKERS))
        if self.distil is not None:
            self._check_distil()
        if self.accumulate < 1:
            raise EchoAugmentError(f"accumulate must be at least 1, got {self.accumulate}")

    def _check_distil(self) -> None:
        others = {"only": self.only != "student", "codec": self.codec is not None, "losses": self.losses is not None}
        given = [name for name, is_given in others.items() if is_given]
        if given:
            raise EchoAugmentError(
                f"distil={self.distil} trains a student alone, of networks that are there", f"Leave {given[0]} out"
            )

    def stages(self, preset: DictConfig) -> tuple[str, ...]:
        """The stages to run, in their order, for a preset's motion codes and student."""
        needless = {"transport": preset.code != "transport", "couplings": preset.student.kind != "reflow"}
        return tuple(name for name in (*NEEDS[self.only], self.only) if not needless.get(name))

    def settings(self) -> dict[str, Any]:
        """What of them changes the weights beyond preset and codec, for the run's settings; empty by default."""
        return {"accumulate": self.accumulate} if self.accumulate > 1 else {}


def read_options(cfg: DictConfig) -> Options:
    """The options of a composed configuration; a key that is absent or null has its default."""
    log = cfg.get("log") or ()
    return Options(
        codec=None if cfg.get("codec") is None else str(cfg.codec),
        losses=None if cfg.get("losses") is None else str(cfg.losses),
        only=str(cfg.get("only") or ("denoiser" if cfg.get("distil") is None else "student")),
        log=(log,) if isinstance(log, str) else tuple(str(name) for name in log),
        accumulate=int(cfg.get("accumulate") or 1),
        checkpointing=bool(cfg.get("checkpointing") or False),
        distil=None if cfg.get("distil") is None else str(cfg.distil),
        reuse=None if cfg.get("reuse") is None else str(cfg.reuse),
    )


def told(source: str | None, folder: str) -> str:
    """Where networks came from, for others: a Hub id as it is, but a path is a matter of the machine it was on."""
    on_hub = source is not None and (source.startswith(HUB) or re.fullmatch(r"[\w.-]+/[\w.-]+", source))
    return source if source is not None and on_hub and not Path(source).exists() else folder


def command_line(options: Options, student: str = "consistency") -> str:
    """The options that change the weights, as one types them; a folder's path is left to the reader.

    Args:
        options: of the run.
        student: the preset's ``student.kind``.
    """
    words = []
    if options.codec is not None:
        words.append(f"+codec={told(options.codec, 'FOLDER')}")
    if options.losses is not None:
        words.append(f"+losses={options.losses}")
    if options.distil is not None:
        words.append(f"+distil={options.distil if options.distil == 'bundled' else told(options.distil, 'GENERATOR')}")
    elif options.only == "student":
        words.append("+only=student")
    if options.only == "student" and student != "consistency":
        words.append(f"preset.student.kind={student}")
    if options.accumulate > 1:
        words.append(f"+accumulate={options.accumulate}")
    return "".join(f" {word}" for word in words)


def ablate(preset: DictConfig, losses: str | None) -> DictConfig:
    """The preset with MAFE's losses as asked: those left out have weight 0, the others keep the preset's weight."""
    if losses is None:
        return preset
    weights = {key: value if key in LOSSES[losses] else 0.0 for key, value in preset.mafe.losses.items()}
    changed = OmegaConf.merge(preset, {"mafe": {"losses": weights}})
    assert isinstance(changed, DictConfig)
    return changed


def check_stages(preset: DictConfig, options: Options) -> None:
    """Refuse a run that would not do what it is asked for.

    Raises:
        EchoAugmentError: ``only`` is a stage that the preset's motion codes do not need, or ``losses`` changes a MAFE
            that they do not read; or the student is of no kind that there is, or of one that needs no couplings where
            these are asked for; or of couplings there are to be none.
    """
    _choose("preset.student.kind", preset.student.kind, list(STUDENTS))
    if options.only == "couplings" and preset.student.kind != "reflow":
        raise EchoAugmentError(f"only=couplings needs preset.student.kind=reflow, got {preset.student.kind!r}")
    for key in ("clips", "batch", "steps") if "couplings" in options.stages(preset) else ():
        if preset.couplings[key] < 1:
            raise EchoAugmentError(f"preset.couplings.{key} must be at least 1, got {preset.couplings[key]}")
    if options.only == "transport" != preset.code:
        raise EchoAugmentError(f"only=transport needs preset.code=transport, got {preset.code!r}")
    unread = preset.code == "flow" or (preset.code == "transport" and preset.transport.flow == "teacher")
    if unread and options.losses is not None and options.only != "mafe":
        raise EchoAugmentError(
            f"losses={options.losses} changes MAFE, which the motion codes of preset {preset.name} do not read",
            "Add +only=mafe, or take preset.transport.flow=mafe or preset.code=mafe",
        )


def _choose(key: str, value: str | None, there: list[Any]) -> None:
    if value not in there:
        names = ", ".join(str(name) for name in there if name is not None)
        raise EchoAugmentError(f"{key} must be one of {names}, got {value!r}")
