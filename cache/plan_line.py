"""One line of a plan: everything that decides one synthetic clip."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What to generate. The same line and the same generator make the same clip.

    Attributes:
        clip_id: unique in the plan.
        motion_donor: gives the motion and the label.
        appearance_donor: gives the reference frame.
        seed: of the sampler's noise.
        sampler: for instance ``"ddim-8"``.
    """

    clip_id: str
    motion_donor: str
    appearance_donor: str
    seed: int
    sampler: str = ""
