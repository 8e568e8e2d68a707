"""Contact sheets: rows of clips, columns of frames."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]


def contact_sheet(
    clips: Sequence[tuple[str, Frames]], *, columns: int = 6, scale: float = 1.6, sets: int = 2
) -> npt.NDArray[np.uint8]:
    """One grey image: each clip ``(T, H, W)`` is a row of ``columns`` evenly spaced frames under its title.

    Args:
        clips: ``(title, frames)``; all of one size.
        columns: frames of each clip.
        scale: enlargement of the frames.
        sets: how many clips stand side by side.
    """
    rows: list[npt.NDArray[np.uint8]] = []
    for title, frames in clips:
        chosen = frames[np.linspace(0, len(frames) - 1, columns).round().astype(int)]
        strip = np.hstack(list(chosen))
        strip = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        head = np.full((16, strip.shape[1]), 40, np.uint8)
        cv2.putText(head, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 230, 1, cv2.LINE_AA)
        rows.append(np.pad(np.vstack([head, strip]), ((0, 2), (0, 6))))
    blank = np.zeros_like(rows[0])
    rows += [blank] * (-len(rows) % sets)
    return np.vstack([np.hstack(rows[i : i + sets]) for i in range(0, len(rows), sets)])
