"""The residual denoiser: a lean network that samples what the motion transport's prediction leaves open."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.cache.system.extras import needs

from .published.strict import StrictModel

with needs("generate"):
    from diffusers import EDMEulerScheduler
    from diffusers.configuration_utils import ConfigMixin, register_to_config
    from diffusers.models.modeling_utils import ModelMixin

GROUPS = 8
# Noise levels of the sampler, in units of the residual's spread: at 4 nearly nothing is seen of it, and a level that
# training often meets makes a first step that keeps to the transport.
SIGMA_MIN, SIGMA_MAX = 0.02, 4.0


def edm_scheduler() -> EDMEulerScheduler:
    """Return the sampler's noise levels: 4 to 0.02 times the residual's spread, spaced as in arXiv 2206.00364."""
    return EDMEulerScheduler(sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=1.0)


class ResidualDenoiser(StrictModel, ModelMixin, ConfigMixin):
    """Denoises the residual between a clip's latents and the motion transport's prediction of them.

    A transport without chance predicts a mean; what it cannot know, speckle that decorrelates and beats that differ, is
    blurred away. Here diffusion samples that residual alone, in units of its own spread, so that a residual of zero is
    the transport's clip and no number of steps can walk away from it: corrective diffusion (CorrDiff, arXiv 2309.15214)
    with the preconditioning of EDM (arXiv 2206.00364), whose scalings diffusers' ``EDMEulerScheduler`` applies.

    The network is a UNet of factorised convolutions, over space within a frame and over time at a place, small enough
    for a CPU at 14 x 14; in its middle every frame attends to all others. Every frame's own code and the noise level
    scale and shift its features.

    Args:
        channels: of the level at full size and of the one at half of it, multiples of 8.
        layers: residual blocks of each level on the way down; the middle has one more.
        heads: of the attention over time.
        code_size: length of a motion code.
        latent_channels: the codec's.
        spread: standard deviation of the residual over the training videos, one number a latent channel.

    >>> denoiser = ResidualDenoiser(channels=(16, 16), layers=1, heads=2, code_size=8).eval()
    >>> noisy, expected = torch.randn(2, 1, 5, 4, 14, 14)
    >>> denoiser(noisy, torch.zeros(1), torch.randn(1, 4, 14, 14), torch.randn(1, 5, 8), expected).shape
    torch.Size([1, 5, 4, 14, 14])
    """

    config_name = "config.json"
    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        channels: tuple[int, int] = (48, 96),
        layers: int = 2,
        heads: int = 4,
        code_size: int = 8,
        latent_channels: int = 4,
        spread: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        outer, inner = channels
        width = 2 * inner
        self.level = nn.Sequential(nn.Linear(2 * GROUPS, width), nn.SiLU(), nn.Linear(width, width))
        self.code = nn.Sequential(nn.Linear(code_size, width), nn.SiLU(), nn.Linear(width, width))
        self.enter = nn.Conv2d(3 * latent_channels, outer, 3, padding=1)
        self.down = nn.ModuleList([SpaceTimeBlock(outer, outer, width) for _ in range(layers)])
        self.shrink = nn.Conv2d(outer, inner, 3, stride=2, padding=1)
        self.middle = nn.ModuleList([SpaceTimeBlock(inner, inner, width) for _ in range(layers + 1)])
        self.mixing = nn.ModuleList([TimeAttention(inner, heads) for _ in range(layers + 1)])
        self.grow = nn.Conv2d(inner, outer, 3, padding=1)
        self.up = nn.ModuleList([SpaceTimeBlock(2 * outer if i == 0 else outer, outer, width) for i in range(layers)])
        self.leave = nn.Sequential(
            nn.GroupNorm(GROUPS, outer), nn.SiLU(), nn.Conv2d(outer, latent_channels, 3, padding=1)
        )
        last = cast(nn.Conv2d, self.leave[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, noisy: Tensor, level: Tensor, reference: Tensor, motion: Tensor, expected: Tensor) -> Tensor:
        """Return EDM's raw network output ``(B, F, C, h, w)``; the scheduler makes the clean residual of it.

        Args:
            noisy: the noisy residual as EDM scales it for the network, ``(B, F, C, h, w)``.
            level: a quarter of the logarithm of the noise level, ``(B,)``.
            reference: latent of the reference frame, ``(B, C, h, w)``.
            motion: codes, ``(B, F, D)``.
            expected: the transport's prediction relative to the reference, ``(B, F, C, h, w)`` in latent units.
        """
        frames = noisy.shape[1]
        given = torch.cat([noisy, expected, reference[:, None].expand_as(noisy)], dim=2).flatten(0, 1)
        embedded = self.level(waves(level).to(noisy.dtype))[:, None] + self.code(motion)
        embedded = F.silu(embedded).flatten(0, 1)
        x = self.enter(given)
        for block in self.down:
            x = self._through(block, x, embedded, frames)
        skip = x
        x = self.shrink(x)
        for block, mixing in zip(self.middle, self.mixing, strict=True):
            x = mixing(self._through(block, x, embedded, frames), frames)
        x = torch.cat([self.grow(F.interpolate(x, size=skip.shape[-2:], mode="nearest")), skip], dim=1)
        for block in self.up:
            x = self._through(block, x, embedded, frames)
        found: Tensor = self.leave(x).unflatten(0, (-1, frames))
        return found

    def _through(self, block: nn.Module, x: Tensor, embedded: Tensor, frames: int) -> Tensor:
        if self.training and self.gradient_checkpointing:
            again: Tensor = self._gradient_checkpointing_func(block, x, embedded, frames)
            return again
        once: Tensor = block(x, embedded, frames)
        return once


def waves(level: Tensor) -> Tensor:
    """Return sines and cosines ``(B, 16)`` of noise levels ``(B,)`` as `ResidualDenoiser` takes them."""
    rates = 2.0 ** torch.arange(GROUPS, device=level.device)
    angles = level.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class SpaceTimeBlock(nn.Module):
    """A residual block: a 3 x 3 convolution in each frame, one over three frames at each place, another 3 x 3 one.

    Args:
        channels: of the features that come in.
        out: of those that go out.
        embedding: length of what scales and shifts each frame's features (FiLM, arXiv 1709.07871).
    """

    def __init__(self, channels: int, out: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, channels), nn.GroupNorm(GROUPS, out)
        self.conv1, self.conv2 = nn.Conv2d(channels, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.time = nn.Conv2d(3 * out, out, 1)
        self.film = nn.Linear(embedding, 2 * out)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        for layer in (self.conv2, self.time):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, x: Tensor, embedded: Tensor, frames: int) -> Tensor:
        """Map features ``(B F, C, h, w)`` and embeddings ``(B F, E)`` to ``(B F, out, h, w)``; ``frames`` is F."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time(neighbours(hidden, frames))
        scale, shift = self.film(embedded)[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm2(hidden) * (1 + scale) + shift
        added: Tensor = self.skip(x) + self.conv2(F.silu(hidden))
        return added


def neighbours(x: Tensor, frames: int) -> Tensor:
    """Return every frame's features with those of the frames before and after it: ``(B F, C, h, w)`` to ``3 C``.

    The first and the last frame are their own neighbours. A 1 x 1 convolution of it is one over time.
    """
    clips = x.unflatten(0, (-1, frames))
    before = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
    after = torch.cat([clips[:, 1:], clips[:, -1:]], dim=1)
    return torch.cat([before, clips, after], dim=2).flatten(0, 1)


class TimeAttention(nn.Module):
    """Lets every frame see all others: attention over time among the frames' spatial means, added to all places."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.inside = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map features ``(B F, C, h, w)`` to features of the same shape; ``frames`` is F."""
        means = self.norm(x.mean((2, 3)).unflatten(0, (-1, frames)))
        parts = self.inside(means).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts.unbind(0))
        added: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return x + added.flatten(0, 1)[:, :, None, None]
