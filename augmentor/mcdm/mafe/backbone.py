"""MAFE's backbone: a convolution pyramid of each frame, then two stages in which the frames look at each other."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from .attention import EPS, InterFrameLayer, Windows

LEVELS = 3  # of the pyramid; the two stages of attention follow at strides 8 and 16


def conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution with its activation."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.PReLU(after))


def initialise(module: nn.Module) -> None:
    """Draw fresh weights: linear maps with deviation 0.02, convolutions by what leaves them (He et al., 2015)."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class CrossScaleEmbedding(nn.Module):
    """Brings all levels of the pyramid to the next stride: dilated convolutions of each, mixed at every place.

    The finer a level, the more convolutions look at it, with dilations 1, 2, ...: one at the coarsest, two, four.

    Args:
        levels: channels of the pyramid's levels, fine to coarse.
        channels: that leave.
    """

    def __init__(self, levels: list[int], channels: int) -> None:
        super().__init__()
        each = levels[0]
        self.looks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(before, each, 3, 2 ** (back + 1), dilation, dilation) for dilation in range(1, 2**back + 1)
            )
            for back, before in enumerate(reversed(levels))
        )
        self.mix = nn.Conv2d(each * (2 ** len(levels) - 1), channels, 1)
        self.norm = nn.LayerNorm(channels)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Map the levels, fine to coarse, each ``(B, C, H, W)``, to ``(B, h, w, C)`` at half the coarsest's side."""
        seen = [
            look(level)
            for looks, level in zip(self.looks, reversed(pyramid), strict=True)
            for look in cast(nn.ModuleList, looks)
        ]
        mixed: Tensor = self.norm(self.mix(torch.cat(seen, dim=1)).permute(0, 2, 3, 1))
        return mixed


class OverlapEmbedding(nn.Module):
    """Halves the side by patches of 3 x 3 places that overlap."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(before, channels, 3, 2, 1)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, h, w, C)``."""
        embedded: Tensor = self.norm(self.patch(x).permute(0, 2, 3, 1))
        return embedded


class AttentionStage(nn.Module):
    """Layers of inter-frame attention, every other one in shifted windows, and a norm of what leaves them.

    Args:
        channels: of the features; all layers' motion features together have as many.
        depth: layers.
        heads: attention heads.
        side: of the map.
        window: side of a window; a shifted one is moved by half of it, in a map of a single window, too.
    """

    def __init__(self, channels: int, depth: int, heads: int, side: int, window: int) -> None:
        super().__init__()
        shifts = [window // 2 if layer % 2 else 0 for layer in range(depth)]
        self.layers = nn.ModuleList(
            InterFrameLayer(channels, channels // depth, heads, Windows(side, window, shift)) for shift in shifts
        )
        self.norm = nn.LayerNorm(channels, eps=EPS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(2 B, h, w, C)`` to appearance and motion features, both ``(2 B, C, h, w)``."""
        motions = []
        for layer in self.layers:
            x, motion = layer(x)
            motions.append(motion)
        return self.norm(x).permute(0, 3, 1, 2), torch.cat(motions, dim=-1).permute(0, 3, 1, 2)


class Backbone(nn.Module):
    """The features of two frames, after EMA-VFI (arXiv 2303.00440).

    Args:
        frame: channels of a frame.
        channels: of the five levels.
        depths: layers of the five levels.
        heads: attention heads of the last two.
        size: side of a frame.
        window: side of an attention window.
    """

    def __init__(
        self, frame: int, channels: list[int], depths: tuple[int, ...], heads: tuple[int, ...], size: int, window: int
    ) -> None:
        super().__init__()
        self.pyramid = nn.ModuleList()
        for level in range(LEVELS):
            before, after = (frame, *channels)[level], channels[level]
            first = conv(before, after, stride=2 if level else 1)
            more = depths[level] if level else depths[level] - 1  # below the frame's side the strided one comes on top
            self.pyramid.append(nn.Sequential(first, *(conv(after, after) for _ in range(more))))
        self.embed = nn.ModuleList(
            [CrossScaleEmbedding(channels[:LEVELS], channels[3]), OverlapEmbedding(channels[3], channels[4])]
        )
        self.stages = nn.ModuleList(
            AttentionStage(channels[level], depths[level], heads[level - LEVELS], size // 2**level, window)
            for level in (3, 4)
        )
        self.apply(initialise)

    def forward(self, first: Tensor, second: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return pyramid, appearance and motion features, fine to coarse; the first frames lie before the second."""
        x = torch.cat([first, second])
        pyramid = []
        for level in self.pyramid:
            x = level(x)
            pyramid.append(x)
        fine, fine_motion = self.stages[0](self.embed[0](pyramid))
        coarse, coarse_motion = self.stages[1](self.embed[1](fine))
        return pyramid, [fine, coarse], [fine_motion, coarse_motion]
