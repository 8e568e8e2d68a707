"""What a live generator makes next: plan lines without an end."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from echo_augment.cache import EchoClip, PlanLine, make_plan

STRIDE = 0x1E3779B97F4A7C15  # odd and large: seeds of different rounds do not meet
ROUND = 1024  # lines of one plan


class PlannedGenerator(Protocol):
    """A generator that knows its donors; ``echo_augment.augmentor.mcdm.ClipGenerator`` is one."""

    motion_donors: Mapping[str, float]
    appearance_donors: Sequence[str]
    sampler: str
    fingerprint: str

    def __call__(self, lines: Sequence[PlanLine]) -> Sequence[EchoClip]:
        """The clips of some plan lines, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Pairing:
    """How plan lines are made from a generator's donors, plan after plan, each with its own seed.

    Attributes:
        seed: of the pairing.
        rank: of the process in a distributed run; ranks never make the same clip.
        balance: ``"natural"`` or ``"uniform"``, as `echo_augment.cache.make_plan` has it.
    """

    seed: int = 0
    rank: int = 0
    balance: str = "natural"

    def lines(self, generator: PlannedGenerator) -> Iterator[PlanLine]:
        """Endless lines, a pure function of the pairing and the donors."""
        for turn in itertools.count():
            words = np.random.SeedSequence([self.seed, self.rank, turn]).generate_state(1, np.uint64)
            plan = make_plan(
                generator.motion_donors,
                generator.appearance_donors,
                ROUND,
                seed=int(words[0] >> np.uint64(1)),
                balance=self.balance,
                reserve=0,
                sampler=generator.sampler,
                fingerprint=generator.fingerprint,
            )
            yield from plan.lines


def endless(lines: Sequence[PlanLine]) -> Iterator[PlanLine]:
    """The lines of a plan again and again; each further round has other seeds and ids, so other clips."""
    for turn in itertools.count():
        for line in lines:
            seed = (line.seed + turn * STRIDE) % 2**63
            yield line if turn == 0 else replace(line, clip_id=f"{line.clip_id}+{turn}", seed=seed)


def lines_for(generator: Any, wanted: Sequence[PlanLine] | Pairing) -> Iterator[PlanLine]:
    """The lines of ``wanted`` without an end."""
    return wanted.lines(generator) if isinstance(wanted, Pairing) else endless(wanted)
