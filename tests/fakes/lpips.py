"""Random weights of LPIPS in the files in which the real ones are published."""

from pathlib import Path

import torch
from torch import Tensor

from echo_augment.training_recipes.common.lpips import BACKBONES, LPIPS


def random_weights(net: str, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of a backbone, by torchvision's names, and of the heads, by lpips's."""
    drawn = torch.Generator().manual_seed(seed)
    model = LPIPS(net)
    backbone = {
        name: torch.randn(value.shape, generator=drawn) * (2.0 / value[0].numel()) ** 0.5
        if value.ndim > 1
        else 0.1 * torch.randn(value.shape, generator=drawn)
        for name, value in model.state_dict().items()
        if name.startswith("features.")
    }
    heads = {
        f"lin{place}.model.1.weight": torch.rand(1, channels, 1, 1, generator=drawn)
        for place, channels in enumerate(BACKBONES[net].channels)
    }
    return backbone, heads


def write_lpips(folder: Path, net: str = "vgg", seed: int = 0) -> Path:
    """Write them as torchvision and lpips name them, with a classifier that nothing reads; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone, heads = random_weights(net, seed)
    torch.save({**backbone, "classifier.6.bias": torch.zeros(1000)}, folder / BACKBONES[net].backbone)
    torch.save(heads, folder / BACKBONES[net].heads)
    return folder
