"""The refinement: a U-Net that corrects the merged frame by both frames' features, moved to where the flows say."""

import torch
from torch import Tensor, nn

from .backbone import conv, initialise
from .heads import STATE, resize, warp


def warp_features(levels: list[Tensor], flows: Tensor) -> list[Tensor]:
    """Warp features of both frames to the middle one.

    Args:
        levels: of both frames, fine to coarse, ``(2 B, C, h, w)`` each; a level's side is half of the one's before.
        flows: from the middle frame to the first and the second in pixels, ``(B, 4, H, W)``.

    Returns:
        A level's features of both frames, ``(B, 2 C, h, w)`` each.
    """
    found = []
    for level in levels:
        first, second = level.chunk(2)
        found.append(torch.cat([warp(first, flows[:, 0:2]), warp(second, flows[:, 2:4])], dim=1))
        flows = resize(flows, 0.5) * 0.5
    return found


def down(before: int, after: int) -> nn.Sequential:
    """Return two convolutions, the first of which halves the side."""
    return nn.Sequential(conv(before, after, stride=2), conv(after, after))


def up(before: int, after: int) -> nn.Sequential:
    """Return a transposed convolution that doubles the side."""
    return nn.Sequential(nn.ConvTranspose2d(before, after, 4, 2, 1), nn.PReLU(after))


class Refinement(nn.Module):
    """A U-Net of four levels; each gets the warped features of the backbone's level of its side.

    Args:
        frame: channels of a frame.
        width: channels of the backbone's first level.
    """

    def __init__(self, frame: int, width: int) -> None:
        super().__init__()
        sizes = [4 * width * 2**level for level in range(4)]
        entering = [2 * width + 4 * frame + STATE, *(2 * size for size in sizes[:3])]
        self.downs = nn.ModuleList(down(*ends) for ends in zip(entering, sizes, strict=True))
        leaving = [sizes[2], sizes[1], sizes[0], 2 * width]
        self.ups = nn.ModuleList(up(2 * size, out) for size, out in zip(reversed(sizes), leaving, strict=True))
        self.leave = nn.Conv2d(2 * width, frame, 3, 1, 1)
        self.apply(initialise)

    def forward(self, images: Tensor, features: list[Tensor]) -> Tensor:
        """Return the correction ``(B, c, H, W)``, between -1 and 1.

        Args:
            images: both frames, both warped ones, the logit and the flows, ``(B, 4 c + 5, H, W)``.
            features: five levels of warped features (`warp_features`).
        """
        x, skips = images, []
        for step, level in zip(self.downs, features[:4], strict=True):
            x = step(torch.cat([x, level], dim=1))
            skips.append(x)
        meets = [features[4], *reversed(skips[:3])]
        for step, met in zip(self.ups, meets, strict=True):
            x = step(torch.cat([x, met], dim=1))
        correction: Tensor = self.leave(x).sigmoid() * 2 - 1
        return correction
