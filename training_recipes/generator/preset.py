"""Settings of a preset (``conf/preset/``): sizes of the generator's networks, and how each stage trains."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from omegaconf import MISSING, OmegaConf

from echo_augment.augmentor.mcdm.fingerprint import hash_weights
from echo_augment.augmentor.mcdm.mafe.losses import DISTANCES, TARGETS
from echo_augment.augmentor.mcdm.pipeline import CODES
from echo_augment.augmentor.mcdm.sampling import SAMPLERS
from echo_augment.augmentor.mcdm.transport import FLOWS
from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.lpips import hash_lpips
from ..common.settings import object_from
from .stage_settings import CodecSettings, DenoiserSettings, FitSettings

LOSSES: dict[str, tuple[str, ...]] = {"interp": (), "reid": ("reid",), "flow": ("flow",), "both": ("reid", "flow")}
STUDENTS = ("consistency", "reflow")
OF_CLIPS = ("sampler_steps", "sampler", "detail")  # how clips are made, which decides no weights


@dataclass(kw_only=True)
class ReidSettings(FitSettings):
    """The re-ID model.

    Attributes:
        width: channels of its first stage.
        embedding: length of the vector it gives.
        hearts: videos of a batch.
    """

    width: int = MISSING
    embedding: int = MISSING
    hearts: int = MISSING


@dataclass(kw_only=True)
class LossWeights:
    """Weights and forms of MAFE's losses beside the interpolation's (`echo_augment.augmentor.mcdm.mafe.losses`).

    Attributes:
        reid: weight of the appearance features' distance to the re-ID model's, at least 0.
        flow: weight of the flow's distance to the flow estimator's, at least 0.
        reid_distance: ``squared`` or ``cosine``.
        reid_unit: of unit vectors; a cosine always is.
        flow_target: ``ends`` (middle frame to both) or ``pair`` (first frame to second).
        flow_unit: by the size of the motion, instead of in pixels.
    """

    reid: float = MISSING
    flow: float = MISSING
    reid_distance: str = "squared"
    reid_unit: bool = True
    flow_target: str = "ends"
    flow_unit: bool = True

    def __post_init__(self) -> None:
        check_number("preset.mafe.losses.reid", self.reid, 0)
        check_number("preset.mafe.losses.flow", self.flow, 0)
        check_choice("preset.mafe.losses.reid_distance", self.reid_distance, DISTANCES)
        check_choice("preset.mafe.losses.flow_target", self.flow_target, TARGETS)
        if self.reid_distance == "cosine" and not self.reid_unit:
            raise EchoAugmentError(
                "preset.mafe.losses.reid_distance=cosine compares directions, whatever reid_unit says",
                "Leave reid_unit=false out, or take reid_distance=squared",
            )


@dataclass(kw_only=True)
class MafeSettings(FitSettings):
    """MAFE.

    Attributes:
        width: F, channels of the first level.
        depths: layers of its five stages.
        heads: attention heads of the two transformer stages.
        window: side of an attention window.
        losses: weights of the losses beside the interpolation's.
        batch: pairs of frames.
        reach: most frames, at the generator's rate, between the two of a pair.
        channels: of a frame: 1, or 3 as EMA-VFI has them.
        validate_every: steps between two measurements of the interpolation of watched videos, which decides the
            weights that are kept.
        start: folder of a MAFE to go on from (``import-weights from=emavfi``); None: fresh weights.
    """

    width: int = MISSING
    depths: list[int] = MISSING
    heads: list[int] = MISSING
    window: int = MISSING
    losses: LossWeights = MISSING
    batch: int = MISSING
    reach: int = MISSING
    channels: int = 1
    validate_every: int = 1000
    start: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("preset.mafe.reach", self.reach, 1)
        check_whole("preset.mafe.validate_every", self.validate_every, 1)


@dataclass(kw_only=True)
class TransportSettings(FitSettings):
    """The motion transport.

    Attributes:
        flow: whose motion is coded: ``mafe``, its flow and motion features; or ``teacher``, the flow estimator's flow.
        code_size: numbers a frame.
        width: channels of the predictor.
        batch: frames.
    """

    flow: str = MISSING
    code_size: int = MISSING
    width: int = MISSING
    batch: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset.transport.flow", self.flow, FLOWS)


@dataclass(kw_only=True)
class CouplingSettings:
    """Pairs of noise and clip, for a student of kind ``reflow``.

    Attributes:
        clips: pairs.
        steps: of DDIM, for each.
        batch: pairs made together.
    """

    clips: int = MISSING
    steps: int = MISSING
    batch: int = MISSING


@dataclass(kw_only=True)
class StudentSettings(FitSettings):
    """The denoiser distilled to few steps.

    Attributes:
        kind: ``consistency`` (consistency distillation) or ``reflow`` (trained on the couplings).
        grid: steps of the denoiser's path, for consistency distillation.
        sampler_steps: the student's if a call names none.
        batch: windows.
    """

    kind: str = MISSING
    grid: int = MISSING
    sampler_steps: int = MISSING
    batch: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset.student.kind", self.kind, STUDENTS)
        for name, low in (("grid", 1), ("sampler_steps", 0)):
            check_whole(f"preset.student.{name}", getattr(self, name), low)


@dataclass(kw_only=True)
class PresetSettings:
    """A generator.

    Attributes:
        name: the preset's, kept with the weights.
        frames: frames of a clip.
        rate: frames per second.
        size: side of a frame in pixels.
        code: motion codes: ``transport``, ``mafe`` or ``flow``, one a frame; or ``vector``, one a clip.
        sampler_steps: the generator's if a call names none.
        sampler: likewise, ``ddim``, ``dpm`` or ``ddpm``; None: ``ddim``.
        detail: whether clips get their reference frame's fine detail; None: they do.
        codec: settings of this stage, as the others.
        reid: see `ReidSettings`.
        mafe: see `MafeSettings`.
        transport: see `TransportSettings`.
        denoiser: see `DenoiserSettings`.
        couplings: see `CouplingSettings`.
        student: see `StudentSettings`.

    Raises:
        EchoAugmentError: a value out of its range, by name.
    """

    name: str = MISSING
    frames: int = MISSING
    rate: Any = MISSING  # a number; as a float 25 would be saved as 25.0, as a union Hydra cannot merge it
    size: int = MISSING
    code: str = MISSING
    sampler_steps: int = MISSING
    sampler: str | None = None
    detail: bool | None = None
    codec: CodecSettings = MISSING
    reid: ReidSettings = MISSING
    mafe: MafeSettings = MISSING
    transport: TransportSettings = MISSING
    denoiser: DenoiserSettings = MISSING
    couplings: CouplingSettings = MISSING
    student: StudentSettings = MISSING

    def __post_init__(self) -> None:
        check_choice("preset.code", self.code, CODES)
        check_whole("preset.frames", self.frames, 2)
        check_number("preset.rate", self.rate, 0, above_low=True)
        check_whole("preset.size", self.size, 8)
        check_whole("preset.sampler_steps", self.sampler_steps)
        if self.sampler is not None:
            check_choice("preset.sampler", self.sampler, SAMPLERS)
        theirs = {
            "denoiser.absolute": bool(self.denoiser.absolute),
            "denoiser.reference": self.denoiser.reference == "any",
            "sampler": self.sampler == "ddpm",
        }
        wrong = [key for key, is_set in theirs.items() if is_set]
        if wrong and self.code == "transport":
            raise EchoAugmentError(
                f"preset.{wrong[0]} is set as the reference has it, and preset.code=transport moves the "
                "ED frame's latent",
                "Take preset.code=vector, mafe or flow",
            )

    def plain(self) -> dict[str, Any]:
        """Return what decides the weights, as JSON: not how clips are sampled, and without what is not given."""
        found = asdict(self)
        for name in OF_CLIPS:
            del found[name]
        if self.mafe.start is not None:  # the weights, wherever they lie
            found["mafe"]["start"] = hash_weights(Path(self.mafe.start))
        if self.codec.perceives:
            found["codec"]["lpips_weights"] = hash_lpips(Path(str(self.codec.lpips_weights)))
        else:
            found["codec"]["lpips"] = None  # as it is trained
        sections = {key: value for key, value in found.items() if isinstance(value, dict)}
        return found | {
            name: {key: value for key, value in section.items() if value is not None}
            for name, section in sections.items()
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, JsonValue]) -> Self:
        """Return a preset whose `plain` this is; how clips are sampled is not in it, nor are folders, but their hashes.

        Raises:
            EchoAugmentError: a setting is missing, unknown or out of its range.
        """
        return object_from({**plain, "sampler_steps": 1}, cls)


def preset_names() -> list[str]:
    """Return the names of the presets in ``conf/preset``."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def named_preset(name: str) -> PresetSettings:
    """Return a preset of ``conf/preset`` by its name.

    Raises:
        EchoAugmentError: there is no such preset.
    """
    if name not in preset_names():
        raise EchoAugmentError(f"there is no preset {name!r}", f"There are: {', '.join(preset_names())}")
    return object_from(OmegaConf.load(_folder() / f"{name}.yaml"), PresetSettings)


def _folder() -> Path:
    return Path(str(files("echo_augment.training_recipes.conf"))) / "preset"
