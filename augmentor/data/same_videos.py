"""The leak guard: no video of VAL or TEST is ever a donor or trains a generator."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from echo_augment.cache.errors import EchoAugmentError

from .probe import content_hash, probe_video
from .records import VideoInfo
from .splits import HELD_OUT

NAMED = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """A donor that is a held-out video.

    Attributes:
        donor: name of the donor.
        held_out: name of the held-out video that it is; the donor's own name if its split gives it away.
        reason: ``"split"``, ``"name"``, ``"patient"`` or ``"content"``.
    """

    donor: str
    held_out: str
    reason: str

    def __str__(self) -> str:
        if self.reason == "split":
            return f"{self.donor} is in a held-out split"
        if self.reason == "name":
            return f"{self.donor} is also a held-out video"
        if self.reason == "patient":
            return f"{self.donor} shows the same patient as held-out {self.held_out}"
        return f"{self.donor} shows the same video as held-out {self.held_out}"


def find_leaks(
    donors: Iterable[VideoInfo], held_out: Iterable[VideoInfo], *, held_out_splits: Sequence[str] = HELD_OUT
) -> list[Leak]:
    """Return the donors that are held-out videos, by split, name, file or content, or show the same patient as one.

    Contents are compared by `content_hash`, and only if number of frames, size and first frame agree: the answer is
    the same, for 0.4 ms a video instead of 10.

    Args:
        donors: videos that give motion, appearance or training frames.
        held_out: videos that must stay unseen.
        held_out_splits: donors whose own split is one of these are leaks, whatever ``held_out`` says. Give none for
            cross-validation over folds, in which the table's splits are not the ones in use.

    Raises:
        EchoAugmentError: a video cannot be read.
    """
    donors, held_out = list(donors), list(held_out)
    names = {row.name for row in held_out}
    files = {row.path.resolve(): row.name for row in held_out}
    patients = {row.patient: row.name for row in held_out if row.patient}
    leaks, unsure = [], []
    for row in donors:
        if row.split in held_out_splits:
            leaks.append(Leak(row.name, row.name, "split"))
        elif row.name in names:
            leaks.append(Leak(row.name, row.name, "name"))
        elif row.path.resolve() in files:
            leaks.append(Leak(row.name, files[row.path.resolve()], "content"))
        elif row.patient in patients:
            leaks.append(Leak(row.name, patients[row.patient], "patient"))
        else:
            unsure.append(row)
    by_first: dict[str, list[VideoInfo]] = defaultdict(list)
    for row in held_out if unsure else []:
        by_first[probe_video(row.path).first].append(row)
    for row in unsure if by_first else []:
        alike = by_first.get(probe_video(row.path).first, [])
        content = content_hash(row.path) if alike else ""
        leaks += [Leak(row.name, other.name, "content") for other in alike if content_hash(other.path) == content]
    return leaks


def refuse_leaks(
    donors: Iterable[VideoInfo], held_out: Iterable[VideoInfo], *, held_out_splits: Sequence[str] = HELD_OUT
) -> None:
    """Raise if `find_leaks` finds any.

    Raises:
        EchoAugmentError: there are leaks; the message names the first.
    """
    leaks = find_leaks(donors, held_out, held_out_splits=held_out_splits)
    if leaks:
        named = "; ".join(str(leak) for leak in leaks[:NAMED])
        only_patients = all(leak.reason == "patient" for leak in leaks)
        what = "donors show patients of held-out videos" if only_patients else "held-out videos are among the donors"
        raise EchoAugmentError(
            f"{len(leaks)} {what}: {named}{'; ...' if len(leaks) > NAMED else ''}",
            "Take donors from TRAIN only, drop copies of VAL or TEST videos from it, and keep a patient in one split",
        )
