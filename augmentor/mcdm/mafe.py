"""MAFE, the Motion and Appearance Feature Extractor: one attention map yields both."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


@dataclass
class MAFEOutput:
    """What MAFE finds in a pair of frames, each ``(B, 1, H, W)``.

    Attributes:
        frame: the interpolated middle frame ``(B, 1, H, W)``, in [0, 1].
        merges: the frame merged from both warped ones after each flow estimate, coarse to fine.
        flow: from the first frame to the second in pixels, ``(B, 2, H, W)``, channels x and y.
        motion: motion features of each transformer stage, both directions, ``(B, 2, C, h, w)``.
        appearance: of each frame, ``(B, 2, C)``: the mean of the last stage's attended values.
    """

    frame: Tensor
    merges: list[Tensor]
    flow: Tensor
    motion: list[Tensor]
    appearance: Tensor

    @property
    def vector(self) -> Tensor:
        """The motion vector ``(B, D)``: spatial means of both stages' motion features, both directions."""
        return torch.cat([stage.mean((3, 4)).flatten(1) for stage in self.motion], dim=1)


class MAFE(ModelMixin, ConfigMixin):
    """Interpolates the frame between two frames of a video; its features separate motion from appearance.

    Backbone after EMA-VFI (Zhang et al., CVPR 2023, arXiv 2303.00440): a shared convolution pyramid, then two
    transformer stages with inter-frame attention in windows. Used for echocardiography by MCDM (arXiv 2512.09418).

    Args:
        width: F; channels are ``F * (1, 2, 4, 8, 16)`` at strides 1, 2, 4, 8, 16.
        depths: layers of the three convolution and the two transformer stages.
        heads: attention heads of the two transformer stages.
        window: side of the attention window; the feature maps at strides 8 and 16 must be multiples of it.
        size: side of the square frames.
        embedding: length of the re-ID model's embedding that appearance is trained against.

    >>> mafe = MAFE(width=8, depths=(1, 1, 1, 1, 1), heads=(2, 4)).eval()
    >>> first, second = torch.rand(2, 3, 1, 112, 112)
    >>> output = mafe(first, second)
    >>> output.frame.shape, output.flow.shape
    (torch.Size([3, 1, 112, 112]), torch.Size([3, 2, 112, 112]))
    >>> mafe.motion_vector(first, second).shape == (3, mafe.vector_size)
    True
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        width: int = 32,
        depths: tuple[int, ...] = (2, 2, 2, 4, 4),
        heads: tuple[int, ...] = (8, 16),
        window: int = 7,
        size: int = 112,
        embedding: int = 64,
    ) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(5)]
        self.pyramid = nn.ModuleList(
            [
                _conv_stage(1 if level == 0 else channels[level - 1], channels[level], depths[level], 1 + (level > 0))
                for level in range(3)
            ]
        )
        self.down = nn.ModuleList([nn.Conv2d(channels[2 + k], channels[3 + k], 3, 2, 1) for k in range(2)])
        self.stages = nn.ModuleList(
            [
                nn.ModuleList(
                    [
                        InterFrameLayer(channels[3 + k], heads[k], window, size // (8 * 2**k), shift=bool(layer % 2))
                        for layer in range(depths[3 + k])
                    ]
                )
                for k in range(2)
            ]
        )
        motion = [depths[3 + k] * channels[3 + k] // 4 for k in range(2)]
        self.flow_heads = nn.ModuleList(
            [
                FlowHead(2 * (channels[4] + motion[1]), channels[3], 16, first=True),
                FlowHead(2 * (channels[3] + motion[0]), channels[3], 8),
            ]
        )
        self.refine = Refine(channels[:3])
        self.reid_head = nn.Linear(channels[4], embedding)

    @property
    def vector_size(self) -> int:
        """Length of the motion vector: 1536 at width 32 and depths (.., 4, 4)."""
        width, depths = self.config["width"], self.config["depths"]
        return int(2 * (depths[3] * 2 * width + depths[4] * 4 * width))

    def features(self, first: Tensor, second: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return pyramid, attended values and motion features; both frames lie along the batch, first frames first."""
        x = torch.cat([first, second])
        pyramid = []
        for stage in self.pyramid:
            x = stage(x)
            pyramid.append(x)
        values, motions = [], []
        for down, layers in zip(self.down, self.stages, strict=True):
            x = down(x)
            parts = []
            for layer in cast(nn.ModuleList, layers):
                x, motion = layer(x)
                parts.append(motion)
            values.append(x)
            motions.append(torch.cat(parts, dim=1))
        return pyramid, values, motions

    def states(self, first: Tensor, second: Tensor, values: list[Tensor], motions: list[Tensor]) -> list[Tensor]:
        """Return flows from the middle frame to both ends and the merging logit, ``(B, 5, H, W)``, coarse to fine."""
        states: list[Tensor] = []
        for head, value, motion in zip(self.flow_heads, values[::-1], motions[::-1], strict=True):
            both = torch.cat([*value.chunk(2), *motion.chunk(2)], dim=1)
            states.append(head(both, first, second, states[-1] if states else None))
        return states

    def flow(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the flow from ``first`` to ``second`` in pixels, ``(B, 2, H, W)``; no middle frame is drawn."""
        _, values, motions = self.features(first, second)
        state = self.states(first, second, values, motions)[-1]
        return state[:, 2:4] - state[:, 0:2]

    def forward(self, first: Tensor, second: Tensor) -> MAFEOutput:
        """Interpolate halfway between ``first`` and ``second``, each ``(B, 1, H, W)`` in [0, 1]."""
        pyramid, values, motions = self.features(first, second)
        states = self.states(first, second, values, motions)
        merges = [merge(first, second, state)[0] for state in states]
        state = states[-1]
        merged, warped = merge(first, second, state)
        frame = (merged + self.refine(pyramid, first, second, warped, state)).clamp(0, 1)
        appearance = torch.stack([item.mean((2, 3)) for item in values[-1].chunk(2)], dim=1)
        return MAFEOutput(
            frame=frame,
            merges=merges,
            # The state holds the flows from the middle frame to both ends; their difference leads from end to end.
            flow=state[:, 2:4] - state[:, 0:2],
            motion=[torch.stack(motion.chunk(2), dim=1) for motion in motions],
            appearance=appearance,
        )

    def motion_vector(self, first: Tensor, second: Tensor, *, flip: bool = False) -> Tensor:
        """Return the pair's motion vector ``(B, D)``; ``flip`` appends that of the mirrored pair, ``(B, 2 D)``."""
        pairs = [(first, second)] + ([(first.flip(-1), second.flip(-1))] if flip else [])
        vectors = []
        for a, b in pairs:
            _, _, motions = self.features(a, b)
            stages = [torch.stack(motion.chunk(2), dim=1).mean((3, 4)).flatten(1) for motion in motions]
            vectors.append(torch.cat(stages, dim=1))
        return torch.cat(vectors, dim=1)


def _conv_stage(before: int, after: int, depth: int, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [
            nn.Conv2d(before if index == 0 else after, after, 3, stride if index == 0 else 1, 1),
            nn.PReLU(after),
        ]
    return nn.Sequential(*layers)


class InterFrameLayer(nn.Module):
    """Attention from each frame to the other in (shifted) windows, then a feed-forward layer.

    Args:
        channels: channels of the features.
        heads: attention heads.
        window: side of a window.
        side: side of the feature map, a multiple of ``window``.
        shift: shift the windows by half, if there is more than one.
    """

    grid: Tensor

    def __init__(self, channels: int, heads: int, window: int, side: int, *, shift: bool) -> None:
        super().__init__()
        self.heads, self.window, self.side = heads, window, side
        self.shift = window // 2 if shift and side > window else 0
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.coordinates = nn.Linear(2, channels // 4, bias=False)
        self.motion = nn.Linear(channels // 4, channels // 4)
        self.norm_mlp = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))
        self.bias = nn.Parameter(torch.zeros(heads, window * window, window * window))
        line = torch.arange(window, dtype=torch.float32) / window
        grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).reshape(-1, 2)
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(2 B, C, h, w)`` to features of the same shape and motion ``(2 B, C/4, h, w)``."""
        windows = self._split(x)
        normed = self.norm(windows)
        half = len(normed) // 2
        other = torch.cat([normed[half:], normed[:half]])
        query, (key, value) = self.query(normed), self.key_value(other).chunk(2, dim=-1)
        query, key, value = (self._heads(item) for item in (query, key, value))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + self.bias
        # Shifted windows wrap around at the border; far coordinates are harmless there: the heart is in the middle.
        attention = scores.softmax(-1)
        windows = windows + self.out((attention @ value).transpose(1, 2).flatten(2))
        windows = windows + self.mlp(self.norm_mlp(windows))
        # Attended coordinates minus own coordinates, per head, through a linear map of the two coordinates.
        embedded = self._heads(self.coordinates(self.grid)[None])
        motion = self.motion((attention @ embedded - embedded).transpose(1, 2).flatten(2))
        return self._join(windows), self._join(motion)

    def _heads(self, x: Tensor) -> Tensor:
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)

    def _split(self, x: Tensor) -> Tensor:
        x = x.roll((-self.shift, -self.shift), (2, 3)) if self.shift else x
        count = self.side // self.window
        x = x.reshape(len(x), -1, count, self.window, count, self.window).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(-1, self.window**2, x.shape[-1])

    def _join(self, windows: Tensor) -> Tensor:
        count = self.side // self.window
        x = windows.reshape(-1, count, count, self.window, self.window, windows.shape[-1]).permute(0, 5, 1, 3, 2, 4)
        x = x.reshape(len(x), -1, self.side, self.side)
        return x.roll((self.shift, self.shift), (2, 3)) if self.shift else x


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Backward-warp ``image (B, C, H, W)`` by ``flow (B, 2, H, W)`` in pixels: ``out(x) = image(x + flow(x))``."""
    height, width = image.shape[-2:]
    ys, xs = torch.meshgrid(
        torch.arange(height, device=image.device, dtype=flow.dtype),
        torch.arange(width, device=image.device, dtype=flow.dtype),
        indexing="ij",
    )
    grid = torch.stack([(xs + flow[:, 0]) * 2 / (width - 1) - 1, (ys + flow[:, 1]) * 2 / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid.to(image.dtype), padding_mode="border", align_corners=True)


def merge(first: Tensor, second: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Merge both warped frames to the middle one; also return these ``(B, 2, H, W)``. ``state``: two flows, a logit."""
    warped = torch.cat([warp(first, state[:, 0:2]), warp(second, state[:, 2:4])], dim=1)
    share = state[:, 4:5].sigmoid()
    return warped[:, :1] * share + warped[:, 1:] * (1 - share), warped


class FlowHead(nn.Module):
    """Adds to the flows to both frames and to the merging logit, from features at one stride."""

    def __init__(self, before: int, hidden: int, stride: int, *, first: bool = False) -> None:
        super().__init__()
        self.stride, self.first = stride, first
        # The images come in at the features' own resolution by pixel-unshuffling a quarter-size copy.
        images = (2 if first else 9) * (stride // 4) ** 2
        self.net = nn.Sequential(
            nn.Conv2d(before + images, hidden, 3, 1, 1),
            nn.PReLU(hidden),
            nn.Conv2d(hidden, hidden, 3, 1, 1),
            nn.PReLU(hidden),
            nn.Conv2d(hidden, 5 * (stride // 4) ** 2, 3, 1, 1),
        )

    def forward(self, features: Tensor, first: Tensor, second: Tensor, state: Tensor | None) -> Tensor:
        """Return the next state ``(B, 5, H, W)`` from ``features`` at this stride, both images and the state so far."""
        parts = [first, second]
        if state is not None:
            parts += [merge(first, second, state)[1], state]
        quarter = F.interpolate(torch.cat(parts, dim=1), scale_factor=0.25, mode="area")
        step = self.net(torch.cat([features, F.pixel_unshuffle(quarter, self.stride // 4)], dim=1))
        step = F.pixel_shuffle(step, self.stride // 4)
        step = F.interpolate(step, scale_factor=4, mode="bilinear", align_corners=False)
        return step if state is None else state + step


class Refine(nn.Module):
    """A small U-Net that corrects the merged frame; the correction is bounded to half the intensity range."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        first, second, third = channels
        self.bottom = nn.Sequential(nn.Conv2d(2 * third, second, 3, 1, 1), nn.PReLU(second))
        self.middle = nn.Sequential(nn.Conv2d(3 * second, first, 3, 1, 1), nn.PReLU(first))
        self.top = nn.Sequential(
            nn.Conv2d(first + 9, 2 * first, 3, 1, 1), nn.PReLU(2 * first), nn.Conv2d(2 * first, 1, 3, 1, 1)
        )

    def forward(self, pyramid: list[Tensor], first: Tensor, second: Tensor, warped: Tensor, state: Tensor) -> Tensor:
        """Return the correction ``(B, 1, H, W)``, within -0.5 and 0.5."""
        _, half, quarter = (torch.cat(level.chunk(2), dim=1) for level in pyramid)
        x = F.interpolate(self.bottom(quarter), scale_factor=2)
        x = F.interpolate(self.middle(torch.cat([x, half], dim=1)), scale_factor=2)
        x = self.top(torch.cat([x, first, second, warped, state], dim=1))
        correction: Tensor = x.tanh() / 2
        return correction
