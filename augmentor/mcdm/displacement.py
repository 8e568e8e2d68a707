"""Displacement fields: what of the reference frame shows where, and what rides on them to the frames of a clip."""

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 20.0  # pixels: no tissue moves farther within a beat
INVERSIONS = 12  # steps of the fixed point
LEAST_STRETCH, ENOUGH_STRETCH = 0.15, 0.4  # of the Jacobian: below the first tissue folds, above the second none does
BLUR = 2.5  # pixels: what is broader is the codec's business


def enlarged(fields: Tensor, side: int) -> Tensor:
    """Enlarge fields ``(N, C, h, w)`` smoothly, by cubic interpolation, to ``(N, C, side, side)``."""
    if fields.shape[-1] == side:
        return fields
    return F.interpolate(fields, size=(side, side), mode="bicubic", align_corners=False)


def warped(images: Tensor, displacements: Tensor, *, side: int, mode: str = "bilinear") -> Tensor:
    """Return what images show where they are displaced: ``out(x) = image(x + displacement(x))``.

    Args:
        images: ``(N, C, H, W)``, of any size.
        displacements: ``(N, 2, h, w)``, x before y, in pixels of a frame; enlarged to the images' size.
        side: of that frame.
        mode: how images are read between their pixels: ``bilinear`` or ``bicubic``.

    Returns:
        ``(N, C, H, W)``; beyond the border the image goes on as it ends there.
    """
    height, width = images.shape[-2:]
    moves = enlarged(displacements, width).to(images.dtype) * 2 / side
    ys = (torch.arange(height, device=images.device, dtype=images.dtype) + 0.5) * 2 / height - 1
    xs = (torch.arange(width, device=images.device, dtype=images.dtype) + 0.5) * 2 / width - 1
    grid = torch.stack([xs + moves[:, 0], ys[:, None] + moves[:, 1]], dim=-1)
    return F.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


def inverted(flows: Tensor, *, side: int) -> tuple[Tensor, Tensor]:
    """Return the displacements that undo flows, and where: a flow says where a pixel goes, they say whence it came.

    Args:
        flows: from the reference frame to another one, ``(N, 2, h, w)`` in pixels of a frame.
        side: of that frame.

    Returns:
        Displacements ``(N, 2, h, w)`` in the same unit, by a fixed point iteration; and ``(N, 1, h, w)`` bool, true
        where it has come to rest within half a pixel.
    """
    found = -flows
    for _ in range(INVERSIONS):
        last, found = found, -warped(flows, found, side=side)
    return found, (found - last).norm(dim=1, keepdim=True) < 0.5


def jacobian(displacements: Tensor, *, side: int) -> Tensor:
    """Return the determinant of the Jacobian of ``x + displacement(x)``: ``(N, 1, h, w)``; 1 where nothing stretches.

    Args:
        displacements: ``(N, 2, h, w)`` in pixels of a frame.
        side: of that frame.
    """
    step = side / displacements.shape[-1]
    padded = F.pad(displacements, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / (2 * step)
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / (2 * step)
    return (1 + across[:, :1]) * (1 + down[:, 1:]) - down[:, :1] * across[:, 1:]


def unfolded(displacements: Tensor, *, side: int) -> Tensor:
    """Return 1 where tissue only moves, less where it is squeezed to a fold, 0 in it: ``(N, 1, h, w)``.

    There a displacement says no longer which tissue is seen, and detail carried by it would be smeared.
    """
    squeeze = jacobian(displacements, side=side)
    return ((squeeze - LEAST_STRETCH) / (ENOUGH_STRETCH - LEAST_STRETCH)).clamp(0, 1)


def blurred(images: Tensor, sigma: float = BLUR) -> Tensor:
    """Blur images ``(N, C, H, W)`` by a Gaussian of ``sigma`` pixels; the border goes on as it ends."""
    reach = int(3 * sigma + 0.5)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sigma) ** 2).to(images.dtype)
    line = (weights / weights.sum())[None, None]
    flat = F.pad(images.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(flat, line[:, :, None]), line[..., None]).view_as(images)


def fine_detail(references: Tensor, restored: Tensor) -> Tensor:
    """Return what a codec takes from reference frames and is finer than it can hold, ``(B, H, W)`` in grey levels.

    Args:
        references: ``(B, H, W)`` uint8.
        restored: their codec round trip, ``(B, H, W)`` uint8.
    """
    lost = (references.float() - restored.float())[:, None]
    return (lost - blurred(lost))[:, 0]


def carry_detail(decoded: Tensor, detail: Tensor, displacements: Tensor) -> Tensor:
    """Let the fine detail of the reference frames ride on the displacement of each frame.

    A codec that shrinks 112 x 112 pixels to 4 x 14 x 14 numbers cannot hold speckle; the reference frame has that of
    exactly this heart. What a clip shows on the codec's scale stays as it is; where the field folds nothing is added.

    Args:
        decoded: clips ``(B, T, H, W)`` uint8 from the codec.
        detail: as `fine_detail` returns it.
        displacements: ``(B, T, 2, h, w)`` in pixels.

    Returns:
        ``(B, T, H, W)`` uint8.
    """
    batch, frames, side = *decoded.shape[:2], decoded.shape[-1]
    fields = displacements.flatten(0, 1).float()
    given = detail[:, None].expand(-1, frames, -1, -1).flatten(0, 1)[:, None]
    share = enlarged(unfolded(fields, side=side), side).clamp(0, 1)
    moved = warped(given, fields, side=side, mode="bicubic") * share
    clips = decoded.float() + moved.view(batch, frames, side, side)
    return clips.round().clamp(0, 255).to(torch.uint8)


def carry_masks(masks: Tensor, displacements: Tensor) -> Tensor:
    """Let masks of the reference frames ride on the displacement of each frame.

    Args:
        masks: ``(B, H, W)`` bool.
        displacements: ``(B, T, 2, h, w)`` in pixels.

    Returns:
        ``(B, T, H, W)`` bool.
    """
    batch, frames, side = *displacements.shape[:2], masks.shape[-1]
    given = masks[:, None].expand(-1, frames, -1, -1).flatten(0, 1)[:, None].float()
    moved = warped(given, displacements.flatten(0, 1).float(), side=side)
    return moved.view(batch, frames, side, side) > 0.5
