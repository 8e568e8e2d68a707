"""An adversary for an autoencoder: it learns to tell what was decoded from what is real, patch by patch.

As in VQGAN (arXiv 2012.09841) and the latent diffusion models' autoencoders (arXiv 2112.10752): a discriminator of
patches with a hinge loss, whose share in the autoencoder's loss is set by the gradients of both at the last layer.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

MOST_WEIGHT = 1e4  # of the adversarial loss, however small its gradient is
WIDTH, LAYERS = 64, 3  # of the discriminator, as in both papers


class PatchDiscriminator(nn.Module):
    """Says of every patch of about 70 x 70 pixels how real it looks (pix2pix, arXiv 1611.07004).

    Args:
        channels: of an image.
        width: channels of the first layer.
        layers: strided layers.

    >>> PatchDiscriminator(1, width=8)(torch.zeros(2, 1, 112, 112)).shape
    torch.Size([2, 1, 12, 12])
    """

    def __init__(self, channels: int, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = width
        for layer in range(1, layers + 1):
            after = width * min(2**layer, 8)
            stride = 2 if layer < layers else 1
            parts += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
            before = after
        self.net = nn.Sequential(*parts, nn.Conv2d(before, 1, 4, 1, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` to one number a patch, ``(B, 1, h, w)``: the higher the more real."""
        told: Tensor = self.net(images)
        return told


class Contested(nn.Module):
    """An autoencoder and its adversary as one network, so that one optimiser and one checkpoint hold both.

    Neither learns from the other's loss: the autoencoder's goes through the adversary with its weights held fast, the
    adversary's sees decoded images without their past.

    Args:
        codec: the autoencoder.
        channels: of an image.

    Attributes:
        seen: batches so far; kept in its state as a number of the host's, for which no step waits.
    """

    def __init__(self, codec: nn.Module, channels: int) -> None:
        super().__init__()
        self.codec = codec
        self.adversary = PatchDiscriminator(channels)
        self.seen = 0

    def get_extra_state(self) -> Tensor:
        """Return what of the state is no weight, for ``state_dict``."""
        return torch.tensor(self.seen)

    def set_extra_state(self, state: Tensor) -> None:
        """Take it from a state."""
        self.seen = int(state)

    def losses(self, plain: Tensor, decoded: Tensor, images: Tensor, last: Tensor, weight: float) -> dict[str, Tensor]:
        """Return the autoencoder's adversarial loss, weighted, and the adversary's own.

        Args:
            plain: the autoencoder's loss of its reconstruction, without a KL term.
            decoded: ``(B, C, H, W)``.
            images: what it should be.
            last: weight of the autoencoder's last layer.
            weight: of the adversarial loss, times the ratio of both gradients at the last layer; 0: neither counts.
        """
        fixed = {name: value.detach() for name, value in self.adversary.named_parameters()}
        fooled = -functional_call(self.adversary, fixed, (decoded,)).mean()
        found = F.relu(1 - self.adversary(images)).mean() + F.relu(1 + self.adversary(decoded.detach())).mean()
        if not weight:
            return {"fooled": 0.0 * fooled, "adversary": 0.0 * found}  # in the graph, as several processes need it
        share = torch.zeros((), device=decoded.device)
        if decoded.requires_grad:
            share = gradient_ratio(plain, fooled, last)
        return {"fooled": weight * share * fooled, "adversary": 0.5 * found}


def gradient_ratio(plain: Tensor, fooled: Tensor, last: Tensor) -> Tensor:
    """Return how much longer the gradient of one loss is than the other's at a layer, at most 1e4."""
    (one,) = torch.autograd.grad(plain, last, retain_graph=True)
    (two,) = torch.autograd.grad(fooled, last, retain_graph=True)
    return (one.norm() / (two.norm() + 1e-4)).clamp(0, MOST_WEIGHT).detach()
