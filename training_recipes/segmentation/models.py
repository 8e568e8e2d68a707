"""LV segmenters: echonet's DeepLabV3-ResNet50, and a small U-Net that trains on a CPU in a minute."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import ResNet50_Weights
from torchvision.models.segmentation import deeplabv3_resnet50

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..training.setup import make_seeded


class SmallUNet(nn.Module):
    """A U-Net (Ronneberger et al., MICCAI 2015) on frames halved in size.

    torchvision's light segmenters (LR-ASPP, DeepLabV3 on MobileNetV3) decide at an eighth of the frame's size, and
    their encoders are made for pretrained weights. A ventricle is 20 to 50 pixels wide here, so its border needs a
    decoder with skips; at half size and so few channels it costs 0.2 GFLOP a frame and learns from random weights.

    Args:
        widths: channels of the levels, each half as large as the one before; multiples of 4.
    """

    def __init__(self, *, widths: Sequence[int] = (16, 32, 64, 64)) -> None:
        super().__init__()
        if not widths or any(width < 4 or width % 4 for width in widths):
            raise EchoAugmentError(f"model.settings.widths must be multiples of 4, got {list(widths)}")
        first, *deeper = widths
        self.stem = nn.Sequential(_conv(1, first, 5, stride=2), _conv(first, first, 3))
        pairs = list(zip(widths, deeper, strict=False))
        self.down = nn.ModuleList(nn.Sequential(_conv(a, b, 3, stride=2), _conv(b, b, 3)) for a, b in pairs)
        self.up = nn.ModuleList(_conv(a + b, a, 3) for a, b in reversed(pairs))
        self.head = nn.Conv2d(first, 1, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, C, H, W)`` normalised frames (C equal channels) to ``(B, H, W)`` logits."""
        x = self.stem(frames[:, :1].contiguous(memory_format=torch.channels_last))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(torch.cat([_resize(x, skip), skip], 1))
        return functional.interpolate(self.head(x), frames.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def _conv(before: int, after: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    # Groups, not batches: training sees a handful of videos at a time.
    # SiLU: with ReLU two of eight trainings on 16 phantoms ended in a net that marks nothing.
    return nn.Sequential(layer, nn.GroupNorm(4, after), nn.SiLU(inplace=True))


def _resize(small: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(small, like.shape[-2:], mode="bilinear", align_corners=False)


class DeepLabV3(nn.Module):
    """DeepLabV3-ResNet50 with one output, as echonet (Ouyang et al., Nature 2020) trains it.

    Args:
        backbone: ``"random"``, or ``"imagenet"``: torchvision's download (where it cannot be had, the net stays random
            and ``note`` says so). The torchvision of echonet's time gave its "random" model an ImageNet backbone.

    Attributes:
        note: what a report should say about the start weights; empty where they are as asked.
    """

    def __init__(self, *, backbone: str = "random") -> None:
        super().__init__()
        if backbone not in ("random", "imagenet"):
            raise EchoAugmentError(f"model.settings.backbone must be 'random' or 'imagenet', got {backbone!r}")
        self.note = ""
        self.net = deeplabv3_resnet50(weights=None, weights_backbone=None, aux_loss=False, num_classes=1)
        if backbone == "imagenet":
            try:
                weights = ResNet50_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
                self.net.backbone.load_state_dict(weights, strict=False)  # without the classifier
            except (OSError, RuntimeError) as error:
                self.note = f"ImageNet weights could not be had ({error}); the backbone started from random weights"

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, 3, H, W)`` normalised frames to ``(B, H, W)`` logits."""
        return self.net(frames)["out"][:, 0]


def make_segmentation_model(name: str, settings: Mapping[str, JsonValue], seed: int) -> nn.Module:
    """The segmenter of a configuration, its start weights a pure function of ``seed``.

    Raises:
        EchoAugmentError: there is no such model.
    """
    return make_seeded({"unet": SmallUNet, "deeplabv3_resnet50": DeepLabV3}, "segmentation", name, settings, seed)
