"""Random networks in the files in which those of published metrics lie: I3D, Inception, LPIPS."""

from pathlib import Path

import torch
import torch.nn.functional as F
from fakes.lpips import write_lpips
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from echo_augment.evaluation.published.networks import I3D_FILE, INCEPTION_SCRIPT, INCEPTION_WEIGHTS


class Video(nn.Module):
    """Called as StyleGAN-V's I3D is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 16, 3, 2, 1)
        self.head = nn.Linear(32, 400)

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        """Map ``(N, 3, T, H, W)`` uint8 to ``(N, 400)``."""
        x = x.float()
        if rescale:
            x = x / 127.5 - 1.0
        if resize:
            x = F.interpolate(x, size=[x.size(2), 56, 56], mode="trilinear", align_corners=False)
        x = torch.relu(self.conv(x))
        x = self.head(torch.cat([x.mean(dim=[2, 3, 4]), x.flatten(2).std(dim=2)], 1))
        return x if return_features else x.softmax(1)


class Image(nn.Module):
    """Called as NVIDIA's Inception is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 2, 1)
        self.features = nn.Linear(32, 2048)
        self.classes = nn.Linear(2048, 1008)

    def forward(self, x: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        """Map ``(N, 3, H, W)`` uint8 to ``(N, 2048)`` or ``(N, 1008)``."""
        x = torch.relu(self.conv(x.float() / 127.5 - 1.0))
        x = self.features(torch.cat([x.mean(dim=[2, 3]), x.flatten(2).std(dim=2)], 1))
        if return_features:
            return x
        x = 20.0 * (x @ self.classes.weight.t())
        return (x if no_output_bias else x + self.classes.bias).softmax(1)


class Blank(FeatureExtractorInceptionV3):
    """Inception as it is before it reads its weights."""

    def load_state_dict(self, *_: object, **__: object) -> None:
        """Read nothing."""


def write_scripts(folder: Path, seed: int = 0) -> Path:
    """Write I3D and Inception as TorchScripts; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        for net, name in ((Video(), I3D_FILE), (Image(), INCEPTION_SCRIPT)):
            torch.jit.script(net.eval()).save(str(folder / name))
    return folder


def write_inception(folder: Path, seed: int = 0) -> Path:
    """Write weights of Inception under pytorch-fid's name; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / INCEPTION_WEIGHTS[0]
    torch.save({}, file)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = Blank("inception", ["2048"], str(file))
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        nn.init.normal_(net.fc.weight, 0, 1)
    torch.save(net.state_dict(), file)
    return file


def write_networks(folder: Path, seed: int = 0, lpips: str = "alex") -> Path:
    """Write all that the metrics need; return the folder."""
    write_lpips(folder, lpips, seed)
    return write_scripts(folder, seed)
