"""Motion transport: motion codes that suit any heart, and the motion that they give to an appearance donor."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.cache.arguments import check_choice, check_whole
from echo_augment.cache.system.extras import needs

from .displacement import REACH, warped
from .flow import SHRINK
from .published.strict import StrictModel

with needs("generate"):
    from diffusers.configuration_utils import ConfigMixin, register_to_config
    from diffusers.models.modeling_utils import ModelMixin
    from diffusers.utils.accelerate_utils import apply_forward_hook

NOISE = 0.05  # added to codes in training, so that nothing can hide in their last digits
FLOWS = ("mafe", "teacher")  # whose flow fields are read; "teacher" is the flow estimator
CENTRE, RADIUS = (0.5, 0.475), 0.38  # of what the encoder sees of a frame, in shares of its side; x before y


class MotionTransport(StrictModel, ModelMixin, ConfigMixin):
    """Reads motion codes off flow fields, and moves the appearance donor's latent by a code.

    EF is relative: a displacement in pixels is another contraction in a larger heart, so codes in pixels do not travel.
    Here the code is learned behind a bottleneck: an encoder sees an *affine copy* of a heart (its flow, ED frame and
    moved frame), a predictor sees that code and the latent of the heart itself, and both are trained so that the
    prediction is the heart's own moving frame. So a code gains nothing from what the copy changed (size, place, tilt,
    proportions, light) and keeps what an affine map leaves alone, as EF is. The encoder looks through a soft disk,
    elsewhere and of another size for every copy: the sector's outline would tell it the copy's scale. No labels. How
    far that goes, ``echo-augment fidelity`` measures.

    The prediction has two parts: where the heart's tissue moves, a smooth and bounded field, by which its latent is
    warped and on which detail and masks of the reference frame ride (`echo_augment.augmentor.mcdm.displacement`); and
    what the latent becomes beyond that.

    This project's own; the reference (MCDM, arXiv 2512.09418) has one vector a clip and nothing of the kind.

    Args:
        code_size: numbers in a code.
        width: channels of the predictor, a multiple of 8; the encoder has half as many.
        latent_channels: the codec's.
        side: side of a flow field, a quarter of a frame's.
        scale: standard deviation of the latents relative to the ED frame's.
        flow: whose flow fields it reads: ``"mafe"``, or the ``"teacher"``'s that MAFE learned from
            (`echo_augment.augmentor.mcdm.flow.FlowEstimator`).
        features: channels of MAFE's motion features at half and at a quarter of ``side``, which the encoder reads
            beside the flow; none for codes of flow and frames alone.

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
        features: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        check_choice("transport.flow", flow, FLOWS)
        self.encoder = Encoder(code_size, width, side, tuple(features))
        self.predictor = Predictor(code_size, width, latent_channels)

    @apply_forward_hook
    def encode(
        self, flow: Tensor, frames: Tensor, disks: Tensor | None = None, features: Sequence[Tensor] = ()
    ) -> Tensor:
        """Return the codes ``(B, D)`` of moved frames.

        Args:
            flow: from the ED frame, ``(B, 2, s, s)`` in pixels of the full frame; ``s`` is the network's ``side``.
            frames: the ED frame and the moved one, ``(B, 2, s, s)`` in [0, 1].
            disks: what is seen of them, ``(B, 1, s, s)`` in [0, 1]; by default a disk in the middle.
            features: MAFE's motion features of the pair, ``(B, C, s / 2, s / 2)`` and ``(B, C, s / 4, s / 4)``.
        """
        if disks is None:
            disks = soft_disk(flow.shape[-1], *CENTRE, RADIUS)[None, None].to(flow).expand(len(flow), -1, -1, -1)
        seen = torch.cat([flow * disks / SHRINK, frames * disks * 2 - 1], dim=1)
        codes: Tensor = self.encoder(seen, [part * F.adaptive_avg_pool2d(disks, part.shape[-1]) for part in features])
        return codes

    @apply_forward_hook
    def predict(self, reference: Tensor, codes: Tensor) -> Tensor:
        """Return latents relative to the reference's: ``(B, F, C, h, w)``; arguments as `predict_both` takes them."""
        relative: Tensor = self.predict_both(reference, codes)[0]
        return relative

    @apply_forward_hook
    def predict_both(self, reference: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents relative to the reference's, and the displacement fields.

        Args:
            reference: latents of the reference frames, ``(B, C, h, w)``.
            codes: ``(B, F, D)``.

        Returns:
            ``(B, F, C, h, w)``; and ``(B, F, 2, 2 h, 2 w)``, from every place of a frame to where the reference shows
            the same tissue, x before y, in pixels of the full frame.
        """
        frames = codes.shape[1]
        references = reference[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        become, moves = self.predictor(references, codes.flatten(0, 1))
        become = become * float(self.config["scale"])
        side = SHRINK * int(self.config["side"])
        become = become + warped(references, moves.to(references.dtype), side=side) - references
        return become.unflatten(0, (-1, frames)), moves.unflatten(0, (-1, frames))

    def forward(
        self, flow: Tensor, frames: Tensor, disks: Tensor, reference: Tensor, features: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the codes ``(B, D)`` of what `encode` takes, how they move latents ``(B, C, h, w)``, and fields."""
        codes = self.encode(flow, frames, disks, features)
        noisy = codes + NOISE * torch.randn_like(codes) if self.training else codes
        become, moves = self.predict_both(reference, noisy[:, None])
        return codes, become[:, 0], moves[:, 0]


class Encoder(nn.Sequential):
    """Reads a code off flow and frames at ``side``; MAFE's motion features come in at half and a quarter of it."""

    def __init__(self, code_size: int, width: int, side: int, features: tuple[int, ...] = ()) -> None:
        inner, last = width // 2, -(-side // 4)
        super().__init__(
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
        if features:
            check_whole("transport.features", len(features), 2, 2)
            self.project = nn.ModuleList(
                [Projection(channels, out) for channels, out in zip(features, (inner, width), strict=True)]
            )

    def fit(self, features: Sequence[Tensor]) -> None:
        """Take the spread of motion features, ``(B, C, h, w)`` each, as their unit."""
        for projection, part in zip(self.project if features else (), features, strict=True):
            cast(Projection, projection).fit(part)

    def forward(self, seen: Tensor, features: Sequence[Tensor] = ()) -> Tensor:
        """Map flow and frames ``(B, 4, s, s)`` and motion features to codes ``(B, D)``."""
        x = seen
        for place, layer in enumerate(list(self)[:14]):
            x = layer(x)
            if features and place in ENTRANCES:  # the convolutions with stride
                entrance = ENTRANCES.index(place)
                x = x + self.project[entrance](features[entrance])
        return x


ENTRANCES = (2, 7)  # layers of an `Encoder` after which motion features come in


class Projection(nn.Module):
    """A linear map of motion features, each in units of its own spread."""

    spread: Tensor

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, out, 1)
        self.register_buffer("spread", torch.ones(channels))

    def fit(self, features: Tensor) -> None:
        """Take the spread of features ``(B, C, h, w)`` about zero, which is no motion, as their unit."""
        self.spread.copy_(features.float().pow(2).mean((0, 2, 3)).sqrt().clamp_min(1e-4))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, h, w)`` to ``(B, out, h, w)``."""
        mapped: Tensor = self.linear(features / self.spread[:, None, None])
        return mapped


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
        last = nn.Conv2d(width, 2 * 4, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        self.move = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), last, nn.PixelShuffle(2))

    def forward(self, reference: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents ``(B, C, h, w)`` and codes ``(B, D)`` to latents of that shape, and fields ``(B, 2, 2 h, 2 w)``.

        The fields are smooth and at most `REACH` pixels long in either direction.
        """
        embedded = self.embed(code)
        skip = self.first(self.enter(torch.cat([reference, places(reference)], dim=1)), embedded)
        x = self.down(skip)
        for block in self.middle:
            x = block(x, embedded)
        x = torch.cat([self.up(F.interpolate(x, size=skip.shape[-2:])), skip], dim=1)
        for block in self.last:
            x = block(x, embedded)
        moved: Tensor = self.leave(x)
        raw = F.avg_pool2d(F.pad(self.move(x).float(), (1, 1, 1, 1), mode="replicate"), 3, 1)
        return moved, REACH * torch.tanh(raw / REACH)


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
