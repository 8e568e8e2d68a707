"""Motion transport: motion codes that suit any heart, and the motion that they give to an appearance donor."""

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

from echo_augment.cache.arguments import check_choice

from .flow import SHRINK

NOISE = 0.05  # added to codes in training, so that nothing can hide in their last digits
FLOWS = ("mafe", "teacher")  # whose flow fields are read; "teacher" is the flow estimator
CENTRE, RADIUS = (0.5, 0.475), 0.38  # of what the encoder sees of a frame, in shares of its side; x before y


class MotionTransport(ModelMixin, ConfigMixin):
    """Reads motion codes off flow fields, and moves the appearance donor's latent by a code.

    EF is relative: a displacement in pixels is another contraction in a larger heart, so codes in pixels do not travel.
    Here the code is learned behind a bottleneck: an encoder sees an *affine copy* of a heart (its flow, ED frame and
    moved frame), a predictor sees that code and the latent of the heart itself, and both are trained so that the
    prediction is the heart's own moving frame. So a code gains nothing from what the copy changed (size, place, tilt,
    proportions, light) and keeps what an affine map leaves alone, as EF is. The encoder looks through a soft disk,
    elsewhere and of another size for every copy: the sector's outline would tell it the copy's scale. No labels. How
    far that goes, ``echo-augment fidelity`` measures.

    This project's own; the reference (MCDM, arXiv 2512.09418) has one vector a clip and nothing of the kind.

    Args:
        code_size: numbers in a code.
        width: channels of the predictor, a multiple of 8; the encoder has half as many.
        latent_channels: the codec's.
        side: side of a flow field, a quarter of a frame's.
        scale: standard deviation of the latents relative to the ED frame's.
        flow: whose flow fields it reads: ``"mafe"``, or the ``"teacher"``'s that MAFE learned from
            (`echo_augment.augmentor.mcdm.flow.FlowEstimator`); a small MAFE's are the poorer ones.

    Raises:
        EchoAugmentError: ``flow`` is neither of the two.

    >>> transport = MotionTransport(code_size=8, width=16).eval()
    >>> codes = transport.encode(flow=torch.zeros(5, 2, 28, 28), frames=torch.rand(5, 2, 28, 28))
    >>> codes.shape
    torch.Size([5, 8])
    >>> transport.predict(reference=torch.rand(1, 4, 14, 14), codes=codes[None]).shape
    torch.Size([1, 5, 4, 14, 14])
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        code_size: int = 8,
        width: int = 48,
        latent_channels: int = 4,
        side: int = 28,
        scale: float = 1.0,
        flow: str = "mafe",
    ) -> None:
        super().__init__()
        check_choice("transport.flow", flow, FLOWS)
        inner, last = width // 2, -(-side // 4)
        self.encoder = nn.Sequential(
            nn.Conv2d(4, inner, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(inner, inner, 3, stride=2, padding=1),
            nn.GroupNorm(4, inner),
            nn.SiLU(),
            nn.Conv2d(inner, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GroupNorm(4, width),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * last * last, 128),
            nn.SiLU(),
            nn.Linear(128, code_size),
        )
        self.predictor = Predictor(code_size, width, latent_channels)

    @apply_forward_hook
    def encode(self, flow: Tensor, frames: Tensor, disks: Tensor | None = None) -> Tensor:
        """Return the codes ``(B, D)`` of moved frames.

        Args:
            flow: from the ED frame, ``(B, 2, s, s)`` in pixels of the full frame; ``s`` is the network's ``side``.
            frames: the ED frame and the moved one, ``(B, 2, s, s)`` in [0, 1].
            disks: what is seen of them, ``(B, 1, s, s)`` in [0, 1]; by default a disk in the middle.
        """
        if disks is None:
            disks = soft_disk(flow.shape[-1], *CENTRE, RADIUS)[None, None].to(flow)
        codes: Tensor = self.encoder(torch.cat([flow * disks / SHRINK, frames * disks * 2 - 1], dim=1))
        return codes

    @apply_forward_hook
    def predict(self, reference: Tensor, codes: Tensor) -> Tensor:
        """Return latents relative to the reference's: ``(B, F, C, h, w)``.

        Args:
            reference: latents of the reference frames, ``(B, C, h, w)``.
            codes: ``(B, F, D)``.
        """
        frames = codes.shape[1]
        references = reference[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        moved: Tensor = self.predictor(references, codes.flatten(0, 1))
        clip: Tensor = moved.unflatten(0, (-1, frames))
        return clip * float(self.config["scale"])

    def forward(self, flow: Tensor, frames: Tensor, disks: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes ``(B, D)`` of what `encode` takes, and how they move latents ``(B, C, h, w)``."""
        codes = self.encode(flow, frames, disks)
        noisy = codes + NOISE * torch.randn_like(codes) if self.training else codes
        return codes, self.predict(reference, noisy[:, None])[:, 0]


class Predictor(nn.Module):
    """A small UNet of two levels; a code scales and shifts the features of every block (FiLM, arXiv 1709.07871)."""

    def __init__(self, code_size: int, width: int, latent_channels: int) -> None:
        super().__init__()
        inner = 2 * width
        self.embed = nn.Sequential(nn.Linear(code_size, inner), nn.SiLU(), nn.Linear(inner, inner), nn.SiLU())
        self.enter = nn.Conv2d(latent_channels + 2, width, 3, padding=1)
        self.first = Block(width, width, inner)
        self.down = nn.Conv2d(width, inner, 3, stride=2, padding=1)
        self.middle = nn.ModuleList([Block(inner, inner, inner), Block(inner, inner, inner)])
        self.up = nn.Conv2d(inner, width, 3, padding=1)
        self.last = nn.ModuleList([Block(inner, width, inner), Block(width, width, inner)])
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, latent_channels, 3, padding=1))

    def forward(self, reference: Tensor, code: Tensor) -> Tensor:
        """Map latents ``(B, C, h, w)`` and codes ``(B, D)`` to latents ``(B, C, h, w)``."""
        embedded = self.embed(code)
        skip = self.first(self.enter(torch.cat([reference, places(reference)], dim=1)), embedded)
        x = self.down(skip)
        for block in self.middle:
            x = block(x, embedded)
        x = torch.cat([self.up(F.interpolate(x, size=skip.shape[-2:])), skip], dim=1)
        for block in self.last:
            x = block(x, embedded)
        moved: Tensor = self.leave(x)
        return moved


class Block(nn.Module):
    """A residual block whose second normalisation is scaled and shifted by the code."""

    def __init__(self, channels: int, out: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, channels), nn.GroupNorm(8, out)
        self.conv1, self.conv2 = nn.Conv2d(channels, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * out)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Map features ``(B, C, h, w)`` and embedded codes ``(B, E)`` to ``(B, out, h, w)``."""
        scale, shift = self.film(embedded)[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        added: Tensor = self.skip(x) + self.conv2(F.silu(hidden))
        return added


def places(images: Tensor) -> Tensor:
    """Return the coordinates of every pixel of ``images (B, C, h, w)`` in [-1, 1], x then y: ``(B, 2, h, w)``."""
    height, width = images.shape[-2:]
    ys = torch.linspace(-1, 1, height, device=images.device, dtype=images.dtype)
    xs = torch.linspace(-1, 1, width, device=images.device, dtype=images.dtype)
    return torch.stack(torch.meshgrid(ys, xs, indexing="ij")).flip(0).expand(len(images), -1, -1, -1)


def small(frames: Tensor) -> Tensor:
    """Shrink frames ``(B, H, W)`` uint8 to the side of a flow field, ``(B, 1, H / 4, W / 4)`` in [0, 1]."""
    return F.avg_pool2d(frames[:, None].float() / 255, SHRINK)


def soft_disk(
    side: int, x: Tensor | float, y: Tensor | float, radius: Tensor | float, longer: Tensor | float = 1.0
) -> Tensor:
    """Return 1 in a disk and 0 outside, half a pixel soft: ``(side, side)``, or one for each of ``(N, 1, 1)`` numbers.

    Args:
        side: in pixels; the others are shares of it.
        x: centre of the disk, from the left.
        y: centre of the disk, from the top.
        radius: radius of the disk.
        longer: makes an ellipse of it: so many times as high, and as much narrower.
    """
    places = (torch.arange(side, device=x.device if isinstance(x, Tensor) else None) + 0.5) / side
    dx, dy = (places[None, :] - x) * longer, (places[:, None] - y) / longer
    return torch.sigmoid((radius - (dx**2 + dy**2).sqrt()) * 2 * side)
