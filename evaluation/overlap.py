"""Where the ventricle is: masks that a teacher draws on clips against the counterfactual's true ones."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.masks import Masks, dice

Clips = npt.NDArray[np.uint8]


def mask_overlap(clips: Clips, truth: Masks, draw: Callable[[Clips], Masks]) -> dict[str, float]:
    """Mean Dice of drawn and true LV masks: ``dice`` over all frames, ``dice_ed`` and ``dice_es`` at the largest and
    smallest true mask of each clip.

    Args:
        clips: ``(N, T, H, W)`` uint8.
        truth: the counterfactuals' masks, ``(N, T, H, W)`` bool.
        draw: masks ``(T, H, W)`` of the frames of a clip.
    """
    found = []
    for clip, true in zip(clips, truth, strict=True):
        drawn = draw(clip)
        sizes = true.reshape(len(true), -1).sum(1)
        frames = np.array([dice(one, two) for one, two in zip(drawn, true, strict=True)])
        found.append((frames.mean(), frames[sizes.argmax()], frames[sizes.argmin()]))
    means = np.mean(found, axis=0)
    return {"dice": float(means[0]), "dice_ed": float(means[1]), "dice_es": float(means[2])}
