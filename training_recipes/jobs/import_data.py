"""The job ``import``: DICOM, videos or CAMUS into a data set in EchoNet-Dynamic's layout, without names."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import MISSING, DictConfig

from echo_augment.augmentor.data.importers import Imported, ImportPlan, ImportReport, import_clips, report_of
from echo_augment.augmentor.data.importers.layout import Row
from echo_augment.augmentor.data.video import read_video
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow

from ..common.contact_sheet import Tile, draw_sheet, in_rows, png, strip, write_picture
from ..common.reporting import REPORT, write_report
from ..common.settings import TEXT, JobSettings, register, settings_from

SHEET_CLIPS, SHEET_FRAMES, SHEET_HEIGHT = 40, 4, 200
PRIVATE = ("files", "labels", "key")  # settings that may hold a name: the report in the data set keeps none of them
WORD = "This is an aid, not a guarantee: look at every contact sheet before you pass the data set on."


@dataclass(kw_only=True)
class Columns:
    """The user's names of a label table's columns; None to find them.

    Attributes:
        name: of the file, with or without its extension, or of the SOP Instance UID.
        study: of the Study Instance UID or Accession Number.
        patient: of the Patient ID.
        ef: ejection fraction in percent.
        edv: end-diastolic volume in mL.
        esv: end-systolic volume in mL.
        split: TRAIN, VAL, TEST or a fold.
        fps: frames per second.
    """

    name: str | None = None
    study: str | None = None
    patient: str | None = None
    ef: str | None = None
    edv: str | None = None
    esv: str | None = None
    split: str | None = None
    fps: str | None = None


@dataclass(kw_only=True)
class ImportSettings(JobSettings):
    """What ``import`` is told.

    Attributes:
        source: typed ``from=``: ``dicom``, ``video`` or ``camus``.
        files: typed ``data=``: a folder, a file, or a list of them.
        labels: CSV table of labels; None for none.
        columns: its columns.
        size: height and width of the clips in pixels.
        fps: frames per second of every clip, whatever files say.
        colour: colour flow: ``refuse`` the clip, or ``drop_box``.
        region: ``[x0, y0, x1, y1]`` of the B-mode picture in pixels, in every file; None to find it.
        beat_seconds: shorter clips are refused where the file states no heart rate.
        splits: shares of TRAIN, VAL and TEST among patients that no table puts into one.
        patient: videos: ``file``, ``folder``, or a regular expression with one group.
        views: CAMUS: ``2CH``, ``4CH``.
        quality: CAMUS: image qualities that come in; empty for all.
        key: file of the secret key.
        workers: processes; None for all cores.
    """

    source: str = MISSING
    files: Any = field(default=MISSING, metadata=TEXT)
    labels: str | None = None
    columns: Columns = field(default_factory=Columns)
    size: int = 112
    fps: float | None = None
    colour: str = "refuse"
    region: list[int] | None = None
    beat_seconds: float = 0.6
    splits: list[float] = field(default_factory=lambda: [0.75, 0.125, 0.125])
    patient: str = "file"
    views: list[str] = field(default_factory=lambda: ["2CH", "4CH"])
    quality: list[str] = field(default_factory=list)
    key: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.plan()
        self.roots()
        if self.workers is not None:
            check_whole("workers", self.workers, 1)

    def check_inputs(self) -> None:
        """Look for the files and the label table."""
        for path in self.roots():
            if not path.exists():
                raise EchoAugmentError(f"{path}: there is no such folder or file", "data= names what to import")
        if self.labels is not None and not Path(self.labels).is_file():
            raise EchoAugmentError(f"labels={self.labels}: there is no such file", "Give a CSV table, or leave it out")

    def plan(self) -> ImportPlan:
        """How files are read.

        Raises:
            EchoAugmentError: a value out of its range.
        """
        if self.region is not None and len(self.region) != 4:
            raise EchoAugmentError(f"region must be [x0, y0, x1, y1], got {self.region}")
        return ImportPlan(
            source=self.source,
            image_size=self.size,
            fps=self.fps,
            colour=self.colour,
            region=None if self.region is None else (*self.region,),  # type: ignore[arg-type]
            beat_seconds=self.beat_seconds,
            patient=self.patient,
            views=tuple(self.views),
        )

    def roots(self) -> list[Path]:
        """Folders and files to import.

        Raises:
            EchoAugmentError: neither a path nor a list of them.
        """
        files = [self.files] if isinstance(self.files, str) else self.files
        if not isinstance(files, list) or not files or not all(isinstance(one, str) for one in files):
            raise EchoAugmentError(f"data must be a folder, a file or a list of them, got {self.files!r}")
        return [Path(one) for one in files]


def run(cfg: DictConfig) -> None:
    """Import ``data`` into the folder ``out``; write ``report.json`` and contact sheets there.

    Raises:
        EchoAugmentError: a setting out of its range, nothing to import, or a folder, key or table that does not fit.
    """
    settings = settings_from(cfg, ImportSettings)
    out = Path(settings.out)
    done = import_clips(
        settings.roots(),
        out,
        settings.plan(),
        labels=None if settings.labels is None else Path(settings.labels),
        columns=asdict(settings.columns),
        shares=settings.splits,
        qualities=settings.quality,
        seed=settings.seed,
        key=None if settings.key is None else Path(settings.key),
        workers=settings.workers,
        progress=lambda results, count: follow(results, "import", unit="file", total=count),
    )
    sheets = write_sheets(out, done.rows)
    report = report_of(done)
    shown = cfg.copy()
    for name in PRIVATE:
        shown[name] = "(not kept)"
    write_report(out, "import", shown, {**asdict(report), "seeds": [settings.seed], "sheets": sheets})
    print(told(done, report))
    print(f"{WORD} {out / sheets[0] if sheets else ''}".rstrip())
    clips, patients = (
        f"{n} {name}{'s'[: n != 1]}" for n, name in ((report.clips, "clip"), (report.patients, "patient"))
    )
    print(f"{clips} of {patients} {'is' if report.clips == 1 else 'are'} in {out}; see {out / REPORT}")


def told(done: Imported, report: ImportReport) -> str:
    """What came in and what was left out, in some lines."""
    lines = [f"read now {report.new}, by an earlier run {report.before}"]
    lines += [f"left out {count}: {report.reasons[kind]}" for kind, count in report.left_out.items()]
    if report.label_rows or report.label_problems:
        lines.append(
            f"label table: {report.label_rows_used} of {report.label_rows} rows joined, {report.with_ef} clips with EF"
        )
        lines += [f"label table: {problem}" for problem in done.table.problems[:3]]
    lines.append(f"splits: {', '.join(f'{name} {count}' for name, count in report.splits.items()) or 'none'}")
    if (found := report.agreement) is not None:
        lines.append(
            f"EF by discs against the stated one: {found.mae:.1f} points off, mean {found.bias:+.1f}, n {found.n}"
        )
    new = "a new key was made" if done.key_is_new else "key"
    lines.append(
        f"{new}: {done.key}; with it and {done.links.name} names can be found again. Keep both apart from the data"
    )
    return "\n".join(lines)


def write_sheets(out: Path, rows: Sequence[Row]) -> list[str]:
    """Draw every clip as it was written: some frames, and the brightest of all frames, which shows any letter."""
    for old in out.glob("contact_sheet_*.png"):
        old.unlink()
    names = []
    for first in range(0, len(rows), SHEET_CLIPS):
        tiles = [tile(out, row) for row in rows[first : first + SHEET_CLIPS]]
        names.append(f"contact_sheet_{first // SHEET_CLIPS + 1}.png")
        write_picture(out / names[-1], png(draw_sheet(in_rows(tiles, 2), height=SHEET_HEIGHT)))
    return names


def tile(out: Path, row: Row) -> Tile:
    """A clip's frames and their maximum side by side, under its name."""
    frames, _ = read_video(out / "Videos" / f"{row.clip.name}.avi")
    facts = f"{row.split}, {row.clip.fps:.0f}/s, {row.clip.masked:.0%} drawn over"
    pictures = np.concatenate([strip(frames, SHEET_FRAMES), frames.max(axis=0)[None]], axis=2)
    return Tile(f"{row.clip.name} {facts}; last: brightest of all frames", pictures)


register("import", ImportSettings)
