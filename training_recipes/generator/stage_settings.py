"""Settings of a preset's stages: how long and how fast each trains, and those of codec and denoiser."""

from dataclasses import dataclass

from omegaconf import MISSING

from echo_augment.augmentor.mcdm.denoiser import MOTIONS
from echo_augment.augmentor.mcdm.phase import REFERENCES
from echo_augment.cache.arguments import check_choice, check_number, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError

SCHEDULES = ("cosine", "constant")


@dataclass(kw_only=True)
class FitSettings:
    """How a network is trained.

    Attributes:
        steps: optimiser steps.
        lr: learning rate of AdamW after the warm-up.
        warmup: steps over which it rises; a cosine then brings it down to a tenth.
        schedule: ``constant`` keeps it instead; None: ``cosine``.
        save_every: steps between checkpoints.
        horizon: step at which the cosine would end, at least ``steps``; None: at the last step.
        weight_decay: of AdamW; None: 0.01.
        ema: decay of the exponential moving average of the weights, in (0, 1); None: no average.
    """

    steps: int = MISSING
    lr: float = MISSING
    warmup: int = MISSING
    save_every: int = MISSING
    schedule: str | None = None
    horizon: int | None = None
    weight_decay: float | None = None
    ema: float | None = None

    def __post_init__(self) -> None:
        name = f"preset.{type(self).__name__.removesuffix('Settings').lower()}"
        check_whole(f"{name}.steps", self.steps)
        check_number(f"{name}.lr", self.lr, 0, above_low=True)
        check_whole(f"{name}.warmup", self.warmup)
        check_whole(f"{name}.save_every", self.save_every, 1)
        if self.schedule is not None:
            check_choice(f"{name}.schedule", self.schedule, SCHEDULES)
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
        images: channels of an image, 1 or 3; None: 1.
        attention: whether its middle has attention; None: not.
        groups: of its group norms; None: 8.
        half_range: gray level that becomes 0, 127.5 or 128; None: 127.5.
        kl: weight of the Kullback-Leibler divergence in the loss, a mean as the L1 part is.
        pyramid: weight of the Laplacian pyramid of the reconstruction; None: 1.
        lpips: weight of LPIPS, for which there must be ``lpips_weights``; None: 0.
        lpips_weights: folder of its weights (`echo_augment.training_recipes.common.lpips.load_lpips`); None: it is left
            out, which log and card say.
        gan: weight of an adversary's loss (`echo_augment.training_recipes.training.adversary`); None: no adversary.
        gan_start: step from which on the adversary counts; None: 0.
        hearts: videos of a batch.
        each: frames of each of them.
    """

    channels: list[int] = MISSING
    layers: int = MISSING
    images: int | None = None
    attention: bool | None = None
    groups: int | None = None
    half_range: float | None = None
    kl: float = MISSING
    pyramid: float | None = None
    lpips: float | None = None
    lpips_weights: str | None = None
    gan: float | None = None
    gan_start: int | None = None
    hearts: int = MISSING
    each: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images not in (None, 1, 3):
            raise EchoAugmentError(f"preset.codec.images must be 1 or 3, got {self.images}")
        if self.half_range not in (None, 127.5, 128):
            raise EchoAugmentError(f"preset.codec.half_range must be 127.5 or 128, got {self.half_range}")
        for key, value in (("kl", self.kl), ("pyramid", self.pyramid), ("lpips", self.lpips), ("gan", self.gan)):
            if value is not None:
                check_number(f"preset.codec.{key}", value, 0)
        if self.gan_start is not None:
            check_whole("preset.codec.gan_start", self.gan_start)
        if self.lpips_weights is not None and not self.lpips:
            raise EchoAugmentError(
                f"preset.codec.lpips_weights={self.lpips_weights} is given, and preset.codec.lpips gives it no weight",
                "Add preset.codec.lpips=1",
            )

    @property
    def perceives(self) -> bool:
        """Whether LPIPS is in the loss: it has a weight, and there are weights of its networks."""
        return bool(self.lpips) and self.lpips_weights is not None


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
        absolute: latents as they are, instead of relative to the reference frame's; None: relative.
        reference: ``any`` frame of a video as its reference frame; None: ``ed``.
        clip_range: standard deviations at which the sampler clips clean latents; None: 6.
        spacing: of the sampler's timesteps, ``leading`` or ``trailing``; None: ``trailing``.
        noise_offset: noise shared by all pixels of a channel, as a share of its standard deviation.
        offset_each: ``clip``: shared by all frames, too; None: ``frame``.
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
    absolute: bool | None = None
    reference: str | None = None
    clip_range: float | None = None
    spacing: str | None = None
    noise_offset: float = MISSING
    offset_each: str | None = None
    drop: float = MISSING
    batch: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset.denoiser.motion", self.motion, MOTIONS)
        check_number("preset.denoiser.noise_offset", self.noise_offset, 0)
        for key, value, choices in (
            ("reference", self.reference, REFERENCES),
            ("spacing", self.spacing, ("leading", "trailing")),
            ("offset_each", self.offset_each, ("frame", "clip")),
        ):
            if value is not None:
                check_choice(f"preset.denoiser.{key}", value, choices)
        if self.clip_range is not None:
            check_number("preset.denoiser.clip_range", self.clip_range, 0, above_low=True)
        check_share("preset.denoiser.drop", self.drop)
