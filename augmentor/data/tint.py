"""The colours of a grey video: how they follow from its grey levels, and how they come back from them."""

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
CHANNELS = ("red", "green", "blue")


def tint_tables(luma: Frames, rgb: Frames) -> dict[str, Frames] | None:
    """How the colours of a grey video follow from its grey levels.

    The colour planes of EchoNet's files are constant but not quite neutral, so red and blue differ from the grey level
    by up to 2 of 255, always alike for the same level. These three tables of 256 values are all there is to them.

    Args:
        luma: ``(T, H, W)``.
        rgb: ``(T, H, W, 3)``, the same frames in colour.

    Returns:
        The tables by channel, without those that change nothing; None where a colour is no function of the grey level.
    """
    tables = {}
    for place, name in enumerate(CHANNELS):
        table = np.arange(256, dtype=np.uint8)
        table[luma] = rgb[..., place]
        if not np.array_equal(table[luma], rgb[..., place]):
            return None
        if (table != np.arange(256)).any():
            tables[name] = table
    return tables


class Tint:
    """Gives grey frames the colours of their video. A channel like another one is not computed twice.

    Args:
        tables: from `tint_tables`; a channel without one is the grey level itself.
    """

    def __init__(self, tables: Mapping[str, Frames]) -> None:
        self._tables = [tables.get(name) for name in CHANNELS]
        keys = [None if table is None else table.tobytes() for table in self._tables]
        self._like = [keys.index(key) for key in keys]  # the first channel of the same table
        self._shifts = [None if table is None else _shift(table) for table in self._tables]

    def __call__(self, grey: Frames) -> Frames:
        """``(N, H, W)`` grey levels to ``(N, H, W, 3)`` colours, of which each channel lies in one piece."""
        planes, flat = np.empty((3, *grey.shape), np.uint8), grey.reshape(-1, grey.shape[-1])
        if not grey.size:  # OpenCV refuses it
            return np.moveaxis(planes, 0, -1)
        for place, (plane, like, table, shift) in enumerate(
            zip(planes, self._like, self._tables, self._shifts, strict=True)
        ):
            if like != place:
                plane[:] = planes[like]
            elif table is None:
                plane[:] = grey
            elif shift is None:
                cv2.LUT(flat, table, plane.reshape(flat.shape))
            elif shift < 0:  # OpenCV's sums stop at 0 and 255
                cv2.subtract(flat, np.full_like(flat, -shift), plane.reshape(flat.shape))
            else:
                cv2.add(flat, np.full_like(flat, shift), plane.reshape(flat.shape))
        return np.moveaxis(planes, 0, -1)


def _shift(table: Frames) -> int | None:
    """By how much a table moves every grey level, stopping at 0 and 255; None where it does something else.

    All tables of EchoNet's files do that, and it takes a twentieth of the time of looking up every pixel.
    """
    levels = np.arange(256)
    shift = int(table[128]) - 128
    return shift if np.array_equal(table, np.clip(levels + shift, 0, 255)) else None
