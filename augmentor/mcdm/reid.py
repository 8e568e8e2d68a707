"""The re-ID model recognises a patient's heart by a frame; trained by contrast, frames of one video being alike."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.cache.system.extras import needs

from .published.strict import StrictModel

with needs("generate"):
    from diffusers.configuration_utils import ConfigMixin, register_to_config
    from diffusers.models.modeling_utils import ModelMixin


class ReIDEncoder(StrictModel, ModelMixin, ConfigMixin):
    """Maps a frame to a unit vector; vectors of one video's frames lie close, those of two videos apart.

    Args:
        width: channels of the first stage; they double at each of the four strided stages.
        embedding: length of the vector.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(self, width: int = 32, embedding: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for level in range(4):
            after = width * 2**level
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.GroupNorm(8, after), nn.SiLU()]
            before = after
        self.stages = nn.Sequential(*layers)
        self.head = nn.Linear(before, embedding)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames ``(B, 1, H, W)`` in [0, 1] to unit vectors ``(B, embedding)``."""
        return F.normalize(self.head(self.stages(frames - 0.2).mean((2, 3))), dim=-1)


@torch.no_grad()
def embed_clips(reid: Callable[[Tensor], Tensor], clips: Tensor) -> Tensor:
    """Return one unit vector a clip, ``(B, embedding)``: the direction of the mean over its frames' vectors.

    Args:
        reid: `ReIDEncoder`, or another net from ``(N, 1, H, W)`` in [0, 1] to vectors.
        clips: ``(B, T, H, W)`` uint8, on the net's device.
    """
    vectors = reid(clips.flatten(0, 1)[:, None].float() / 255)
    return F.normalize(vectors.unflatten(0, clips.shape[:2]).mean(1), dim=-1)
