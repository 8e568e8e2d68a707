"""The networks behind published metrics, I3D, Inception and LPIPS, from files that the user has.

- I3D: ``i3d_torchscript.pt``, StyleGAN-V's (Kinetics-400; its 400 outputs before the softmax are FVD's features).
- Inception of 2015-12-05: NVIDIA's ``inception-2015-12-05.pt``, a TorchScript as well, or the weights that pytorch-fid
  and torch-fidelity publish under one hash, for which torch-fidelity (Apache-2.0, extra ``metrics``) has the network.
- LPIPS: see `echo_augment.training_recipes.common.lpips`.

TorchScript is a program in its own small language: it can compute, not run Python or reach files. A pickle is not read.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.published.strict import read_tensors
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs
from echo_augment.training_recipes.common.lpips import LPIPS, load_lpips

Features = npt.NDArray[np.float64]
METRICS = ("fvd16", "fvd128", "fid", "is", "lpips")
I3D_FILE = "i3d_torchscript.pt"
INCEPTION_SCRIPT = "inception-2015-12-05.pt"
INCEPTION_WEIGHTS = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
I3D_REMEDY = f"Put StyleGAN-V's {I3D_FILE} there, or leave fvd16 and fvd128 out of metrics.names"
INCEPTION_REMEDY = (
    f"Put NVIDIA's {INCEPTION_SCRIPT}, or pytorch-fid's {INCEPTION_WEIGHTS[0]}, there, or leave fid and is out of "
    "metrics.names"
)


class I3D:
    """Features of videos.

    Args:
        file: StyleGAN-V's TorchScript.
        device: that computes.

    Raises:
        EchoAugmentError: the file is not there, is no TorchScript, or gives something else for a video.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        self.device = device
        self.net = load_script(file, I3D_REMEDY, device)
        probe(file, I3D_REMEDY, 400, lambda: self(torch.zeros(1, 16, 32, 32, dtype=torch.uint8)))

    def __call__(self, videos: Tensor) -> Features:
        """Return features ``(N, 400)`` of gray videos, ``(N, T, H, W)`` uint8."""
        colour = videos[:, None].expand(-1, 3, -1, -1, -1).contiguous().to(self.device)
        with torch.no_grad():
            return plain(self.net(colour, rescale=True, resize=True, return_features=True))


class Inception:
    """Features of images, and the classes' probabilities, before which no bias is added.

    Args:
        folder: has one of the files.
        device: that computes.

    Raises:
        EchoAugmentError: no file is there, or it is another network's; or torch-fidelity is not installed.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.device = device
        self.script = (folder / INCEPTION_SCRIPT).is_file()
        files = [folder / name for name in (INCEPTION_SCRIPT, *INCEPTION_WEIGHTS)]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise EchoAugmentError(f"{files[0]}: there is no such file", INCEPTION_REMEDY)
        self.file = found
        self.net = load_script(found, INCEPTION_REMEDY, device) if self.script else inception_of(found).to(device)
        probe(found, INCEPTION_REMEDY, 2048, lambda: self(torch.zeros(1, 32, 32, dtype=torch.uint8))[0])

    def __call__(self, images: Tensor) -> tuple[Features, Features]:
        """Return features ``(N, 2048)`` and probabilities ``(N, 1008)`` of gray images, ``(N, H, W)`` uint8."""
        colour = images[:, None].expand(-1, 3, -1, -1).contiguous().to(self.device)
        with torch.no_grad():
            if self.script:
                return plain(self.net(colour, return_features=True)), plain(self.net(colour, no_output_bias=True))
            features, logits = self.net(colour)
            return plain(features), plain(logits.double().softmax(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Those that the metrics asked for need; None for the others.

    Attributes:
        i3d: for FVD.
        inception: for FID and the Inception score.
        lpips: for LPIPS.
    """

    i3d: I3D | None
    inception: Inception | None
    lpips: LPIPS | None

    @classmethod
    def load(cls, folder: Path, names: tuple[str, ...], *, lpips: str = "alex", device: str = "cpu") -> "Networks":
        """Load them.

        Args:
            folder: has the files.
            names: of the metrics, some of `METRICS`.
            lpips: its network, ``alex`` or ``vgg``.
            device: that computes.

        Raises:
            EchoAugmentError: a file is missing or wrong; it is named, with what to do.
        """
        return cls(
            i3d=I3D(folder / I3D_FILE, device) if {"fvd16", "fvd128"} & {*names} else None,
            inception=Inception(folder, device) if {"fid", "is"} & {*names} else None,
            lpips=load_lpips(folder, lpips).to(device) if "lpips" in names else None,
        )


def plain(values: Tensor) -> Features:
    """Return a tensor as an array of float64."""
    found: Features = values.detach().cpu().double().numpy()
    return found


def load_script(file: Path, remedy: str, device: str) -> nn.Module:
    """Return a TorchScript.

    Raises:
        EchoAugmentError: it is not there, or is none.
    """
    if not file.is_file():
        raise EchoAugmentError(f"{file}: there is no such file", remedy)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is no longer developed; the files are these
            net: nn.Module = torch.jit.load(str(file), map_location=device).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise EchoAugmentError(f"{file}: is no TorchScript ({first_line(error)})", remedy) from error
    return net


def inception_of(file: Path) -> nn.Module:
    """Return torch-fidelity's Inception with the weights of a file, which holds tensors only.

    Raises:
        EchoAugmentError: it holds more or other weights, or the package is not installed.
    """
    read_tensors(file, INCEPTION_REMEDY)  # the package would unpickle whatever is in it, so we look first
    with needs("metrics"):
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    try:
        with torch.random.fork_rng([]):  # it draws weights before it reads them
            net: nn.Module = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(file))
    except RuntimeError as error:
        raise EchoAugmentError(f"{file}: is not Inception's ({first_line(error, 1)})", INCEPTION_REMEDY) from error
    return net


def probe(file: Path, remedy: str, wanted: int, call: Any) -> None:
    """Raise if a network does not give ``(1, wanted)`` for one sample.

    Raises:
        EchoAugmentError: with the file.
    """
    try:
        found = call()
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise EchoAugmentError(f"{file}: is another network's ({first_line(error)})", remedy) from error
    if found.shape != (1, wanted):
        raise EchoAugmentError(f"{file}: gives {found.shape[1:]} numbers, not {wanted}", remedy)


def first_line(error: Exception, at: int = 0) -> str:
    """Return a line of an error's text, the first one or as far as there is one a later one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(at, len(lines) - 1)] if lines else type(error).__name__
