"""The arms of other people's work, held against ours under one protocol: ready-made clips, and published generators."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echo_augment.augmentor import CachedClips, ClassicalAugment, SyntheticAugment
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from .specification import TOLD, TrainingSet, clips_of

PEER = "peer"  # kind of clips, preset and label policy of their provenance, and how their fingerprint begins
IMPORT = 'Make one: echo-augment cache action=import data.root=FOLDER provenance="NAME" cache=OUT'


def peer(
    given: TrainingSet, *, clips: str = PEER, p: float = 0.5, classical_p: float = 0.0, exclude: str | None = None
) -> Any:
    """Real clips, of which a share is replaced by clips of a ready-made synthetic set, with the labels it came with.

    Unlike those of the arm `synthetic`, the labels are not tied to the labelled videos of the run: whose labels the
    set's makers knew is not known here. At fewer labels than all the arm shows what the ready-made set brings, not what
    its method makes of the same labels; `peer_notes` says so in the report.

    Args:
        given: the labelled clips and the caches.
        clips: kind of clips.
        p: share of synthetic items in every epoch.
        classical_p: share of all items, real and synthetic, that `ClassicalAugment` transforms on top.
        exclude: file with the ids of clips to leave out, see `CachedClips`.

    Raises:
        EchoAugmentError: no cache of peers' clips was given.
    """
    source = open_peers(given.caches, clips, exclude)
    mixed = SyntheticAugment(given.real, source, p=p, seed=given.seed, donors="table")
    return ClassicalAugment(mixed, p=classical_p, seed=given.seed) if classical_p else mixed


def open_peers(caches: Mapping[str, str | Path], clips: str = PEER, exclude: str | None = None) -> CachedClips:
    """Return the cache of peers' clips.

    Raises:
        EchoAugmentError: there is none, or its clips were not imported: those of our own generator belong to the arm
            `synthetic`, which uses only clips with labels that the run knows.
    """
    if clips not in caches:
        raise EchoAugmentError(
            f"the arm needs a cache of {clips} clips, which was not given", f"{IMPORT}, and give +caches.{clips}=OUT"
        )
    source = CachedClips(caches[clips], exclude=exclude)
    if not source.fingerprint.startswith(f"{PEER}-"):
        raise EchoAugmentError(f"cache {caches[clips]} does not hold an imported synthetic set", IMPORT)
    return source


def peer_notes(arms: Mapping[str, Mapping[str, JsonValue]], caches: Mapping[str, str | Path]) -> list[str]:
    """Return what the report must say beside the figures of arms with peers' clips; nothing if there are none.

    Args:
        arms: settings by name.
        caches: folder of the clips of a kind.

    Raises:
        EchoAugmentError: there is no cache of peers' clips.
    """
    names = [name for name, spec in arms.items() if clips_of(spec) == PEER]
    if not names:
        return []
    source = open_peers(caches)
    provenance = source[0].provenance
    origin = "unknown makers" if provenance is None else str(provenance.extra.get("origin", "unknown makers"))
    note = (
        f"The arm {', '.join(names)} trains with {len(source)} clips of {origin} ({source.fingerprint}). Which videos "
        "and labels their makers learned from is not known here and not tied to the labelled videos of a run: with "
        "fewer labels than all, the arm shows what this ready-made set brings, not what its method makes of the same "
        "labels. If its makers learned from VAL or TEST videos, its errors are too small."
    )
    return [note]


def told_notes(arms: Mapping[str, Mapping[str, JsonValue]], given: bool) -> list[str]:
    """Return what the report must say beside arms with clips of a generator that is told an EF; nothing without one.

    Args:
        arms: settings by name.
        given: whether there is such a generator, or a cache of its clips.

    Raises:
        EchoAugmentError: neither is there.
    """
    names = [name for name, spec in arms.items() if clips_of(spec) == TOLD]
    if names and not given:
        raise EchoAugmentError(
            f"the arm {names[0]} needs a generator that is told an EF, and none was given",
            f"Give generator.{TOLD}=FOLDER of echo-augment import-weights from=echonet-synthetic, or "
            f"+caches.{TOLD}=CACHE",
        )
    note = (
        f"The arm {', '.join(names)} trains with clips of a generator that is told the EF of a labelled video of the "
        "run. The generator itself learned from EF: if from labels of more TRAIN videos than the run has, the arm "
        "knows more labels than the others with fewer labels than all; if from VAL or TEST, its errors are too small."
    )
    return [note] if names else []
