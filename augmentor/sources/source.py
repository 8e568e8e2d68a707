"""What a source of synthetic clips is."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip

Take = Callable[[int, tuple[int, int, int]], tuple[EchoClip | None, str]]


class ClipSource(Protocol):
    """Where synthetic clips come from. A source must pickle, and open its files in each process when it first reads.

    A source may also have:

    - ``fingerprint`` (str), which ``state_dict`` keeps;
    - ``donors`` (frozenset of the names of all donors) and ``donor_videos`` (`VideoInfo` by name), so that held-out
      videos are refused;
    - ``take(index, key) -> (EchoClip | None, kind)``, if a clip may be missing or fresh. ``key`` is seed, epoch and
      index of the item, for decisions that must not depend on the process; ``kind`` is how the item is counted:
      ``"cached"``, ``"fresh"`` or ``"fallback"``. None asks for the real item.
    """

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN if unknown."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> EchoClip:
        """Return clip ``index``.

        Raises:
            IndexError: there is no such clip, so that plain iteration ends.
        """
        ...
