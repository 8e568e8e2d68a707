"""Check a dataset's folder: find every problem, not only the first, and state the facts of the data."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

from .containers import COPY_AGAIN
from .csv_files import VIDEO_SUFFIXES, to_number, video_name, without_zeros
from .layouts.finding import DataFolder, find_files
from .probe import RATE_TOLERANCE, VideoFacts, probe_video
from .records import Problem, VideoInfo
from .same_videos import find_leaks
from .splits import HELD_OUT, TRAIN, is_unseen
from .table import EchoTable, read_table
from .tracing import tracing_volume
from .video import read_frames, read_video

TRACING_WARNINGS = {"tracing", "untraced", "order", "lines", "area"}
TABLE_WARNINGS = {"ESV", "EDV", "no EF", "facts", "unlisted", "volumes", "word"}
WARNINGS = frozenset({"short", "frames", "size", "fps", *TABLE_WARNINGS, *TRACING_WARNINGS})
"""Kinds of problems that stop no EF training; all others are errors."""

SHORT = 64  # frames: the usual clip takes 32 frames with period 2
LINES = 21  # the long axis and 20 chords
AREA_TOLERANCE = 20.0  # EF points, wide: the area-length formula is rough, wrong tracings are farther off
EF_TOLERANCE = 5.0  # EF points by which the table's EF may differ from the one of its volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """Counts and ranges of a dataset's usable videos.

    Attributes:
        videos: number of usable videos.
        splits: videos a split.
        traced: videos with two traced frames or more.
        folds: videos a fold; empty if the table has no folds.
        ef: ``n``, ``mean``, ``sd``, ``min`` and ``max`` of EF in percent; empty if no video has one.
        fps: ``min``, ``median`` and ``max`` of the frames per second.
        frames: ``min``, ``median`` and ``max`` of the number of frames.
        sizes: videos a frame size (``"112x112"``, width first), the most common first.
    """

    videos: int
    splits: dict[str, int]
    traced: int
    folds: dict[str, int]
    ef: dict[str, float]
    fps: dict[str, float]
    frames: dict[str, float]
    sizes: dict[str, int]

    def to_json(self) -> dict[str, int | dict[str, int] | dict[str, float]]:
        """Return the facts by name, without those that are empty."""
        always = ("videos", "splits", "traced")
        return {name: value for name, value in asdict(self).items() if name in always or value}


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a check-up found.

    Attributes:
        problems: all problems; see `WARNINGS`.
        facts: facts of the usable videos; None if there is no usable table.
    """

    problems: list[Problem] = field(default_factory=list)
    facts: DataFacts | None = None

    @property
    def errors(self) -> list[Problem]:
        """Return the problems that are errors."""
        return [problem for problem in self.problems if problem.kind not in WARNINGS]


def check_dataset(
    root: DataFolder,
    *,
    decode: bool = False,
    ef_unit: str | None = None,
    follow_links: bool = True,
    progress: Callable[[list[VideoInfo]], Iterable[VideoInfo]] = iter,
) -> Checkup:
    """Check a dataset's folder: the table, every video file, tracings, leaks between the splits.

    Args:
        root: folder of the dataset, as `read_table` takes it.
        decode: decode every frame of every video (10 ms each) instead of opening it and decoding the first (0.4 ms).
        ef_unit: unit of the table's EF, as in `read_table`.
        follow_links: whether a video may be a symbolic link that leads out of the folder.
        progress: wraps the list of videos while they are opened, to show how far it is.
    """
    try:
        table = read_table(find_files(root, ef_unit=ef_unit, follow_links=follow_links))
    except EchoAugmentError as error:
        return Checkup([Problem("folder", "", error.message, error.remedy)])
    problems = said_once(table)
    opened: dict[str, VideoFacts] = {}
    for row in progress(table.rows):
        try:
            opened[row.name] = probe_video(row.path)
            if decode:
                check_frames(row.path)
        except EchoAugmentError as error:
            opened.pop(row.name, None)
            problems.append(Problem("video", row.name, error.message, error.remedy, row.split, row.fold))
    good = [row for row in table.rows if row.name in opened]
    problems += split_problems(table) + patient_problems(table) + file_problems(table, opened) + label_problems(table)
    problems += tracing_problems(table) + leak_problems(good)
    return Checkup(problems, data_facts(table, opened))


def said_once(table: EchoTable) -> list[Problem]:
    """Return the table's problems, with one in place of many where no row at all has volumes or tracings."""
    problems = list(dict.fromkeys(table.problems))
    for kind, where in (("ESV", table.files.named), ("EDV", table.files.named), ("untraced", tracing_file(table))):
        found = [problem for problem in problems if problem.kind == kind]
        if len(found) > 1 and len(found) == len(table.rows):
            what = "two traced frames" if kind == "untraced" else f"a usable {kind}"
            first = f"{where}: none of {len(table.rows)} videos has {what}"
            remedy = "Only targets of that name need it; EF without tracings has require_tracings=False"
            problems = [problem for problem in problems if problem.kind != kind]
            problems.append(Problem(kind, "", first, remedy))
    return problems


def check_frames(path: Path) -> None:
    """Decode a whole video, and see that frames read alone equal the same frames read in order.

    Raises:
        EchoAugmentError: a frame does not decode, or differs.
    """
    frames, _fps = read_video(path)
    for index in sorted({len(frames) - 1, len(frames) // 2, len(frames) // 3, 0}):
        if not np.array_equal(read_frames(path, [index])[0], frames[index]):
            raise EchoAugmentError(f"{path}: frame {index} read alone differs from the one read in order", COPY_AGAIN)


def many_missing(messages: Sequence[str], splits: str) -> str:
    """Say in one line that many rows have no video, and whether the rest is usable.

    Args:
        messages: what is said of each such row.
        splits: usable videos a split, as text; ``"none"`` or ``"None"`` if there are none.
    """
    usable = splits.lower() != "none"
    rest = f"the others can be used ({splits})" if usable else "no other row can be used"
    remedy = 'Copy the videos; on_error="skip" takes the rest' if usable else "Copy the videos, or check data.root"
    return f"{len(messages)} rows name videos that are not there (the first: {messages[0]}); {rest}. {remedy}"


def file_problems(table: EchoTable, opened: Mapping[str, VideoFacts]) -> list[Problem]:
    """Return where files and table disagree: lengths, sizes, tracings beyond the end, files that no row names."""
    problems = []

    def add(kind: str, row: VideoInfo, text: str, remedy: str) -> None:
        problems.append(Problem(kind, row.name, f"{row.path}: {text}", remedy, row.split, row.fold))

    sizes = Counter((facts.height, facts.width) for facts in opened.values())
    usual = sizes.most_common(1)[0][0] if sizes else None
    for row in table.rows:
        facts = opened.get(row.name)
        if facts is None:
            continue
        if row.n_frames not in (-1, facts.frames):
            text = f"has {facts.frames} frames, NumberOfFrames says {row.n_frames}"
            add("frames", row, text, "The file is believed; check that it is the right one")
        if row.fps > 0 and abs(row.fps - facts.fps) > RATE_TOLERANCE * facts.fps:
            add("fps", row, f"plays at {facts.fps:g} frames a second, FPS says {row.fps:g}", "The file is believed")
        if facts.frames < SHORT:
            add("short", row, f"has {facts.frames} frames; clips of {SHORT} are filled up with zeros", "Lower length")
        if (facts.height, facts.width) != usual:
            add("size", row, f"is {facts.width}x{facts.height}, most are not", "Videos of one batch need one size")
        width, height = stated_size(table, row)
        if (width > 0 and width != facts.width) or (height > 0 and height != facts.height):
            text = f"is {facts.width}x{facts.height}, FrameWidth and FrameHeight say {width:g}x{height:g}"
            add("size", row, text, "The file is believed; check its tracing, if it has one")
        beyond = [frame for frame in table.tracings.get(row.name, {}) if frame >= facts.frames]
        if beyond and row.n_frames != facts.frames:
            add("tracing", row, f"is traced in frame {beyond[0]}, it has {facts.frames}", "Mend or drop the tracing")
    listed = {row.name for row in table.rows} | {problem.video for problem in table.problems}
    folders = {folder for listing in table.files.lists for folder in listing.folders}
    files = sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    spare = [path for path in files if video_name(path.name) not in listed]
    if spare:
        names = ", ".join(path.name for path in spare[:3])
        text = f"{spare[0].parent}: {len(spare)} videos are in no row of {table.files.named.name}: {names}"
        problems.append(Problem("unlisted", "", text, "Nothing uses them; drop them or add rows"))
    return problems


def stated_size(table: EchoTable, row: VideoInfo) -> tuple[float, float]:
    """Return width and height of a video by the table; NaN for what it does not state."""
    text = dict(zip(table.header, row.values, strict=False))
    return to_number(text.get("FrameWidth", "")), to_number(text.get("FrameHeight", ""))


def patient_problems(table: EchoTable) -> list[Problem]:
    """Return the patients whose videos are in several splits or folds, where the table says whom a video shows."""
    found: dict[str, dict[tuple[str, int | None], str]] = {}
    for row in table.rows:
        if row.patient:
            found.setdefault(row.patient, {}).setdefault((row.split, row.fold), row.name)
    problems = []
    for places in found.values():  # named by their videos: the report keeps no patient's name
        if len(places) > 1:
            where = " and ".join(
                f"{name} ({split if fold is None else f'fold {fold}'})" for (split, fold), name in places.items()
            )
            text = f"{table.files.named}: {where} show one patient"
            remedy = "Put all videos of a patient into one split; the leak guard refuses such donors"
            problems.append(Problem("patient", next(iter(places.values())), text, remedy))
    return problems


def split_problems(table: EchoTable) -> list[Problem]:
    """Return what keeps the table's splits from being used: none at all, no TRAIN, words that nobody asks for."""
    where = table.files.named
    if not table.rows:
        return []
    if "Split" not in table.header:
        text = f"{where}: has no column Split; its columns are {', '.join(table.header)}"
        remedy = 'Add one with TRAIN, VAL and TEST, by patient; only split="all" reads the table as it is'
        return [Problem("splits", "", text, remedy)]
    counts = Counter(row.split for row in table.rows)
    there = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
    problems = []
    if TRAIN not in counts:
        text = f"{where}: no usable row is in TRAIN; there are {there}"
        problems.append(Problem("splits", "", text, "Nothing can be trained on it; put patients into TRAIN"))
    for word in sorted(counts.keys() - {TRAIN, *HELD_OUT}):
        text = f"{where}: {counts[word]} rows have the split {word}, which is none of TRAIN, VAL and TEST"
        problems.append(Problem("word", "", text, f"Mend them, if it is a slip; split={word!r} reads them"))
    return problems


def label_problems(table: EchoTable) -> list[Problem]:
    """Return labels that contradict one another: EF and volumes; and that there is no EF at all."""
    problems = []
    if "EF" not in table.header:
        text = f"{table.files.named}: has no column EF; its columns are {', '.join(table.header)}"
        problems.append(Problem("no EF", "", text, "It gives targets by these names; what learns EF needs labels"))
    for row in table.rows:
        by_volume = 100 * (row.edv - row.esv) / row.edv if row.edv > 0 else np.nan
        if abs(by_volume - row.ef) > EF_TOLERANCE:
            text = f"{table.files.named}: {row.name} has EF {row.ef:g}, its volumes give {by_volume:.1f}"
            problems.append(Problem("volumes", row.name, text, "Check which is right", row.split, row.fold))
    return problems


def tracing_file(table: EchoTable) -> Path:
    """Return the file of the tracings, or the folder if there are several, for a message."""
    paths = [listing.tracings for listing in table.files.lists if listing.tracings is not None]
    return paths[0] if len(paths) == 1 else table.root


def tracing_problems(table: EchoTable) -> list[Problem]:
    """Return tracings of another number of lines than EchoNet's, and those whose areas do not fit the volumes."""
    problems = []
    listed = {row.name for row in table.rows} | {problem.video for problem in table.problems}
    spare = [name for name in table.tracings if name not in listed]
    if spare:
        names = ", ".join(spare[:3])
        text = f"{tracing_file(table)}: {len(spare)} traced videos are in no row of {table.files.named.name}: {names}"
        untraced = {without_zeros(row.name) for row in table.rows if row.name not in table.tracings}
        alike = [name for name in spare if without_zeros(name) in untraced]
        remedy = f"{alike[0]} has lost zeros in front, or has them too much; mend it" if alike else "Nothing uses them"
        problems.append(Problem("unlisted", "", text, remedy))
    for row in table.rows:
        frames = table.tracings.get(row.name, {})
        where = f"{tracing_file(table)}: {row.name}"
        for frame, tracing in frames.items():
            if tracing.shape[1] == 4 and len(tracing) != LINES:
                text = f"{where} has {len(tracing)} lines in frame {frame}, EchoNet-Dynamic has {LINES}"
                problems.append(Problem("lines", row.name, text, "Check the tracing", row.split, row.fold))
        if len(frames) < 2 or not (row.edv > 0 and row.esv >= 0):
            continue
        small, *_, large = (tracing_volume(tracing) for tracing in frames.values())
        traced, told = (100 * (1 - es / ed) if ed > 0 else np.nan for es, ed in ((small, large), (row.esv, row.edv)))
        if abs(traced - told) > AREA_TOLERANCE:
            text = f"{where} is traced with an EF of {traced:.0f} by area and length, its volumes give {told:.0f}"
            problems.append(Problem("area", row.name, text, "Check tracing and volumes", row.split, row.fold))
    return problems


def leak_problems(rows: Iterable[VideoInfo]) -> list[Problem]:
    """Return TRAIN videos that are VAL or TEST videos under another name."""
    rows = list(rows)
    train = [row for row in rows if row.split == TRAIN]
    held_out = [row for row in rows if is_unseen(row.split)]
    try:
        leaks = find_leaks(train, held_out)
    except EchoAugmentError as error:
        return [Problem("video", "", error.message, error.remedy)]
    return [
        Problem("leak", leak.donor, f"TRAIN video {leak}", "Drop one of the two from the table", TRAIN)
        for leak in leaks
        if leak.reason != "patient"  # `patient_problems` tells them
    ]


def data_facts(table: EchoTable, opened: Mapping[str, VideoFacts]) -> DataFacts:
    """Count and measure the usable videos."""
    rows = [row for row in table.rows if row.name in opened]
    ef = np.array([row.ef for row in rows if np.isfinite(row.ef)])
    facts = [opened[row.name] for row in rows]
    folds = Counter(row.fold for row in rows if row.fold is not None)
    return DataFacts(
        videos=len(rows),
        splits=dict(sorted(Counter(row.split or "unknown" for row in rows).items())),
        traced=sum(len(table.tracings.get(row.name, {})) >= 2 for row in rows),
        folds={str(fold): count for fold, count in sorted(folds.items())},
        ef={"n": len(ef), "mean": ef.mean(), "sd": ef.std(), "min": ef.min(), "max": ef.max()} if len(ef) else {},
        fps=spread([item.fps for item in facts]),
        frames=spread([item.frames for item in facts]),
        sizes=dict(Counter(f"{item.width}x{item.height}" for item in facts).most_common()),
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, median and largest value; nothing of no values."""
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)} if values else {}
