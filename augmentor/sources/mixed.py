"""A source of cached clips with a share of fresh ones."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.arguments import check_choice, check_share

from ..data import VideoInfo
from .live import LiveClips
from .source import ClipSource

MIXED = 0x4D58  # tag of this random stream


class MixedClips:
    """Mostly cached clips, and a share of fresh ones.

    Which items get a fresh clip is a pure function of ``(seed, epoch, index)``, as are the cached clips of the others;
    which fresh clip an item gets depends on timing.

    Args:
        live: source of fresh clips.
        cached: source of the others, for instance `CachedClips`; also gives the EF values for EF bins.
        fresh: share of synthetic items that get a fresh clip, in [0, 1].
        on_empty: what an item gets if no fresh clip is ready: ``"cached"`` the cached clip, ``"real"`` the real item,
            ``"wait"`` waits while the generator runs, then takes the cached clip. All of these count as ``fallback``.

    Raises:
        EchoAugmentError: a value out of its range.

    Example:
        >>> from echo_augment.augmentor import InMemoryClips
        >>> from echo_augment.cache import PlanLine
        >>> black = np.zeros((4, 8, 8), np.uint8)
        >>> def make_generator():
        ...     return lambda lines: [EchoClip(line.clip_id, black, fps=25) for line in lines]
        >>> lines = [PlanLine("fresh", "motion donor", "appearance donor", seed=0)]
        >>> cached = InMemoryClips([EchoClip("cached", black, fps=25)])
        >>> with LiveClips(make_generator, lines, shape=black.shape, gates=(), start_method="fork") as live:
        ...     mixed = MixedClips(live, cached, fresh=0.25)
        ...     kinds = {mixed.take(0, (0, 0, index))[1] for index in range(20)}
        >>> len(mixed), "cached" in kinds
        (1, True)
    """

    def __init__(
        self,
        live: LiveClips,
        cached: ClipSource,
        *,
        fresh: float = 0.25,
        on_empty: Literal["cached", "real", "wait"] = "cached",
    ) -> None:
        check_share("fresh", fresh)
        check_choice("on_empty", on_empty, ("cached", "real", "wait"))
        self.live, self.cached, self.fresh, self.on_empty = live, cached, fresh, on_empty

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of the cached clips in percent."""
        return self.cached.ef

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the generator that made the cached clips."""
        return str(getattr(self.cached, "fingerprint", ""))

    @property
    def donors(self) -> frozenset[str]:
        """Names of all donors of both sources."""
        known: frozenset[str] = getattr(self.cached, "donors", frozenset())
        return self.live.donors | known

    @property
    def donor_videos(self) -> dict[str, VideoInfo]:
        """Known videos of the live source's donors, by name."""
        return self.live.donor_videos

    def __len__(self) -> int:
        return len(self.cached)

    def __getitem__(self, index: int) -> EchoClip:
        return self.cached[index]

    def wants_fresh(self, key: tuple[int, int, int]) -> bool:
        """Return whether the item of ``(seed, epoch, index)`` asks for a fresh clip, whose EF nobody knows before."""
        return bool(np.random.default_rng([MIXED, *key]).random() < self.fresh)

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip | None, str]:
        """Return a fresh or a cached clip, or None for the real item; and how it is counted."""
        if not self.wants_fresh(key):
            return self.cached[index], "cached"
        clip = self.live.wait(key[-1]) if self.on_empty == "wait" else self.live.poll(key[-1])
        if clip is not None:
            return clip, "fresh"
        return (None if self.on_empty == "real" else self.cached[index]), "fallback"
