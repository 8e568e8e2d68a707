"""LPIPS, the learned perceptual distance of Zhang et al. (arXiv 1801.03924), version 0.1, from weights in local files.

Layers of torchvision's VGG-16 or AlexNet, and linear heads as the package ``lpips`` (BSD-2-Clause) ships them. Nothing
is downloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16

from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.augmentor.mcdm.published.strict import read_tensors, refuse_misfits
from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's statistics, for images in [-1, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A network whose activations are compared.

    Attributes:
        backbone: file of torchvision's weights.
        heads: file of the linear heads.
        taps: layers of ``features`` whose outputs are compared.
        channels: of these.
    """

    backbone: str
    heads: str
    taps: tuple[int, ...]
    channels: tuple[int, ...]


BACKBONES = {
    "vgg": Backbone(
        backbone="vgg16-397923af.pth",
        heads="vgg.pth",
        taps=(3, 8, 15, 22, 29),
        channels=(64, 128, 256, 512, 512),
    ),
    "alex": Backbone(
        backbone="alexnet-owt-7be5be79.pth",
        heads="alex.pth",
        taps=(1, 4, 7, 9, 11),
        channels=(64, 192, 384, 256, 256),
    ),
}
"""By the names that LPIPS's authors give them."""


class LPIPS(nn.Module):
    """The distance; 0 until weights are loaded. They are fixed: gradients go to the images alone.

    Args:
        net: ``vgg`` or ``alex``.

    Raises:
        EchoAugmentError: another ``net``.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: str = "vgg") -> None:
        super().__init__()
        check_choice("net", net, tuple(BACKBONES))
        self.form = BACKBONES[net]
        with torch.device("meta"):  # no weights are drawn
            layers = (vgg16 if net == "vgg" else alexnet)(weights=None).features
        self.features = nn.Sequential(*list(layers)[: self.form.taps[-1] + 1]).to_empty(device="cpu")
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        for parameter in self.features.parameters():
            nn.init.zeros_(parameter)
        self.heads = nn.ParameterList([torch.ones(channels) for channels in self.form.channels])
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distances ``(B,)`` of images ``(B, C, H, W)`` in [-1, 1], C 1 or 3, of 32 x 32 pixels or more."""
        total = torch.zeros(len(first), device=first.device)
        for one, two, head in zip(self.activations(first), self.activations(second), self.heads, strict=True):
            gap = (F.normalize(one.float(), eps=1e-10) - F.normalize(two.float(), eps=1e-10)).square()
            total = total + (gap * head[:, None, None]).sum(1).mean((1, 2))
        return total

    def activations(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the layers that are compared."""
        found, x = [], (images.expand(-1, 3, -1, -1) - self.shift) / self.scale
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.form.taps:
                found.append(x)
        return found


def remedy_of(net: str) -> str:
    """Return where the files of a network come from."""
    form = BACKBONES[net]
    return (
        f"Put two files into the folder: {form.backbone}, torchvision's ImageNet weights, and {form.heads}, from "
        "lpips/weights/v0.1 of the package lpips"
    )


def weight_files(folder: Path, net: str) -> tuple[Path, Path]:
    """Return the files of backbone and heads.

    Raises:
        EchoAugmentError: one is not there; it is named.
    """
    form = BACKBONES[net]
    files = folder / form.backbone, folder / form.heads
    for file in files:
        if not file.is_file():
            raise EchoAugmentError(f"{file}: there is no such file", remedy_of(net))
    return files


def load_lpips(folder: Path, net: str = "vgg") -> LPIPS:
    """Return LPIPS with the weights of a folder.

    Args:
        folder: has ``vgg16-397923af.pth`` and ``vgg.pth``, or ``alexnet-owt-7be5be79.pth`` and ``alex.pth``.
        net: ``vgg`` or ``alex``.

    Raises:
        EchoAugmentError: a file is not there, cannot be read, or has other weights; the first one is named.
    """
    model, remedy = LPIPS(net), remedy_of(net)
    backbone, heads = weight_files(folder, net)
    found = read_tensors(backbone, remedy)
    kept = {name: value for name, value in found.items() if name.startswith("features.")}  # without the classifier
    own = {name: value for name, value in model.state_dict().items() if name.startswith("features.")}
    _fit(backbone, own, kept, remedy)
    lines = {f"lin{place}.model.1.weight": value[None, :, None, None] for place, value in enumerate(model.heads)}
    read = read_tensors(heads, remedy)
    _fit(heads, lines, read, remedy)
    model.load_state_dict(
        {name: value.float() for name, value in kept.items()}
        | {f"heads.{place}": read[name].float().flatten() for place, name in enumerate(lines)}
    )
    return model


def hash_lpips(folder: Path, net: str = "vgg") -> str:
    """Return the hash of the weights of a folder.

    Raises:
        EchoAugmentError: as `load_lpips`.
    """
    state = load_lpips(folder, net).state_dict()
    return digest(*(part for name, value in state.items() for part in (name.encode(), value.numpy().tobytes())))


def _fit(file: Path, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], remedy: str) -> None:
    missing, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    both = [name for name in wanted if name in found]
    misshapen = [(n, found[n].shape, wanted[n].shape) for n in both if found[n].shape != wanted[n].shape]
    refuse_misfits(str(file), list(wanted), missing, extra, misshapen, remedy)
