"""Read FileList.csv and VolumeTracings.csv as one checked table: the usable rows, and what is wrong with the others."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from .csv_files import to_number
from .ef_units import EFUnit, ef_factor
from .layouts.finding import DataFiles, DataFolder, find_files
from .layouts.rows import read_list, read_rows
from .records import Problem, VideoInfo
from .splits import SplitChoice, split_filter
from .tracing import TraceOrder, Tracing, Tracings, jumbled, read_tracings


@dataclass(frozen=True)
class EchoTable:
    """A dataset's videos, labels and tracings, and what is wrong with them.

    Attributes:
        files: the tables it was read from.
        header: columns of FileList.csv, known ones in EchoNet's spelling.
        rows: usable videos in the order of the file. A label that cannot be used is NaN here.
        tracings: video name -> frame -> tracing, small (end-systolic) frame first.
        problems: everything found, in the order of the file.
        has_tracings: whether there is a VolumeTracings.csv that can be read.
    """

    files: DataFiles
    header: tuple[str, ...]
    rows: list[VideoInfo]
    tracings: dict[str, dict[int, Tracing]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    has_tracings: bool = False

    @property
    def root(self) -> Path:
        """Return the folder of the dataset."""
        return self.files.root

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
                    f"{self.files.named}: has no column Split, so there is no split {choice!r}; its columns are "
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
                f"{self.files.named}: no usable video in split {choice!r}; there are: {there}",
                "Choose one of these, or run echo-augment doctor to see what is wrong with the others",
            )
        return rows

    def problems_of(self, choice: SplitChoice) -> list[Problem]:
        """Return the problems of the videos in a split, and of those whose split is unknown."""
        chosen = split_filter(choice)
        return [problem for problem in self.problems if not problem.split or chosen(problem.split, problem.fold)]


def read_table(
    root: DataFolder,
    *,
    ef_unit: EFUnit | None = None,
    follow_links: bool = True,
    traces: TraceOrder = "area",
) -> EchoTable:
    """Read a dataset in the layout of EchoNet-Dynamic, -Pediatric or -LVH without opening its videos.

    What makes the whole folder unusable raises; what concerns single videos is listed in ``problems``.

    >>> import tempfile
    >>> from echo_augment.augmentor.data.phantom import write_phantoms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = read_table(write_phantoms(folder, 2, num_frames=40, workers=1, splits=(0.5, 0, 0.5)))
    >>> [(row.name, row.n_frames) for row in table.split("test")], table.problems
    ([('P0000000', 40)], [])

    Args:
        root: folder with FileList.csv, Videos/ and, for traces, VolumeTracings.csv; with such a folder a view (``A4C``,
            ``PSAX``; their rows get a column ``View``); with MeasurementsList.csv and folders of videos; or files that
            `find_files` or a `VideoTable` knows, which may say unit and links themselves.
        ef_unit: unit of the EF column: ``"percent"``, ``"fraction"`` or ``"hundredths"`` (of a percent); None for
            percent, unless the numbers look otherwise. Rows hold percent.
        follow_links: whether a video may be a symbolic link that leads out of the folder.
        traces: order of a video's traced frames: ``"area"``, or ``"file"`` for the order in the file, as `echonet`.

    Raises:
        EchoAugmentError: the folder, FileList.csv or Videos/ is missing; FileList.csv is empty, not UTF-8 or has no
            FileName or EF; or all its EF are at most 1, or above 100, and ``ef_unit`` is None.
    """
    files = find_files(root, ef_unit=ef_unit, follow_links=follow_links)
    tables = [_read_list(replace(files, lists=(listing,)), traces) for listing in files.lists]
    return tables[0] if len(tables) == 1 else _joined(files, tables)


def _read_list(files: DataFiles, traces: TraceOrder) -> EchoTable:
    """Return the one table of ``files``."""
    [listing] = files.lists
    file, place = read_list(listing)
    if "EF" in place:
        column = place["EF"]
        numbers = [to_number(fields[column]) for _, fields in file.rows if len(fields) == len(file.header)]
        factor = ef_factor(numbers, files.ef_unit, f"{file.path}: column {file.header[column]}")
        if factor != 1:
            for _, fields in file.rows:
                if len(fields) == len(file.header) and math.isfinite(number := to_number(fields[column])):
                    fields[column] = f"{factor * number:.10g}"
    rows, problems = read_rows(file, listing, place, follow_links=files.follow_links)
    tracings, found = (None, []) if listing.tracings is None else _read_traces(listing.tracings, rows, traces)
    frames = tracings.frames if tracings else {}
    return EchoTable(files, file.header, rows, frames, problems + found, has_tracings=tracings is not None)


def _joined(files: DataFiles, tables: list[EchoTable]) -> EchoTable:
    """Return the tables of several views as one, with a column ``View``.

    Raises:
        EchoAugmentError: a name is in two of them.
    """
    header = [*dict.fromkeys(title for table in tables for title in table.header), "View"]
    rows: dict[str, VideoInfo] = {}
    for listing, table in zip(files.lists, tables, strict=True):
        for row in table.rows:
            if other := rows.get(row.name):
                text = f"{listing.path}: {row.name} is also {other.path}"
                raise EchoAugmentError(text, f"Read one view alone: {listing.path.parent}")
            fields = {**dict(zip(table.header, row.values, strict=True)), "View": listing.view}
            rows[row.name] = replace(row, values=tuple(fields.get(title, "") for title in header))
    return EchoTable(
        files,
        tuple(header),
        list(rows.values()),
        {name: frames for table in tables for name, frames in table.tracings.items()},
        [problem for table in tables for problem in table.problems],
        has_tracings=any(table.has_tracings for table in tables),
    )


def _read_traces(path: Path, videos: Sequence[VideoInfo], order: TraceOrder) -> tuple[Tracings | None, list[Problem]]:
    """Return the tracings, or None without a file that can be read, and what is wrong with them."""
    if not path.exists():
        text = f"{path}: is not there, so no video has tracings"
        return None, [Problem("tracing", "", text, "Copy it from the data set if you need traces")]
    try:
        tracings = read_tracings(path, order)
    except EchoAugmentError as error:
        return None, [Problem("tracing", "", error.message, error.remedy)]
    problems = []
    rows = {row.name: row for row in videos}
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
