"""The stages of the generator's training: one table says what each needs, leaves behind, does and loads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import codec, copies, denoiser, mafe, motions, pseudo, reid, transport
from .distil import couplings, student
from .preset import PresetSettings

if TYPE_CHECKING:
    from .context import StageContext

Figures = dict[str, float]


def _always(_preset: PresetSettings) -> bool:
    return True


def _transported(preset: PresetSettings) -> bool:
    return preset.code == "transport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the training.

    Attributes:
        name: as in settings and reports; a network's checkpoint is ``checkpoints/<name>.ckpt``.
        needs: stages whose results it reads; what these need in their turn follows.
        outputs: files and folders that it leaves in the run's folder; it is there if one of them is.
        train: does the work and returns its figures, ``steps`` and ``seconds`` among them where it knows them.
        load: puts the finished network into ``context.networks``; None if the stage makes files alone.
        wanted: whether a preset has this stage at all.
        pipeline: folder in which the finished pipeline of a run up to this stage is saved; None: it makes none.
    """

    name: str
    outputs: tuple[str, ...]
    train: Callable[["StageContext"], Figures]
    needs: tuple[str, ...] = ()
    load: Callable[["StageContext"], None] | None = None
    wanted: Callable[[PresetSettings], bool] = _always
    pipeline: str | None = None


STAGES = (
    Stage(name="codec", outputs=("codec",), train=codec.train, load=codec.load),
    Stage(name="latents", needs=("codec",), outputs=("latents.npy", "latents.parts"), train=codec.make_latents),
    Stage(name="reid", outputs=("reid",), train=reid.train, load=reid.load),
    Stage(name="pseudo", needs=("reid",), outputs=("pseudo.h5", "pseudo.parts"), train=pseudo.make),
    Stage(name="mafe", needs=("reid", "pseudo"), outputs=("mafe",), train=mafe.train, load=mafe.load),
    Stage(
        name="motions",
        needs=("pseudo", "mafe"),
        outputs=("flows.npy", "codes.npy", "flows.parts", "codes.parts"),
        train=motions.make,
        wanted=lambda preset: preset.code != "transport" or preset.transport.flow == "teacher",
    ),
    Stage(
        name="transport",
        needs=("latents", "motions"),
        outputs=("transport",),
        train=transport.train,
        load=transport.load,
        wanted=_transported,
    ),
    Stage(
        name="copies",
        needs=("transport",),
        outputs=("copies.npy", "copies.parts"),
        train=copies.make,
        wanted=_transported,
    ),
    Stage(
        name="denoiser",
        needs=("latents", "motions", "copies"),
        outputs=("denoiser",),
        train=denoiser.train,
        load=denoiser.load,
        pipeline="generator",
    ),
    Stage(
        name="couplings",
        needs=("denoiser",),
        outputs=("couplings.npy", "couplings.parts"),
        train=couplings.make,
        wanted=lambda preset: preset.student.kind == "reflow",
    ),
    Stage(
        name="student",
        needs=("denoiser", "couplings"),
        outputs=("student",),
        train=student.train,
        load=student.load,
        pipeline="generator-student",
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}
NAMES = tuple(BY_NAME)


def needed_by(name: str) -> tuple[str, ...]:
    """Return all that a stage builds on, directly or not, in the order of the table.

    >>> needed_by("mafe")
    ('reid', 'pseudo')
    """
    found = set(BY_NAME[name].needs)
    for need in BY_NAME[name].needs:
        found |= set(needed_by(need))
    return tuple(stage for stage in NAMES if stage in found)


def stages_of(last: str, preset: PresetSettings) -> tuple[Stage, ...]:
    """Return the stages that lead to stage ``last`` with this preset, itself included, in their order."""
    wanted = [BY_NAME[name] for name in (*needed_by(last), last)]
    return tuple(stage for stage in wanted if stage.wanted(preset))
