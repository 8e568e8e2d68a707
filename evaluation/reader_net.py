"""The EF reader's network: it follows the ventricle's volume through a clip, and reads EF from that."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from echo_augment.training_recipes.ef.models import EF_MEAN, EF_SCALE, TinyEF

MEAN, SCALE = 32.0, 50.0  # of pixels
WIDTHS = (16, 32, 64, 96)
HIDDEN = 64


class EFReader(nn.Module):
    """EF of a clip, and the ventricle's volume in every frame, which tells the net in training where to look.

    The stages are :class:`~echo_augment.training_recipes.ef.models.TinyEF`'s, one more of them; the head is not linear,
    for EF is a ratio of volumes.
    """

    def __init__(self) -> None:
        super().__init__()
        width = WIDTHS[-1]
        self.features = TinyEF(widths=WIDTHS).features
        self.volume = nn.Conv1d(width, 1, 1)
        self.head = nn.Sequential(nn.Linear(4 * (width + 1), HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Clips ``(B, T, H, W)`` with values 0 to 255 to EF ``(B,)`` in percent and volumes ``(B, T)``.

        Volumes are shares of the clip's largest.
        """
        frames = functional.avg_pool3d(((clips.float() - MEAN) / SCALE)[:, None], (1, 2, 2))
        pooled = self.features(frames).mean((3, 4))
        with torch.autocast(clips.device.type, enabled=False):  # EF in bfloat16 would come in quarters of a percent
            pooled = pooled.float()
            volume = self.volume(pooled)
            seen = torch.cat([pooled, volume], 1)
            found = torch.cat([seen.mean(2), seen.std(2), seen.amax(2), seen.amin(2)], 1)
            return EF_MEAN + EF_SCALE * self.head(found)[:, 0], volume[:, 0]


def read_ef(net: EFReader, clips: Tensor, *, batch: int = 32) -> npt.NDArray[np.float64]:
    """EF in percent of uint8 clips ``(N, T, H, W)``."""
    with torch.no_grad():
        return np.concatenate([net(part)[0].double().numpy() for part in clips.split(batch)])
