"""Flips and quarter turns of frames and, with them, of their flow fields."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A flip along either axis, then quarter turns: each of the square's eight ways to lie has the same chance.

    Attributes:
        mirrored: left and right are exchanged.
        upside_down: top and bottom are.
        quarters: quarter turns, counter-clockwise, 0 to 3.
    """

    mirrored: bool = False
    upside_down: bool = False
    quarters: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Turn":
        """Draw both flips with even chances, and 0 to 3 quarter turns."""
        mirrored, upside_down = rng.random(2) < 0.5
        return cls(mirrored=bool(mirrored), upside_down=bool(upside_down), quarters=int(rng.integers(4)))

    def frames(self, frames: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Turn square images, the last two axes of ``(..., H, W)``."""
        rows, columns = (-1 if flipped else 1 for flipped in (self.upside_down, self.mirrored))
        return np.rot90(frames[..., ::rows, ::columns], self.quarters, axes=(-2, -1))

    def flow(self, flow: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        """Turn fields ``(..., 2, H, W)``, x before y, as their images: places, and directions with them."""
        turned = self.frames(flow)
        x, y = turned[..., 0, :, :], turned[..., 1, :, :]
        x, y = (-x if self.mirrored else x), (-y if self.upside_down else y)
        for _ in range(self.quarters):
            x, y = y, -x  # y points down, so what pointed right points up after a quarter turn
        return np.stack([x, y], axis=-3)
