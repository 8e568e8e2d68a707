"""Data sets with faults of table, videos, tracings and settings, each combination told by its number."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from echo_augment.augmentor.data import write_video

NAMES = ("A", "B", "C", "V", "T")
SPLITS = dict(zip(NAMES, ("TRAIN", "TRAIN", "TRAIN", "VAL", "TEST"), strict=True))
HEADER = ["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"]
HEIGHT, WIDTH, FRAMES = 24, 32, 14


@dataclass
class Case:
    """A data set that is being spoilt, and how it will be read.

    Attributes:
        root: its folder.
        rng: draws the places of the faults.
        header: columns of FileList.csv.
        rows: fields of each row by the name of its video.
        extra: lines after the rows, and in front of them with a negative place.
        separator: between fields.
        encode: from the text of the table to its bytes.
        tracings: lines of VolumeTracings.csv; None for no file.
        settings: ``ef_unit`` and ``follow_links``.
        targets: what is read.
        faults: names of the faults, for the message.
    """

    root: Path
    rng: np.random.Generator
    header: list[str]
    rows: dict[str, list[str]]
    extra: list[str] = field(default_factory=list)
    separator: str = ","
    encode: Callable[[str], bytes] = str.encode
    tracings: list[str] | None = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ("EF",)
    faults: list[str] = field(default_factory=list)

    def any_row(self) -> list[str]:
        """Return a row."""
        return self.rows[str(self.rng.choice(list(self.rows)))]

    def put(self, title: str, value: str, *, everywhere: bool = False) -> None:
        """Set a column in one row, or in all."""
        if title in self.header:
            for fields in self.rows.values() if everywhere else [self.any_row()]:
                if len(fields) > (place := self.header.index(title)):
                    fields[place] = value

    def any_video(self) -> Path:
        """Return the file of a video."""
        return self.root / "Videos" / f"{self.rng.choice(NAMES)}.avi"

    def write(self) -> None:
        """Write the tables."""
        lines = [self.separator.join(fields) for fields in (self.header, *self.rows.values())] + self.extra
        (self.root / "FileList.csv").write_bytes(self.encode("\n".join(lines) + "\n"))
        if self.tracings is not None:
            (self.root / "VolumeTracings.csv").write_text("\n".join(self.tracings) + "\n", encoding="utf-8")


def pictures(seed: int, frames: int = FRAMES, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (frames, 4, 4), dtype=np.uint8)
    return np.stack([cv2.resize(picture, size) for picture in coarse])


def base_videos(folder: Path) -> Path:
    """Write the sound videos that every case begins with."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(NAMES):
        write_video(folder / f"{name}.avi", pictures(seed), 50)
    return folder


def traced(name: str, frame: int, half: int) -> list[str]:
    axis = [f"{name}.avi,15,3,15,17,{frame}"]
    return axis + [f"{name}.avi,{15 - half},{y},{15 + half},{y},{frame}" for y in range(4, 17, 2)]


def make(number: int, root: Path, videos: Path) -> Case:
    """Write the data set of a number: up to four faults at once, none in one of ten."""
    rng = np.random.default_rng([17, number])
    shutil.copytree(videos, root / "Videos")
    rows = {
        name: [name, str(30 + 7 * k), "40", "90", "24", "32", "50", str(FRAMES), SPLITS[name]]
        for k, name in enumerate(NAMES)
    }
    lines = ["FileName,X1,Y1,X2,Y2,Frame"]
    lines += [line for name in NAMES for line in (*traced(name, 2, 8), *traced(name, 9, 4))]
    case = Case(root, rng, list(HEADER), rows, tracings=lines)
    if rng.random() < 0.3:
        case.targets = ("LargeTrace", "SmallTrace")
    late = []
    for _ in range(0 if rng.random() < 0.1 else int(rng.integers(1, 5))):
        name = str(rng.choice(list(FAULTS)))
        case.faults.append(name)
        late.append(FAULTS[name](case))
    case.write()
    for after in late:
        if callable(after):
            after()
    return case


Fault = Callable[[Case], Any]


def put(title: str, *values: str, everywhere: bool = False) -> Fault:
    return lambda case: case.put(title, str(case.rng.choice(values)), everywhere=everywhere)


def rename(title: str, *others: str) -> Fault:
    def fault(case: Case) -> None:
        if title in case.header:
            case.header[case.header.index(title)] = str(case.rng.choice(others))

    return fault


def drop(title: str) -> Fault:
    def fault(case: Case) -> None:
        if title in case.header:
            place = case.header.index(title)
            del case.header[place]
            for fields in case.rows.values():
                del fields[place : place + 1]

    return fault


def column(title: str, values: Callable[[Case, str], str]) -> Fault:
    def fault(case: Case) -> None:
        case.header.append(title)
        for name, fields in case.rows.items():
            fields.append(values(case, name))

    return fault


def scaled(factor: float) -> Fault:
    def fault(case: Case) -> None:
        if "EF" in case.header:
            place = case.header.index("EF")
            for fields in case.rows.values():
                if len(fields) > place:
                    try:
                        fields[place] = f"{factor * float(fields[place]):g}"
                    except ValueError:
                        continue

    return fault


def encoded(change: Callable[[bytes], bytes]) -> Fault:
    def fault(case: Case) -> None:
        before = case.encode
        case.encode = lambda text: change(before(text))

    return fault


def on_table(change: Callable[[Case], None]) -> Fault:
    return change


def repeated(case: Case, *, other: bool) -> None:
    fields = list(case.any_row())
    if other and len(fields) > 1:
        fields[1] = "61"
    case.extra.append(case.separator.join(fields))


def separated(separator: str, comma: bool) -> Fault:
    def fault(case: Case) -> None:
        case.separator = separator
        if comma:
            for fields in case.rows.values():
                fields[1:3] = [one.replace(".", ",") for one in fields[1:3]]

    return fault


def index_columns(case: Case) -> None:
    case.header.insert(0, "")
    for number, fields in enumerate(case.rows.values()):
        fields.insert(0, str(number))


def on_file(change: Callable[[Case, Path], None]) -> Fault:
    def fault(case: Case) -> Callable[[], None]:
        path = case.any_video()
        return lambda: change(case, path) if path.is_file() and path.stat().st_size and not path.is_symlink() else None

    return fault


def cut(case: Case, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(case.rng.integers(0, len(content)))])


def flipped(case: Case, path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in case.rng.integers(0, len(content), int(case.rng.integers(1, 30))):
        content[place] ^= 1 << int(case.rng.integers(8))
    path.write_bytes(bytes(content))


def zeroed(case: Case, path: Path) -> None:
    content = bytearray(path.read_bytes())
    start = int(case.rng.integers(0, len(content)))
    content[start : start + 400] = bytes(len(content[start : start + 400]))
    path.write_bytes(bytes(content))


def riff(case: Case, path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:8] = int(case.rng.choice([0, 2**32 - 1, 12345])).to_bytes(4, "little")
    path.write_bytes(bytes(content))


def folder_instead(case: Case, path: Path) -> None:
    path.unlink()
    path.mkdir()


def linked(case: Case, path: Path, *, there: bool) -> None:
    outside = case.root.parent / f"{case.root.name}-outside"
    outside.mkdir(exist_ok=True)
    target = outside / path.name
    shutil.move(path, target)
    path.symlink_to(target if there else outside / "gone.avi")


def copied(case: Case, path: Path) -> None:
    if path.name != "V.avi":
        shutil.copyfile(case.root / "Videos" / "V.avi", path)


def rewritten(frames: int, size: tuple[int, int], fps: float) -> Callable[[Case, Path], None]:
    return lambda case, path: write_video(path, pictures(99, frames, size), fps)


def on_traces(change: Callable[[Case, list[str]], list[str] | None]) -> Fault:
    def fault(case: Case) -> None:
        if case.tracings is not None:
            case.tracings = change(case, case.tracings)

    return fault


def worse_line(case: Case, lines: list[str], *parts: str) -> list[str]:
    if not lines:
        return lines
    place = int(case.rng.integers(1, len(lines))) if len(lines) > 1 else 0
    fields = lines[place].split(",")
    fields[int(case.rng.integers(0, len(fields)))] = str(case.rng.choice(parts))
    return [*lines[:place], ",".join(fields), *lines[place + 1 :]]


def setting(**given: Any) -> Fault:
    return lambda case: case.settings.update(given)


FAULTS: dict[str, Fault] = {
    "EF is no number": put("EF", "", "nan", "N/A", "Couldn't calculate", "-", "inf", "1e400", "5 5"),
    "EF out of range": put("EF", "-1", "100.1", "150", "1e9"),
    "EF with a sign": put("EF", "55%", " 55 ", "+55", "5.5e1", "0", "100"),
    "EF in fractions": scaled(0.01),
    "EF in hundredths": scaled(100),
    "volumes": put("EDV", "", "x", "-3", "0", "nan"),
    "a split of another word": put("Split", "FOO", "train ", "Validation", "dev", "testing"),
    "no split": put("Split", "", "nan", "none"),
    "splits in folds": put("Split", "0", "3.0", "8", "9", "12", "-1"),
    "all in one split": put("Split", "TEST", "TRAIN", "VAL", "FOO", "", everywhere=True),
    "a name that leaves": put("FileName", "../A", "/etc/passwd", "C:\\A.avi", "a/../../b"),
    "a name of no file": put("FileName", "", " ", ".", "A.mp4", "a", "A.AVI", "gone", "A\x00"),
    "a name with a suffix": put("FileName", "A.avi", " B ", "C.avi "),
    "rates": put("FPS", "", "0", "-5", "25", "fast", "nan", "1e400"),
    "lengths": put("NumberOfFrames", "", "0", "-5", "7", "13.5", "many", "inf", "1e400", "nan"),
    "sizes": put("FrameHeight", "", "768", "0", "x"),
    "no column EF": drop("EF"),
    "no column Split": drop("Split"),
    "no column FileName": drop("FileName"),
    "no column FPS": drop("FPS"),
    "another name for EF": rename("EF", "ef", "Ejection Fraction", " EF ", "LVEF", "ejection_fraction"),
    "another name for FileName": rename("FileName", "file_name", "File Name", "video", "Name"),
    "another name for Split": rename("Split", "split", "Fold", "set", "SPLIT "),
    "a column twice": column("EF", lambda case, name: str(case.rng.integers(20, 80))),
    "patients": column("Patient", lambda case, name: str(case.rng.choice(["p1", "p2", "", "n/a"]))),
    "a patient each": column("Patient ID", lambda case, name: name),
    "a row twice": lambda case: repeated(case, other=False),
    "a row twice with another EF": lambda case: repeated(case, other=True),
    "a line too long": lambda case: case.any_row().extend(["x", "y"]),
    "a line too short": lambda case: case.any_row().pop(),
    "empty fields past the end": lambda case: case.any_row().extend(["", ""]),
    "blank lines": lambda case: case.extra.extend(["", "  ", ",,,,,,,,"]),
    "a quote that is not closed": lambda case: case.extra.append('"A,50'),
    "semicolons": separated(";", comma=True),
    "tabs": separated("\t", comma=False),
    "index columns": index_columns,
    "a BOM": encoded(lambda data: b"\xef\xbb\xbf" + data),
    "CRLF": encoded(lambda data: data.replace(b"\n", b"\r\n")),
    "no newline at the end": encoded(lambda data: data.rstrip(b"\r\n")),
    "not UTF-8": encoded(lambda data: data + b"\xff\xfe,1\n"),
    "UTF-16": encoded(lambda data: data.decode("utf-8", "ignore").encode("utf-16")),
    "a NUL": encoded(lambda data: data + b"\x00"),
    "an empty table": encoded(lambda data: b""),
    "a header alone": encoded(lambda data: data.split(b"\n")[0] + b"\n"),
    "no table": lambda case: lambda: (case.root / "FileList.csv").unlink(missing_ok=True),
    "no folder of videos": lambda case: lambda: shutil.rmtree(case.root / "Videos", ignore_errors=True),
    "a video that broke off": on_file(cut),
    "bits that flipped": on_file(flipped),
    "zeros in a video": on_file(zeroed),
    "a RIFF size that is off": on_file(riff),
    "an empty video": on_file(lambda case, path: path.write_bytes(b"")),
    "a text for a video": on_file(lambda case, path: path.write_text("no video")),
    "a video that is not there": on_file(lambda case, path: path.unlink()),
    "a folder for a video": on_file(folder_instead),
    "a link": on_file(lambda case, path: linked(case, path, there=True)),
    "a link to nothing": on_file(lambda case, path: linked(case, path, there=False)),
    "a copy of a VAL video": on_file(copied),
    "a video of one frame": on_file(rewritten(1, (WIDTH, HEIGHT), 50)),
    "a video of another size": on_file(rewritten(FRAMES, (48, 40), 50)),
    "a video of another rate": on_file(rewritten(FRAMES, (WIDTH, HEIGHT), 25)),
    "a suffix in capitals": on_file(lambda case, path: path.rename(path.with_suffix(".AVI"))),
    "a suffix of another kind": on_file(lambda case, path: path.rename(path.with_suffix(".mp4"))),
    "a video in no row": on_file(lambda case, path: shutil.copyfile(path, path.with_name("spare.avi"))),
    "no tracings": on_traces(lambda case, lines: None),
    "an empty file of tracings": on_traces(lambda case, lines: []),
    "a header of tracings alone": on_traces(lambda case, lines: lines[:1]),
    "a tracing that is no number": on_traces(lambda case, lines: worse_line(case, lines, "x", "", "nan", "inf", "-5")),
    "a tracing past the end": on_traces(lambda case, lines: worse_line(case, lines, "99", "13", "14", "1e9")),
    "tracings twice": on_traces(lambda case, lines: [*lines, *lines[1:]]),
    "tracings in disorder": on_traces(lambda case, lines: [*lines[:1], *sorted(lines[1:])]),
    "tracings of few": on_traces(lambda case, lines: lines[: int(case.rng.integers(1, max(2, len(lines))))]),
    "unit percent": setting(ef_unit="percent"),
    "unit fraction": setting(ef_unit="fraction"),
    "unit hundredths": setting(ef_unit="hundredths"),
    "a unit that there is not": setting(ef_unit="promille"),
    "links forbidden": setting(follow_links=False),
}  # fmt: skip
