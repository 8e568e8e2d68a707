"""The clips of a cache whose label a run may know."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.mcdm.labels import LabelPolicy
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import read_gates
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.shard.reader import ShardReader


class ClipsOfMotionDonors:
    """The clips of a cache whose motion donor is one of some videos, as a source for `SyntheticAugment`.

    The motion donor gives a clip its label, so a run with few labels must not see clips of other motion donors: they
    would bring labels in by the back door. So would clips whose EF a teacher had a hand in (``label.policy`` of
    ``fill-cache``), since it may have learned from any TRAIN video. Appearance donors give no label and may be any
    TRAIN videos. Clips in whose label a teacher left no confidence are left out.

    Args:
        source: the cache.
        donors: names of the videos whose labels are known.
        most: clips to use at most, the first ones; None for all.
        shuffle: seed by which every clip gets the EF of another one of these clips: the control that shows what labels
            are worth. None: each keeps its own.
        policy: labels the clips anew, with a teacher that knows no more labels than the run does; those in which it
            leaves no confidence are left out. None: they keep the labels they came with.
        all_known: the run knows the labels of all TRAIN videos, so that a teacher's labels tell it nothing new.

    Raises:
        EchoAugmentError: no clip is left, or a teacher's labels, or clips that a teacher chose, in a run that does not
            know all labels.
    """

    def __init__(
        self,
        source: CachedClips,
        donors: Collection[str],
        *,
        most: int | None = None,
        shuffle: int | None = None,
        policy: LabelPolicy | None = None,
        all_known: bool = False,
    ) -> None:
        if most is not None and most < 1:
            raise EchoAugmentError(f"most must be at least 1, got {most}")
        self.source, wanted = source, set(donors)
        if not all_known:
            refuse_gates(source.store.folder, wanted)
        owner: dict[str, str] = {}
        appearance: dict[str, str] = {}
        doubtful: set[str] = set()
        for shard in source.store.shards:
            reader = ShardReader(source.store.folder / SHARDS / shard)
            table = reader.table
            columns = [[bytes(value).decode() for value in table[name]] for name in COLUMNS]
            owner |= dict(zip(columns[0], columns[1], strict=True))
            appearance |= dict(zip(columns[0], columns[2], strict=True))
            asked = [policy.startswith(TAUGHT) for policy in columns[3]]
            unsure = table["confidence"] == 0
            doubtful |= {name for name, one, no in zip(columns[0], asked, unsure, strict=True) if one and no}
            taught = sorted({policy for policy, one in zip(columns[3], asked, strict=True) if one})
            reader.close()
            if taught and not all_known:
                raise EchoAugmentError(
                    f"cache {source.store.folder}: its labels ({', '.join(taught)}) were made by a teacher that may "
                    "know labels which this run must not know",
                    "Fill one with label.policy=donor, or train with labels=all",
                )
        places = [k for k, name in enumerate(source.ids) if owner[name] in wanted and name not in doubtful]
        self.places = np.array(places, np.int64)[:most]
        if not len(self.places):
            raise EchoAugmentError(
                f"cache {source.store.folder}: none of its {len(source)} clips has a labelled video of this run as "
                "motion donor",
                "Fill a cache from the labelled videos, or use the labels and seed that it was filled for",
            )
        ids = source.ids
        kept = [ids[int(place)] for place in self.places]
        self._ef = source.ef[self.places]
        self._confidence: npt.NDArray[np.float64] | None = None
        self._label = "shuffled" if shuffle is not None else "" if policy is None else policy.name
        if policy is not None:
            read = np.array([_label(policy, source[int(place)]) for place in self.places])
            sure = read[:, 1] > 0
            if not sure.any():
                raise EchoAugmentError(
                    f"cache {source.store.folder}: the label policy {policy.name} has no confidence in any clip",
                    "Give a larger tolerance",
                )
            self.places, self._ef, self._confidence = self.places[sure], read[sure, 0], read[sure, 1]
        if shuffle is not None:
            self._ef = self._ef[np.random.default_rng([SHUFFLE, shuffle]).permutation(len(self._ef))]
        self.donors = frozenset({owner[name] for name in kept} | {appearance[name] for name in kept} - {""})

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN if unknown."""
        return self._ef

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the generator that made the clips."""
        return self.source.fingerprint

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> EchoClip:
        clip = self.source[int(self.places[index])]
        if not self._label:
            return clip
        source = None if clip.provenance is None else replace(clip.provenance, label_policy=self._label)
        confidence = clip.confidence if self._confidence is None else float(self._confidence[index])
        return replace(clip, ef=float(self._ef[index]), confidence=confidence, provenance=source)


def refuse_gates(folder: Path, known: Collection[str]) -> None:
    """Raise if the clips of a cache were chosen by a net that may have learned from labels which a run must not know.

    Args:
        folder: folder of the cache.
        known: names of the videos whose labels the run knows.

    Raises:
        EchoAugmentError: naming the cache.
    """
    gates = read_gates(folder)
    learned = gates.known_videos
    if gates.chosen_by_labels and (learned is None or not learned <= set(known)):
        raise EchoAugmentError(
            f"cache {folder}: its clips were chosen by a teacher that may know labels which this run must not know",
            "Fill one without gates.label.teacher and masks.segmenter, or train with labels=all; a benchmark's own "
            "label_gate asks a net that knows no more than the run",
        )


def _label(policy: LabelPolicy, clip: EchoClip) -> tuple[float, float]:
    """Return EF and confidence, without holding on to the clip's frames."""
    labelled = policy([clip])[0]
    return labelled.ef, labelled.confidence


SHUFFLE = 104  # tag that keeps this random stream apart
COLUMNS = ("id", "motion_donor", "appearance_donor", "label_policy")
TAUGHT = ("teacher", "consensus")  # how the names of policies begin that ask a teacher
