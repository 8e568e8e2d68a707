"""FileList.csv and VolumeTracings.csv as one checked table."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from .csvfile import read_csv
from .records import Problem, VideoInfo
from .rows import read_rows
from .splits import SplitChoice, split_filter
from .tracing import Tracing, Tracings, read_tracings

FILE_LIST, TRACINGS, VIDEOS = "FileList.csv", "VolumeTracings.csv", "Videos"
LAYOUT = "data.root must be a folder in EchoNet-Dynamic's layout: FileList.csv, VolumeTracings.csv and Videos/"
KNOWN_COLUMNS = {
    "FileName": ("filename", "file", "name"),
    "EF": ("ef", "ejectionfraction"),
    "ESV": ("esv",),
    "EDV": ("edv",),
    "FrameHeight": ("frameheight",),
    "FrameWidth": ("framewidth",),
    "FPS": ("fps", "framerate"),
    "NumberOfFrames": ("numberofframes", "nframes", "frames"),
    "Split": ("split", "fold"),
}
REQUIRED = ("FileName", "EF", "Split")


@dataclass(frozen=True)
class EchoTable:
    """A data set's videos, labels, tracings, and what is wrong with them.

    Attributes:
        root: the data set's folder.
        header: columns of FileList.csv, known ones in EchoNet's spelling.
        rows: the usable videos in the order of the file. A label that cannot be used is NaN here.
        tracings: video name -> frame -> tracing, small (end-systolic) frame first.
        problems: everything found, in the order of the file.
        has_tracings: there is a VolumeTracings.csv that can be read.
    """

    root: Path
    header: tuple[str, ...]
    rows: list[VideoInfo]
    tracings: dict[str, dict[int, Tracing]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    has_tracings: bool = False

    def split(self, choice: SplitChoice) -> list[VideoInfo]:
        """The videos of a split (see `splits.split_filter`), in the order of the file.

        Raises:
            EchoAugmentError: no video is in it.
        """
        chosen = split_filter(choice)
        rows = [row for row in self.rows if chosen(row.split, row.fold)]
        if not rows:
            counts = Counter(row.split if row.fold is None else f"{row.split} fold {row.fold}" for row in self.rows)
            there = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items())) or "no usable video at all"
            raise EchoAugmentError(
                f"{self.root / FILE_LIST}: no usable video in split {choice!r}; there are: {there}",
                "Choose one of these, or run echo-augment doctor to see what is wrong with the others",
            )
        return rows

    def problems_of(self, choice: SplitChoice) -> list[Problem]:
        """The problems of the videos in a split, and of those whose split is unknown."""
        chosen = split_filter(choice)
        return [problem for problem in self.problems if not problem.split or chosen(problem.split, problem.fold)]


def read_table(root: str | Path) -> EchoTable:
    """Read a data set in EchoNet-Dynamic's layout (or EchoNet-Pediatric's) without opening its videos.

    What makes the whole folder unusable raises; what concerns single videos is listed in ``problems``.

    Raises:
        EchoAugmentError: no such folder, no FileList.csv or Videos/ in it, a FileList.csv that is empty, not UTF-8 or
            lacks a column.
    """
    root = Path(root)
    if not root.is_dir():
        raise EchoAugmentError(f"{root}: there is no such folder", LAYOUT)
    if not (root / FILE_LIST).is_file():
        raise EchoAugmentError(f"{root}: has no {FILE_LIST}", LAYOUT)
    if not (root / VIDEOS).is_dir():
        raise EchoAugmentError(f"{root}: has no folder {VIDEOS}", LAYOUT)
    file = read_csv(root / FILE_LIST)
    columns = {title: file.column(*names) for title, names in KNOWN_COLUMNS.items()}
    missing = [title for title in REQUIRED if columns[title] is None]
    if missing:
        raise EchoAugmentError(
            f"{file.path}: has no column {', '.join(missing)}; its columns are {', '.join(file.header)}",
            "Name the columns as EchoNet-Dynamic does, separated by commas",
        )
    if not file.rows:
        raise EchoAugmentError(f"{file.path}: lists no videos", "Copy it again from the data set")
    place = {title: column for title, column in columns.items() if column is not None}
    header = list(file.header)
    for title, column in place.items():
        header[column] = title
    rows, problems = read_rows(file, root / VIDEOS, place)
    tracings, found = _read_traces(root / TRACINGS, {row.name: row for row in rows})
    return EchoTable(
        root, tuple(header), rows, tracings.frames if tracings else {}, problems + found, tracings is not None
    )


def _read_traces(path: Path, rows: dict[str, VideoInfo]) -> tuple[Tracings | None, list[Problem]]:
    """The tracings, or None where there is no file that can be read; and what is wrong with them."""
    if not path.exists():
        text = f"{path}: is not there, so no video has tracings"
        return None, [Problem("tracing", "", text, "Copy it from the data set if you need traces")]
    try:
        tracings = read_tracings(path)
    except EchoAugmentError as error:
        return None, [Problem("tracing", "", error.message, error.remedy)]
    problems = []
    for name, text in tracings.bad_lines:
        row = rows.get(name)
        split, fold = (row.split, row.fold) if row else ("", None)
        problems.append(Problem("tracing", name, f"{path}: {text}", "Mend or drop the line", split, fold))
    for name, row in rows.items():
        count = len(tracings.frames.get(name, {}))
        if count < 2:
            text = f"{path}: {name} has {count} traced frames, two are needed"
            remedy = "Use it for EF without traces (require_tracings=False), or leave it out"
            problems.append(Problem("untraced", name, text, remedy, row.split, row.fold))
        beyond = [frame for frame in tracings.frames.get(name, {}) if 0 <= row.n_frames <= frame]
        if beyond:
            text = f"{path}: {name} is traced in frame {beyond[0]}, it has {row.n_frames} frames"
            problems.append(Problem("tracing", name, text, "Mend or drop the tracing", row.split, row.fold))
    return tracings, problems
