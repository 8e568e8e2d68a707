"""What MAFE is trained by: the interpolated frame, the appearance of a re-ID model, an estimated flow.

The first is EMA-VFI's. MCDM's code names the other two and gives their weights, but the file that holds them is in none
of its commits, so their forms here are this project's reading. Where another reading is as good it can be chosen:
distances of the appearance as they are or of unit vectors, squared or as cosines; flows to both ends from the middle
frame or from the first frame to the second, in pixels or by the size of the motion. ``make mafe-forms`` compares them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from echo_augment.cache.arguments import check_choice

LEVELS = 4
DISTANCES = ("squared", "cosine")
TARGETS = ("ends", "pair")  # of the flow: middle frame to both ends, or the first frame to the second


def _blurring(side: int, like: Tensor) -> Tensor:
    """Return the matrix ``(side, side)`` that blurs a line of ``side`` places; borders are mirrored."""
    # 1, 4, 6, 4, 1 sixteenths, reckoned on the device: a step would wait for numbers that are copied there.
    distance = (torch.arange(5, device=like.device, dtype=like.dtype) - 2).abs()
    taps = (6 - 1.5 * distance - 0.5 * distance**2)[None, None] / 16
    places = torch.eye(side, device=like.device, dtype=like.dtype)[:, None]
    return F.conv1d(F.pad(places, (2, 2), mode="reflect"), taps)[:, 0].T


def blur(image: Tensor, gain: float = 1.0) -> Tensor:
    """Convolve ``(B, C, H, W)`` with the binomial 5 x 5 Gaussian, times ``gain``; borders are mirrored.

    As two products of matrices: a CPU is slow at the gradient of a convolution of one channel.
    """
    down, across = (_blurring(side, image) for side in image.shape[-2:])
    return gain * (down @ image @ across.T)


def bands(image: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """Return the bands of the Laplacian pyramid of ``(B, C, H, W)``, fine to coarse, without the low-pass rest.

    A band is what an image loses by being blurred, halved, and blown up again (Burt and Adelson, 1983). The sides must
    be even on every level that is halved, and at least 3 on each.
    """
    found = []
    for _ in range(levels):
        halved = blur(image)[:, :, ::2, ::2]
        spread = torch.zeros_like(image)
        spread[:, :, ::2, ::2] = halved
        found.append(image - blur(spread, gain=4.0))
        image = halved
    return found


def laplacian_loss(predicted: Tensor, target: Tensor, levels: int = LEVELS) -> Tensor:
    """Return the sum over the bands of the mean absolute difference; a difference in mean brightness costs nothing.

    EMA-VFI's, with 4 levels as MCDM has them: of 112 pixels a fifth cannot be made.
    """
    pairs = zip(bands(predicted, levels), bands(target, levels), strict=True)
    return torch.stack([(one - two).abs().mean() for one, two in pairs]).sum()


def reid_loss(appearance: Tensor, pseudo: Tensor, *, distance: str = "squared", unit: bool = True) -> Tensor:
    """Return the distance of appearance features to pseudo embeddings, both ``(B, 2, D)``.

    Args:
        appearance: MAFE's, through a linear head.
        pseudo: the re-ID model's of the same frames.
        distance: ``squared``, summed over the vector; or ``cosine``, one minus it, which is half the squared distance
            of unit vectors.
        unit: divide both by their lengths first; a cosine always does.

    Raises:
        EchoAugmentError: ``distance`` is neither of the two.
    """
    check_choice("distance", distance, DISTANCES)
    if distance == "cosine":
        return (1 - F.cosine_similarity(appearance, pseudo, dim=-1)).mean()
    if unit:
        appearance, pseudo = F.normalize(appearance, dim=-1), F.normalize(pseudo, dim=-1)
    return (appearance - pseudo).pow(2).sum(-1).mean()


def flow_loss(flow: Tensor, pseudo: Tensor, *, unit: bool = True) -> Tensor:
    """Return the mean absolute difference of flow fields ``(B, C, H, W)`` in pixels.

    Args:
        flow: MAFE's.
        pseudo: the flow estimator's.
        unit: divide both by the pseudo field's root mean square, at least 0.25 pixels: small motion then counts as
            much as large.
    """
    if not unit:
        return (flow - pseudo).abs().mean()
    scale = pseudo.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp_min(0.25)
    return ((flow - pseudo) / scale).abs().mean()
