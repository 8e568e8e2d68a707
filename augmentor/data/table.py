"""Read FileList.csv and VolumeTracings.csv as one checked table: the usable rows, and what is wrong with the others."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from .csv_files import CsvFile, inside, nearby, plain_number, read_csv, to_number, video_name, without_zeros
from .ef_units import EFUnit, ef_factor
from .records import Problem, VideoInfo
from .splits import SplitChoice, parse_split, split_filter
from .tracing import Tracing, Tracings, jumbled, read_tracings

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
REQUIRED = ("FileName", "EF")


@dataclass(frozen=True)
class EchoTable:
    """A dataset's videos, labels and tracings, and what is wrong with them.

    Attributes:
        root: folder of the dataset.
        header: columns of FileList.csv, known ones in EchoNet's spelling.
        rows: usable videos in the order of the file. A label that cannot be used is NaN here.
        tracings: video name -> frame -> tracing, small (end-systolic) frame first.
        problems: everything found, in the order of the file.
        has_tracings: whether there is a VolumeTracings.csv that can be read.
    """

    root: Path
    header: tuple[str, ...]
    rows: list[VideoInfo]
    tracings: dict[str, dict[int, Tracing]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    has_tracings: bool = False

    def split(self, choice: SplitChoice) -> list[VideoInfo]:
        """Return the videos of a split (see `splits.split_filter`), in the order of the file.

        Raises:
            EchoAugmentError: the split has no usable video.
        """
        chosen = split_filter(choice)
        rows = [row for row in self.rows if chosen(row.split, row.fold)]
        if not rows:
            if self.rows and "Split" not in self.header:
                raise EchoAugmentError(
                    f"{self.root / FILE_LIST}: has no column Split, so there is no split {choice!r}; its columns are "
                    f"{', '.join(self.header)}",
                    'Add a column Split with TRAIN, VAL and TEST, by patient; split="all" reads the table as it is',
                )
            words = (row.split or "unknown" for row in self.rows)
            counts = Counter(
                word if row.fold is None else f"{word} fold {row.fold}"
                for word, row in zip(words, self.rows, strict=True)
            )
            there = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items())) or "no usable video at all"
            raise EchoAugmentError(
                f"{self.root / FILE_LIST}: no usable video in split {choice!r}; there are: {there}",
                "Choose one of these, or run echo-augment doctor to see what is wrong with the others",
            )
        return rows

    def problems_of(self, choice: SplitChoice) -> list[Problem]:
        """Return the problems of the videos in a split, and of those whose split is unknown."""
        chosen = split_filter(choice)
        return [problem for problem in self.problems if not problem.split or chosen(problem.split, problem.fold)]


def read_table(root: str | Path, *, ef_unit: EFUnit | None = None, follow_links: bool = True) -> EchoTable:
    """Read a dataset in EchoNet-Dynamic's layout (or EchoNet-Pediatric's) without opening its videos.

    What makes the whole folder unusable raises; what concerns single videos is listed in ``problems``.

    >>> import tempfile
    >>> from echo_augment.augmentor.data.phantom import write_phantoms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = read_table(write_phantoms(folder, 2, num_frames=40, workers=1, splits=(0.5, 0, 0.5)))
    >>> [(row.name, row.n_frames) for row in table.split("test")], table.problems
    ([('P0000000', 40)], [])

    Args:
        root: folder with FileList.csv, Videos/ and, for traces, VolumeTracings.csv.
        ef_unit: unit of the EF column: ``"percent"``, ``"fraction"`` or ``"hundredths"`` (of a percent); None for
            percent, unless the numbers look otherwise. Rows hold percent.
        follow_links: whether a video may be a symbolic link that leads out of the folder.

    Raises:
        EchoAugmentError: the folder, FileList.csv or Videos/ is missing; FileList.csv is empty, not UTF-8 or has no
            FileName or EF; or all its EF are at most 1, or above 100, and ``ef_unit`` is None.
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
    numbers = [to_number(fields[place["EF"]]) for _, fields in file.rows if len(fields) == len(file.header)]
    factor = ef_factor(root, numbers, ef_unit, f"{file.path}: column {file.header[place['EF']]}")
    if factor != 1:
        for _, fields in file.rows:
            if len(fields) == len(file.header) and math.isfinite(number := to_number(fields[place["EF"]])):
                fields[place["EF"]] = f"{factor * number:.10g}"
    rows, problems = read_rows(file, root / VIDEOS, place, follow_links=follow_links)
    tracings, found = _read_traces(root / TRACINGS, {row.name: row for row in rows})
    return EchoTable(
        root, tuple(header), rows, tracings.frames if tracings else {}, problems + found, tracings is not None
    )


def _read_traces(path: Path, rows: dict[str, VideoInfo]) -> tuple[Tracings | None, list[Problem]]:
    """Return the tracings, or None without a file that can be read, and what is wrong with them."""
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
    for name in tracings.reordered:
        if row := rows.get(name):
            text = f"{path}: {name} has a larger tracing before a smaller one"
            problems.append(Problem("order", name, text, "They are put in order of area", row.split, row.fold))
    for name, row in rows.items():
        for frame, tracing in tracings.frames.get(name, {}).items():
            if jumbled(tracing):
                text = f"{path}: {name} has the lines of frame {frame} in disorder, so they have no outline"
                remedy = "Put the long axis first and then the chords from end to end, as EchoNet-Dynamic does"
                problems.append(Problem("tracing", name, text, remedy, row.split, row.fold))
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


UNKNOWN = frozenset({"nan", "na", "n/a", "none", "null", "-", "?"})
LABELS = {"EF": "percent", "ESV": "mL", "EDV": "mL"}


def read_rows(
    file: CsvFile, videos: Path, place: dict[str, int], *, follow_links: bool = True
) -> tuple[list[VideoInfo], list[Problem]]:
    """Return the usable rows and everything wrong with any row."""
    rows: dict[str, VideoInfo] = {}
    problems: list[Problem] = []
    there = {entry.name for entry in videos.iterdir()}
    near: dict[str, list[str]] | None = None
    clashes: set[str] = set()
    lines: dict[str, list[int]] = {}
    splits: dict[str, list[tuple[str, int | None]]] = {}
    for line, fields in file.rows:
        where = f"{file.path}: line {line}"
        if len(fields) != len(file.header):
            remedy = "Mend the line; a comma inside a field, a decimal comma too, needs quotes around the field"
            text = f"{where} has {len(fields)} fields, the header {len(file.header)}"
            problems.append(Problem("row", video_name(fields[0]), text, remedy))
            continue
        name = video_name(fields[place["FileName"]])
        split, fold = "", None
        try:
            kind = "split"
            if "Split" in place:
                split, fold = parse_split(fields[place["Split"]])
            kind = "name"
            path = inside(videos, fields[place["FileName"]], follow_links=follow_links)
        except EchoAugmentError as error:
            problems.append(Problem(kind, name, f"{where}: {error.message}", error.remedy, split, fold))
            continue
        lines.setdefault(name, []).append(line)
        if name in rows:
            if [one.strip() for one in rows[name].values] != [one.strip() for one in fields]:
                clashes.add(name)
            splits.setdefault(name, [(rows[name].split, rows[name].fold)]).append((split, fold))
            continue
        if not (path.name in there if path.parent == videos else path.is_file()):
            text = f"{where}: {path} is not there"
            remedy = "Copy the video from the data set or drop the row"
            near = nearby(videos) if near is None else near
            if others := near.get(name.lower()) or near.get(without_zeros(name)):
                text += f", {others[0]} is"
                remedy = f"Write {others[0]} into FileName, or rename the file"
            problems.append(Problem("missing", name, text, remedy, split, fold))
            continue
        row = VideoInfo(name, path, split=split, fold=fold, values=tuple(fields))
        row, bad = _read_labels(row, where, {title: fields[column].strip() for title, column in place.items()})
        rows[name] = row
        problems += bad
    for name, found in splits.items():
        *first, last = lines[name]
        what = " with different values, so none of them is used" if name in clashes else ""
        text = f"{file.path}: {name} is in lines {', '.join(map(str, first))} and {last}{what}"
        for split, fold in dict.fromkeys(found):
            problems.append(Problem("duplicate", name, text, "Keep one row a video", split, fold))
    return [row for name, row in rows.items() if name not in clashes], problems


def _read_labels(row: VideoInfo, where: str, text: dict[str, str]) -> tuple[VideoInfo, list[Problem]]:
    """Return ``row`` with the numbers of its line, and the problems of those that are none."""
    problems = []
    labels = dict.fromkeys(LABELS, math.nan)
    for title, unit in LABELS.items():
        if title not in text:
            continue
        value = to_number(text[title])
        high = 100.0 if title == "EF" else math.inf
        if not (math.isfinite(value) and 0 <= value <= high):
            limits = "in [0, 100]" if title == "EF" else "0 or more"
            message = f"{where}: {title} of {row.name} must be {limits} {unit}, got {text[title] or 'nothing'}"
            problems.append(Problem(title, row.name, message, "Mend or drop the row", row.split, row.fold))
            value = math.nan
        labels[title] = value
    fps, count = to_number(text.get("FPS", "")), to_number(text.get("NumberOfFrames", ""))
    for title, value, good in (("FPS", fps, fps > 0), ("NumberOfFrames", count, count >= 0 and count.is_integer())):
        if text.get(title) and not good and not (math.isnan(value) and text[title].lower() in UNKNOWN):
            message = f"{where}: {title} of {row.name} is {text[title]!r}"
            problems.append(Problem("facts", row.name, message, "The file is believed", row.split, row.fold))
    done = replace(
        row,
        ef=labels["EF"],
        esv=labels["ESV"],
        edv=labels["EDV"],
        fps=fps if math.isfinite(fps) and fps > 0 else math.nan,
        n_frames=int(count) if count >= 0 and count.is_integer() else -1,
    )
    return done, problems


def typed_columns(rows: Sequence[Sequence[str]]) -> list[list[int | float | str]]:
    """Return fields as numbers if a whole column holds numbers (empty ones NaN), as pandas does; else as text."""
    columns = [_typed(column) for column in zip(*rows, strict=True)]
    return [list(fields) for fields in zip(*columns, strict=True)]


def _typed(column: Sequence[str]) -> Sequence[int | float | str]:
    kinds: tuple[type[int], type[float]] = (int, float)
    for kind in kinds:
        try:
            return [kind(plain_number(text) or "nan") for text in column]
        except ValueError:
            continue
    return [text.strip() for text in column]
