"""Settings of a preset (``conf/preset/``): sizes of the generator's networks, and how each stage trains."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from echo_augment.augmentor.mcdm.denoiser import MOTIONS
from echo_augment.augmentor.mcdm.fingerprint import hash_weights
from echo_augment.augmentor.mcdm.mafe.losses import DISTANCES, TARGETS
from echo_augment.augmentor.mcdm.pipeline import CODES
from echo_augment.augmentor.mcdm.transport import FLOWS
from echo_augment.cache.arguments import check_choice, check_number, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError

LOSSES: dict[str, tuple[str, ...]] = {"interp": (), "reid": ("reid",), "flow": ("flow",), "both": ("reid", "flow")}
STUDENTS = ("consistency", "reflow")


@dataclass(kw_only=True)
class FitSettings:
    """How a network is trained.

    Attributes:
        steps: optimiser steps.
        lr: learning rate of AdamW after the warm-up.
        warmup: steps over which it rises; a cosine then brings it down to a tenth.
        save_every: steps between checkpoints.
        horizon: step at which the cosine would end, at least ``steps``; None: at the last step.
        weight_decay: of AdamW; None: 0.01.
        ema: decay of the exponential moving average of the weights, in (0, 1); None: no average.
    """

    steps: int = MISSING
    lr: float = MISSING
    warmup: int = MISSING
    save_every: int = MISSING
    horizon: int | None = None
    weight_decay: float | None = None
    ema: float | None = None

    def __post_init__(self) -> None:
        name = f"preset.{type(self).__name__.removesuffix('Settings').lower()}"
        check_whole(f"{name}.steps", self.steps)
        check_number(f"{name}.lr", self.lr, 0, above_low=True)
        check_whole(f"{name}.warmup", self.warmup)
        check_whole(f"{name}.save_every", self.save_every, 1)
        if self.horizon is not None:
            check_whole(f"{name}.horizon", self.horizon, self.steps)
        if self.weight_decay is not None:
            check_number(f"{name}.weight_decay", self.weight_decay, 0)
        if self.ema is not None:
            check_share(f"{name}.ema", self.ema)
        for size in ("batch", "hearts", "each"):
            if hasattr(self, size):
                check_whole(f"{name}.{size}", getattr(self, size), 1)


@dataclass(kw_only=True)
class CodecSettings(FitSettings):
    """The autoencoder between frames and latents.

    Attributes:
        channels: of its four levels.
        layers: residual blocks a level.
        kl: weight of the Kullback-Leibler divergence in the loss.
        hearts: videos of a batch.
        each: frames of each of them.
    """

    channels: list[int] = MISSING
    layers: int = MISSING
    kl: float = MISSING
    hearts: int = MISSING
    each: int = MISSING


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
class ResidualSettings:
    """The lean network that denoises the residual of the transport's prediction.

    Attributes:
        channels: of its two levels, multiples of 8.
        layers: residual blocks a level.
        heads: of its attention over time.
    """

    channels: list[int] = MISSING
    layers: int = MISSING
    heads: int = MISSING

    def __post_init__(self) -> None:
        check_whole("preset.denoiser.residual.layers", self.layers, 1)
        if len(self.channels) != 2 or any(one % 8 for one in self.channels) or self.channels[1] % self.heads:
            said = f"{self.channels} with heads={self.heads}"
            raise EchoAugmentError(f"preset.denoiser.residual.channels: two multiples of 8 and of heads, got {said}")


@dataclass(kw_only=True)
class DenoiserSettings(FitSettings):
    """The denoiser: of the residual for ``code: transport``, else a UNet that denoises whole latents.

    Attributes:
        residual: the first one's sizes; all below but the batch are the second one's.
        channels: of its levels.
        attention: which levels have attention.
        heads: attention heads at each level.
        layers: residual blocks a level.
        motion: ``frame`` (a code a frame) or ``vector`` (one a clip).
        cross_attention_dim: length of the cross-attention token.
        noise_offset: noise shared by all pixels of a channel, as a share of its standard deviation.
        drop: share of clips whose motion is withheld, for classifier-free guidance.
        batch: windows.
    """

    residual: ResidualSettings = MISSING
    channels: list[int] = MISSING
    attention: list[bool] = MISSING
    heads: list[int] = MISSING
    layers: int = MISSING
    motion: str = MISSING
    cross_attention_dim: int = MISSING
    noise_offset: float = MISSING
    drop: float = MISSING
    batch: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset.denoiser.motion", self.motion, MOTIONS)
        check_number("preset.denoiser.noise_offset", self.noise_offset, 0)
        check_share("preset.denoiser.drop", self.drop)


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

    def plain(self) -> dict[str, Any]:
        """Return what decides the weights, as JSON: without ``sampler_steps``, and without what is not given."""
        found = asdict(self)
        del found["sampler_steps"]
        if self.mafe.start is not None:  # the weights, wherever they lie
            found["mafe"]["start"] = hash_weights(Path(self.mafe.start))
        sections = {key: value for key, value in found.items() if isinstance(value, dict)}
        return found | {
            name: {key: value for key, value in section.items() if value is not None}
            for name, section in sections.items()
        }
