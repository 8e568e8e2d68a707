"""Fréchet distances of sets of clips, on the EF reader's features or any other extractor's."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError

from .reader_net import EFReaderNet

Clips = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float64]
Extractor = Callable[[Clips], Features]


def frechet(first: Features, second: Features) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to two sets of features ``(N, D)`` and ``(M, D)``.

    ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``, as in Heusel et al., "GANs trained by a two time-scale update rule"
    (arXiv 1706.08500; FID) and Unterthiner et al. (arXiv 1812.01717; FVD). With few clips it is far above 0 even for
    equal distributions: hold it against the distance of two sets of real clips of the same size.

    Raises:
        EchoAugmentError: fewer than two clips in a set.
    """
    if min(len(first), len(second)) < 2:
        raise EchoAugmentError(f"a Fréchet distance needs 2 clips a set, got {len(first)} and {len(second)}")
    gap = first.mean(0) - second.mean(0)
    one, two = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    both = np.linalg.eigvalsh(root @ two @ root)
    return float(max(0.0, gap @ gap + np.trace(one) + np.trace(two) - 2 * np.sqrt(both.clip(0)).sum()))


def reader_features(net: EFReaderNet, *, batch: int = 32) -> Extractor:
    """Return the local extractor: what the EF reader's last layer sees of a clip. It knows phantoms and motion only."""

    def extract(clips: Clips) -> Features:
        kept: list[Tensor] = []
        hook = net.head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].cpu().double()))
        try:
            with torch.no_grad():
                for part in torch.from_numpy(clips).split(batch):
                    net(part)
        finally:
            hook.remove()
        return torch.cat(kept).numpy()

    return extract


def load_extractor(name: str) -> Extractor:
    """Return the user's own extractor, ``package.module:function``: ``(N, T, H, W)`` uint8 to features ``(N, D)``.

    Raises:
        EchoAugmentError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise EchoAugmentError(
            f"extractor {name!r} cannot be imported ({error})", "Write package.module:function, or reader"
        ) from error
    return lambda clips: np.asarray(found(clips), np.float64)
