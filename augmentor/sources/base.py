"""What a source of synthetic clips is."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip


class ClipSource(Protocol):
    """Where synthetic clips come from. It must pickle, and must open files lazily in each process.

    A source may also have ``fingerprint`` (str), ``donors`` (frozenset of the names of all donors) and, where a clip
    may be missing or fresh, ``take(index, key) -> (EchoClip | None, kind)`` (see `take`).
    """

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN where there is none."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> EchoClip: ...


def take(source: Any, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
    """A clip and how it is counted: ``"cached"``, ``"fresh"``, or ``"fallback"``, where None asks for the real item.

    Args:
        source: with a ``take(index, key)`` of its own, or not.
        index: of the clip that the mixing chose.
        key: seed, epoch and index of the item, for decisions that must not depend on who makes them.
    """
    own = getattr(source, "take", None)
    return (source[index], "cached") if own is None else own(index, key)
