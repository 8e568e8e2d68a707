"""Fresh clips among cached ones."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from ..data import VideoInfo
from .live import LiveClips
from .source import ClipSource

MIXED = 0x4D58  # tag of this random stream


class MixedClips:
    """Mostly cached clips, and a share of fresh ones.

    Which items get a fresh clip is a pure function of ``(seed, epoch, index)``, as are the cached clips of the others;
    which fresh clip it is depends on timing.

    Args:
        live: the generator's ring.
        cached: for instance `CachedClips`; also gives the EF values for EF bins.
        fresh: share of synthetic items that get a fresh clip, in [0, 1].
        on_empty: where no fresh clip is ready: ``"cached"`` takes the cached clip, ``"real"`` the real item, ``"wait"``
            waits while the generator lives, then takes the cached clip. All but fresh clips count as ``fallback``.

    Raises:
        EchoAugmentError: a value out of its range.
    """

    def __init__(
        self,
        live: LiveClips,
        cached: ClipSource,
        *,
        fresh: float = 0.25,
        on_empty: Literal["cached", "real", "wait"] = "cached",
    ) -> None:
        if not 0 <= fresh <= 1:
            raise EchoAugmentError(f"fresh must be in [0, 1], got {fresh!r}")
        if on_empty not in ("cached", "real", "wait"):
            raise EchoAugmentError(f'on_empty must be "cached", "real" or "wait", got {on_empty!r}')
        self.live, self.cached, self.fresh, self.on_empty = live, cached, fresh, on_empty

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of the cached clips in percent."""
        return self.cached.ef

    @property
    def fingerprint(self) -> str:
        """Of the cached clips' generator."""
        return str(getattr(self.cached, "fingerprint", ""))

    @property
    def donors(self) -> frozenset[str]:
        """Names of all donors of both sources."""
        known: Any = getattr(self.cached, "donors", frozenset())
        return self.live.donors | known

    @property
    def donor_videos(self) -> dict[str, VideoInfo]:
        """The videos of the live source's donors, where they are known."""
        return self.live.donor_videos

    def __len__(self) -> int:
        return len(self.cached)

    def __getitem__(self, index: int) -> EchoClip:
        return self.cached[index]

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
        """A fresh or a cached clip, or None for the real item; how it is counted."""
        if np.random.default_rng([MIXED, *key]).random() >= self.fresh:
            return self.cached[index], "cached"
        clip = self.live.wait(key[-1]) if self.on_empty == "wait" else self.live.poll(key[-1])
        if clip is not None:
            return clip, "fresh"
        return (None if self.on_empty == "real" else self.cached[index]), "fallback"
