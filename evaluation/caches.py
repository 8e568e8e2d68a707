"""The caches that a benchmark's arms take their clips from: one for each labelled subset."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import AnyGate, image_gate
from echo_augment.training_recipes.filling.fill import Generator, fill_from


class LabelledOnly:
    """A generator whose motion donors, which give the labels, are some labelled hearts only.

    Args:
        generator: with at least these motion donors.
        labelled: names of the hearts whose labels a run may know.
        looks: names of the hearts that may give looks; None for all that the generator has.

    Raises:
        EchoAugmentError: none of them is a motion donor of the generator.
    """

    def __init__(self, generator: Generator, labelled: Collection[str], looks: Collection[str] | None = None) -> None:
        self._generator = generator
        self.motion_donors: Mapping[str, float] = {
            name: ef for name, ef in generator.motion_donors.items() if name in set(labelled)
        }
        if not self.motion_donors:
            raise EchoAugmentError(
                f"none of the {len(labelled)} labelled hearts can give motion: {list(generator.skipped)[:3]}",
                "Use more labelled hearts, or mend these videos (echo-augment doctor)",
            )
        donors = generator.appearance_donors
        self.appearance_donors: Sequence[str] = (
            donors if looks is None else [name for name in donors if name in set(looks)]
        )
        self.fingerprint, self.sampler, self.skipped = generator.fingerprint, generator.sampler, generator.skipped

    def __call__(self, lines: Sequence[PlanLine]) -> Sequence[EchoClip]:
        """The clips of some plan lines, in their order."""
        return self._generator(lines)


def fill_subset(
    folder: Path,
    generator: Generator,
    labelled: Collection[str],
    *,
    clips: int,
    seed: int,
    batch: int,
    looks: Collection[str] | None = None,
    gates: Sequence[AnyGate] = (image_gate,),
) -> dict[str, Any]:
    """Fill ``folder`` with clips whose motions, and so labels, are of the labelled hearts only; resumable.

    Args:
        folder: of the cache.
        generator: makes the clips; its appearance donors may be any TRAIN hearts.
        labelled: names of the labelled hearts.
        clips: wanted.
        seed: of the pairing and the sampler's noise.
        batch: clips generated at a time.
        looks: names of the hearts that may give looks; None for all.
        gates: see `echo_augment.cache.fill`.

    Returns:
        The fill's summary.

    Raises:
        EchoAugmentError: no clip passed the gates, or as `echo_augment.cache.fill`.
    """
    donors = LabelledOnly(generator, labelled, looks)
    summary = fill_from(donors, folder, n=clips, seed=seed, batch=batch, gates=gates)
    if not summary.sealed:
        raise EchoAugmentError(
            f"no clip passed the gates ({summary})", f"The reasons are beside the cache, in {folder}"
        )
    return summary.as_dict()
