"""From features to flow: warping, merging, and the heads that estimate both flows and the share of each frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbone import conv

STATE = 5  # channels of a state: the flows from the middle frame to the first and to the second, and a logit
GAIN = 10.0  # of frames and state in fresh weights: what moves changes a frame by hundredths, features by ones


def resize(x: Tensor, factor: float) -> Tensor:
    """Interpolate maps ``(B, C, H, W)`` linearly to ``factor`` times their side."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False) if factor != 1 else x


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Backward-warp ``image (B, C, H, W)`` by ``flow (B, 2, H, W)`` in pixels: ``out(x) = image(x + flow(x))``."""
    height, width = image.shape[-2:]
    ys = torch.linspace(-1, 1, height, device=flow.device, dtype=flow.dtype)[:, None]
    xs = torch.linspace(-1, 1, width, device=flow.device, dtype=flow.dtype)[None, :]
    grid = torch.stack([xs + flow[:, 0] * (2 / (width - 1)), ys + flow[:, 1] * (2 / (height - 1))], dim=-1)
    return F.grid_sample(image, grid.to(image.dtype), padding_mode="border", align_corners=True)


def merge(first: Tensor, second: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Merge both warped frames to the middle one.

    Args:
        first: ``(B, C, H, W)``.
        second: the same.
        state: two flows and a logit, ``(B, 5, H, W)``: the logit's sigmoid is the share of the first frame.

    Returns:
        The merged frame ``(B, C, H, W)``, and the warped ones, ``(B, 2 C, H, W)``.
    """
    one, two = warp(first, state[:, 0:2]), warp(second, state[:, 2:4])
    share = state[:, 4:5].sigmoid()
    return one * share + two * (1 - share), torch.cat([one, two], dim=1)


class FlowHead(nn.Module):
    """Adds to the flows to both frames and to the merging logit, from features at one stride.

    The features come to a quarter of their stride by shuffling their channels into places; the frames, and what is
    estimated so far, are shrunk to meet them there. Fresh weights differ from EMA-VFI's: they look at these
    `GAIN` times as hard, and let flows to either side pass alike. A small network then learns flow sooner
    (``docs/evidence/bundled-generator.md`` has the figures and their commands).

    Args:
        features: channels of both frames' features together.
        frame: channels of a frame.
        hidden: channels in between.
        stride: of the features, at least 4.
        first: whether there is no estimate yet.
    """

    def __init__(self, features: int, frame: int, hidden: int, stride: int, *, first: bool = False) -> None:
        super().__init__()
        self.stride = stride
        images = 2 * frame if first else 4 * frame + STATE
        self.shuffle = nn.Sequential(nn.PixelShuffle(2), nn.PixelShuffle(2))
        self.net = nn.Sequential(conv(features // 16 + images, hidden), conv(hidden, hidden), conv(hidden, STATE))
        with torch.no_grad():
            self.net.get_parameter("0.0.weight")[:, features // 16 :] *= GAIN
            self.net.get_parameter("2.1.weight").fill_(1)

    def forward(self, features: Tensor, first: Tensor, second: Tensor, state: Tensor | None) -> Tensor:
        """Return the next state ``(B, 5, H, W)``.

        Args:
            features: of both frames, ``(B, C, h, w)`` at this stride.
            first: the first frames ``(B, c, H, W)``.
            second: the second frames.
            state: the estimate so far; None before the first one.
        """
        factor = self.stride // 4
        images = [first, second]
        if state is not None:
            images += [merge(first, second, state)[1], state[:, 4:5]]
        parts = [self.shuffle(features), resize(torch.cat(images, dim=1), 1 / factor)]
        if state is not None:
            parts.append(resize(state[:, :4], 1 / factor) / factor)  # flows are in pixels of the map that they are on
        step = resize(self.net(torch.cat(parts, dim=1)), factor)
        step = torch.cat([step[:, :4] * factor, step[:, 4:]], dim=1)
        return step if state is None else state + step
