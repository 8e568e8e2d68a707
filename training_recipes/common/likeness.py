"""How alike clips are, pixel by pixel: PSNR and SSIM."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Clip = npt.NDArray[np.uint8]
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # the constants of SSIM, for grey levels up to 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike clips are to the true ones.

    Attributes:
        psnr: peak signal-to-noise ratio in dB.
        ssim: structural similarity, at most 1.
    """

    psnr: float
    ssim: float


def psnr(first: Clip, second: Clip) -> float:
    """Return the peak signal-to-noise ratio in dB of two clips ``(T, H, W)`` uint8, over all their pixels."""
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-6)))


def ssim(first: Clip, second: Clip) -> float:
    """Return the structural similarity of two clips ``(T, H, W)`` uint8, the mean over frames.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), with their Gaussian
    window of sigma 1.5.
    """
    values = []
    for one, two in zip(first.astype(np.float64), second.astype(np.float64), strict=True):
        mean1, mean2 = _blur(one), _blur(two)
        var1, var2 = _blur(one * one) - mean1**2, _blur(two * two) - mean2**2
        cov = _blur(one * two) - mean1 * mean2
        top = (2 * mean1 * mean2 + C1) * (2 * cov + C2)
        values.append((top / ((mean1**2 + mean2**2 + C1) * (var1 + var2 + C2))).mean())
    return float(np.mean(values))


def _blur(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float64)


def likeness(made: Clip, truth: Clip) -> Likeness:
    """Return the likeness of clips ``(N, T, H, W)`` uint8 to the true ones, the mean over clips."""
    pairs = list(zip(made, truth, strict=True))
    return Likeness(
        psnr=float(np.mean([psnr(one, two) for one, two in pairs])),
        ssim=float(np.mean([ssim(one, two) for one, two in pairs])),
    )


def frame_likeness(made: Clip, truth: Clip) -> Likeness:
    """Return the likeness of frames ``(N, H, W)`` uint8 to the true ones."""
    return likeness(made[:, None], truth[:, None])
