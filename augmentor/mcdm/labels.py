"""Label transport: the motion donor's EF and beat become the generated clip's labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class TransportedLabel:
    """Labels of a generated clip.

    Attributes:
        ef: the motion donor's, in percent.
        ed_frame: where the donor's ventricle is largest within the window.
        es_frame: where it is smallest.
        policy: how the label was made.
    """

    ef: float
    ed_frame: int
    es_frame: int
    policy: str = "donor"


def donor_label(ef: float, volume: npt.NDArray[np.float64], positions: npt.NDArray[np.float64]) -> TransportedLabel:
    """Policy ``donor``: the donor's own EF; ED and ES where its volume curve says so.

    EF is relative and the codes are relative to the donor's ED frame, so neither a phase shift nor another tempo
    changes it.

    Args:
        ef: of the motion donor, in percent.
        volume: the donor's volume curve on its grid, ``(G,)``, without unit (:func:`~.phase.volume_curve`).
        positions: the grid positions the window reads, ``(F,)``.
    """
    seen = np.interp(positions, np.arange(len(volume)), volume)
    return TransportedLabel(ef, int(seen.argmax()), int(seen.argmin()))
