"""An EF net on a pretrained backbone: what users do who have weights of others, frozen with a probe or fine-tuned."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError

from .backbones import load_backbone

TRAINS = ("probe", "all")
EF_MEAN = 55.6  # echonet's start value of the last bias: about the mean EF of EchoNet-Dynamic, in percent
EF_SCALE = 12.0  # about its standard deviation: lets a last layer start at unit scale
WHITE = 255.0


class PretrainedEF(nn.Module):
    """EF of a clip from the features of a pretrained video backbone and one linear layer.

    Clips come normalised by the data set's own mean and deviation; they are put back to grey levels (`take_scale`),
    into the backbone's normalisation, and to its number of frames and their size.

    Args:
        layout: of the weights, see `echo_augment.training_recipes.ef.backbones.load_backbone`.
        weights: file of the weights, or ``random``.
        train: ``probe``: the backbone is frozen, the last layer alone learns; ``all``: fine-tuning.
        dropout: before the last layer.
        frames: frames that the backbone gets; None as it was trained.
        size: side of these; None likewise.
        ef_mean: EF in percent that an untrained last layer predicts.

    Attributes:
        note: what a report says about the weights.

    Raises:
        EchoAugmentError: no file, or as `load_backbone`.
    """

    grey_mean: Tensor
    grey_std: Tensor
    own_mean: Tensor
    own_std: Tensor

    def __init__(
        self,
        *,
        layout: str | None = None,
        weights: str | None = None,
        train: str = "probe",
        dropout: float = 0.0,
        frames: int | None = None,
        size: int | None = None,
        ef_mean: float = EF_MEAN,
    ) -> None:
        super().__init__()
        check_choice("model.settings.train", train, TRAINS)
        if layout is None or weights is None:
            raise EchoAugmentError(
                "the model pretrained has no weights", "Give pretrained.layout=NAME and pretrained.weights=FILE"
            )
        found = load_backbone(layout, weights)
        self.backbone, self.frozen, self.ef_mean = found.net, train == "probe", ef_mean
        self.frames, self.size = frames or found.frames, size or found.size
        self.head = nn.Sequential(
            nn.LayerNorm(found.width, elementwise_affine=False), nn.Dropout(dropout), nn.Linear(found.width, 1)
        )
        for name, values in (("own_mean", found.scale[0]), ("own_std", found.scale[1])):
            self.register_buffer(name, torch.tensor(values)[:, None, None, None], persistent=False)
        for name, value in (("grey_mean", 0.0), ("grey_std", WHITE)):
            self.register_buffer(name, torch.full((3, 1, 1, 1), value))
        if self.frozen:
            self.backbone.requires_grad_(False)
        self.note = ""
        if weights != "random":
            how = "frozen, with a linear probe" if self.frozen else "fine-tuned"
            name = f"{Path(weights).name} ({digest(Path(weights).read_bytes())})"
            self.note = f"Pretrained weights of the layout {layout}, {name}, {how}: they have seen {found.seen}."

    def take_scale(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Note by which mean and deviation of grey levels 0-255, a number a channel, clips are normalised."""
        self.grey_mean.copy_(torch.tensor(mean).view(3, 1, 1, 1))
        self.grey_std.copy_(torch.tensor(std).view(3, 1, 1, 1))

    def train(self, mode: bool = True) -> "PretrainedEF":
        """Set the mode; a frozen backbone stays as in use."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` normalised clips to ``(B,)`` EF in percent."""
        pixels = (clips * self.grey_std + self.grey_mean) / WHITE
        shown = (pixels - self.own_mean) / self.own_std
        wanted = (self.frames or shown.shape[2], self.size, self.size)
        if shown.shape[2:] != wanted:
            shown = functional.interpolate(shown, wanted, mode="trilinear", align_corners=False)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.backbone(shown)
        with torch.autocast(clips.device.type, enabled=False):
            found: Tensor = self.ef_mean + EF_SCALE * self.head(features.float())[:, 0]
            return found
