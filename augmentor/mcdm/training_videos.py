"""The record of the videos that trained a model, the refusal of models that held-out ones trained; usable videos."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.generator import SkippedDonor
from echo_augment.cache.system.files import write_json

from ..data import VideoInfo, content_hash, probe_video
from ..data.probe import as_filed, disagreement, warn_of_disagreements

TRAINED_ON = "training_hearts.json"  # beside the weights


@dataclass(frozen=True, slots=True)
class TrainingVideos:
    """Hashes of the videos that trained a model: names may change, content does not.

    Attributes:
        first: of each video's first frame, quick to compute.
        content: of each video's whole content.
    """

    first: tuple[str, ...] = ()
    content: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "TrainingVideos":
        """Hash some video files.

        Raises:
            EchoAugmentError: one of them cannot be read.
        """
        hashes = [(probe_video(path).first, content_hash(path)) for path in paths]
        return cls(tuple(first for first, _ in hashes), tuple(content for _, content in hashes))

    @classmethod
    def read(cls, path: Path) -> "TrainingVideos":
        """Read the record in a JSON file.

        Raises:
            EchoAugmentError: the file is damaged.
        """
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(known["first"]), tuple(known["content"]))
        except (ValueError, KeyError, TypeError) as error:
            raise EchoAugmentError(
                f"{path}: does not say which videos trained the model ({type(error).__name__}: {error})",
                "Take the folder that the training wrote, whole",
            ) from None

    def to_json(self) -> dict[str, list[str]]:
        """Return the hashes as JSON."""
        return {"first": list(self.first), "content": list(self.content)}

    def write(self, folder: Path) -> None:
        """Write the record into the folder of the model's weights."""
        write_json(folder / TRAINED_ON, self.to_json())

    def __add__(self, other: "TrainingVideos") -> "TrainingVideos":
        """Return the videos of both, each once.

        >>> TrainingVideos(("a",), ("x",)) + TrainingVideos(("b", "a"), ("y", "x"))
        TrainingVideos(first=('a', 'b'), content=('x', 'y'))
        """
        return TrainingVideos(
            tuple(dict.fromkeys(self.first + other.first)), tuple(dict.fromkeys(self.content + other.content))
        )

    def find(self, videos: Sequence[VideoInfo]) -> VideoInfo | None:
        """Return the first of some videos that is among these, whatever its name; None if there is none."""
        first, content = set(self.first), set(self.content)
        for video in videos:
            if probe_video(video.path).first in first and content_hash(video.path) in content:
                return video
        return None


def refuse_trained_on(
    folder: Path, held_out: Sequence[VideoInfo], *, what: str = "generator", if_missing: str | None = None
) -> None:
    """Raise if a model was trained on a held-out video, whatever its name was.

    Args:
        folder: the model's.
        held_out: videos of VAL and TEST.
        what: what the model is, for the message: ``"teacher"``.
        if_missing: what to do about a model without a record, which is then refused; None lets it pass.

    Raises:
        EchoAugmentError: naming the video, or the record that is missing or damaged.
    """
    path = folder / TRAINED_ON
    if not path.is_file():
        if if_missing is None:
            return
        raise EchoAugmentError(
            f"{what} {folder}: there is no {TRAINED_ON} that says which videos trained it", if_missing
        )
    found = TrainingVideos.read(path).find(held_out)
    if found is not None:
        raise EchoAugmentError(
            f"{found.path}: a {found.split} video trained the {what} {folder}",
            f"Use another {what}, or move the video to TRAIN",
        )


def usable(
    rows: Sequence[VideoInfo], on_error: str, *, warn: bool = True
) -> tuple[list[VideoInfo], dict[str, str], list[SkippedDonor]]:
    """Return the rows whose video opens, `VideoFacts.first` of each by name, and the others with their reasons.

    Args:
        rows: of a table.
        on_error: ``"skip"``, or ``"raise"`` where one does not open.
        warn: say where table and files disagree.
    """
    good, first, bad, apart = [], dict[str, str](), [], []
    for row in rows:
        try:
            facts = probe_video(row.path)
            first[row.name] = facts.first
            good.append(as_filed(row, facts))
            if said := disagreement(row, facts.fps, facts.frames):
                apart.append(f"{row.path}: {said}")
        except EchoAugmentError as error:
            if on_error == "raise":
                raise
            bad.append(SkippedDonor(row.name, str(error)))
    if warn:
        warn_of_disagreements(apart)
    return good, first, bad
