"""What a source of synthetic clips is, and what all of them check."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip, Provenance


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


def checked_index(index: int, length: int) -> int:
    """``index`` counted from the front.

    Raises:
        IndexError: it lies outside, so that plain iteration ends.
    """
    place = int(index)
    if not -length <= place < length:
        raise IndexError(f"clip {place} of {length}")
    return place % length


def donor_names(provenances: Iterable[Provenance | None]) -> frozenset[str]:
    """Names of all motion and appearance donors; clips without provenance have none."""
    known = [provenance for provenance in provenances if provenance is not None]
    return frozenset({name for item in known for name in (item.motion_donor, item.appearance_donor)} - {""})
