"""What is made of networks' features: the Fréchet distance as StyleGAN-V computes it, and the Inception score."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

Features = npt.NDArray[np.float64]
SPLITS = 10  # of an Inception score


@dataclass(frozen=True, slots=True, kw_only=True)
class InceptionScore:
    """An Inception score (Salimans et al., arXiv 1606.03498).

    Attributes:
        mean: over the splits.
        sd: over the splits.
    """

    mean: float
    sd: float


def frechet_distance(first: Features, second: Features) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to features ``(N, D)`` and ``(M, D)``.

    With covariances divided by N, as in StyleGAN-V's FVD and FID (arXiv 2112.14683); pytorch-fid divides by N - 1. The
    trace of ``(S1 S2)^(1/2)`` is the sum of the singular values of one set's centred features times the other's, so
    that no root of a matrix is taken, which few features make singular.

    Raises:
        EchoAugmentError: fewer than two samples in a set, or sets of different lengths of a feature.
    """
    if min(len(first), len(second)) < 2:
        raise EchoAugmentError(f"a Fréchet distance needs 2 samples a set, got {len(first)} and {len(second)}")
    if first.shape[1] != second.shape[1]:
        raise EchoAugmentError(f"features of {first.shape[1]} and of {second.shape[1]} numbers cannot be compared")
    one, two = (values - values.mean(0) for values in (first, second))
    gap = first.mean(0) - second.mean(0)
    spreads = np.square(one).sum() / len(one) + np.square(two).sum() / len(two)
    if min(len(one), len(two)) <= first.shape[1]:
        product = one @ two.T
    else:  # both covariances have full size, and are the smaller matrices
        roots: list[Features] = [np.asarray(np.linalg.qr(values, mode="r")) for values in (one, two)]
        product = roots[0] @ roots[1].T
    shared = np.linalg.svd(product, compute_uv=False).sum() / np.sqrt(len(one) * len(two))
    return float(max(0.0, gap @ gap + spreads - 2 * shared))


def inception_score(probabilities: Features, splits: int = SPLITS) -> InceptionScore:
    """Return the Inception score of the classes' probabilities of images, ``(N, C)``, in parts of consecutive ones.

    Raises:
        EchoAugmentError: fewer images than parts.

    >>> inception_score(np.eye(20), 1).mean.__round__(6)
    20.0
    """
    count = len(probabilities)
    if count < splits:
        raise EchoAugmentError(
            f"an Inception score of {splits} parts needs as many images, got {count}",
            "Leave is out of metrics.names, or give more videos",
        )
    scores = []
    for part in range(splits):
        p = probabilities[part * count // splits : (part + 1) * count // splits].clip(1e-30)
        scores.append(float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean())))
    return InceptionScore(mean=float(np.mean(scores)), sd=float(np.std(scores)))
