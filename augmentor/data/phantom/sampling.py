"""Draw a heart from a seed: EF and EDV spread like EchoNet-Dynamic's, appearance like its views."""

from dataclasses import dataclass

import numpy as np

from echo_augment.cache.arguments import check_choice, check_seed, check_whole
from echo_augment.cache.errors import EchoAugmentError

from .appearance import Appearance
from .motion import Motion, known_fields
from .motions import sample_free_motion, sample_motion
from .patients import draw_volumes, sized
from .rendering import PhantomClip, render
from .views import POPULATIONS, sample_appearance

FORMATS = (2, 3)
FORMAT = FORMATS[-1]
"""Of the hearts: 2 contract and do nothing else, 3 move freely; see docs/concepts/phantom.md."""


@dataclass(frozen=True, slots=True)
class Phantom:
    """A heart: its name, its motion, its appearance, and the seed that drew both."""

    name: str
    motion: Motion
    appearance: Appearance
    seed: int

    def to_json(self) -> dict[str, str | int | dict[str, float]]:
        """Return the entry of ``phantoms.json``."""
        motion, appearance = self.motion.to_json(), self.appearance.to_json()
        return {"name": self.name, "seed": self.seed, "motion": motion, "appearance": appearance}

    @classmethod
    def from_json(cls, values: object) -> "Phantom":
        """Return the phantom of an entry that `to_json` wrote.

        Raises:
            EchoAugmentError: a field is unknown, missing or out of range.
        """
        found = known_fields("phantom", cls, values)
        motion, appearance = Motion.from_json(found["motion"]), Appearance.from_json(found["appearance"])
        return cls(str(found["name"]), motion, appearance, int(found["seed"]))


def sample_phantom(seed: int, name: str | None = None, *, format: int = FORMAT, population: str = "A") -> Phantom:
    """Draw the heart of ``seed``; a pure function.

    In format 3 EF and EDV are drawn together, as EchoNet-Dynamic's table has them, and all else of motion and
    appearance independently; in format 2 motion and appearance have nothing in common.

    >>> heart = sample_phantom(42)
    >>> heart.name, round(heart.motion.heart_rate)
    ('P0000042', 83)

    Args:
        seed: 0 or more.
        name: name of the heart; by default ``"P0000042"`` for seed 42, ``"B0000042"`` in population B.
        format: 2 or 3.
        population: ``"A"``, or ``"B"`` for another scanner.

    Raises:
        EchoAugmentError: ``seed`` is negative or no whole number, or there is no such format or population.
    """
    check_seed(seed)
    check_kind(format, population)
    name = name or phantom_name(seed, population)
    if format == 2:
        motion = sample_motion(np.random.default_rng([seed, 1]))
        return Phantom(name, motion, sample_appearance(np.random.default_rng([seed, 2])), seed)
    stream = list(POPULATIONS).index(population)
    ef, edv = draw_volumes(np.random.default_rng([seed, 3, stream]))
    appearance = sample_appearance(np.random.default_rng([seed, 5, stream]), POPULATIONS[population])
    appearance = sized(appearance, edv)
    motion = sample_free_motion(np.random.default_rng([seed, 4, stream]), ef, appearance)
    return Phantom(name, motion, appearance, seed)


def check_kind(format: int, population: str) -> None:
    """Raise if there are no such phantoms.

    Raises:
        EchoAugmentError: ``format`` is neither 2 nor 3, ``population`` neither A nor B, or format 2 has no such one.
    """
    check_whole("format", format, FORMATS[0], FORMAT)
    check_choice("population", population, tuple(POPULATIONS))
    if format == 2 and population != "A":
        raise EchoAugmentError(f"population {population} has no phantoms of format 2", "Take format=3")


def phantom_name(seed: int, population: str = "A") -> str:
    """Return the name of a heart."""
    return f"{'P' if population == 'A' else population}{seed:07d}"


def counterfactual(
    motion_of: Phantom,
    appearance_of: Phantom,
    *,
    num_frames: int = 100,
    fps: float = 50.0,
    seed: int = 0,
    image_size: int = 112,
    start: float = 0.0,
) -> PhantomClip:
    """Render one heart's motion with another's appearance: the clip that a perfect generator would make.

    >>> clip = counterfactual(sample_phantom(1), sample_phantom(2), num_frames=2)
    >>> clip.frames.shape, clip.frames.dtype
    ((2, 112, 112), dtype('uint8'))

    Args:
        motion_of: heart that gives the motion.
        appearance_of: heart that gives the appearance.
        num_frames: as in `render`.
        fps: as in `render`.
        seed: as in `render`.
        image_size: as in `render`.
        start: as in `render`.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    return render(
        motion_of.motion,
        appearance_of.appearance,
        num_frames=num_frames,
        fps=fps,
        seed=seed,
        image_size=image_size,
        start=start,
    )
