"""What the studies share: reports of ``train-generator`` and ``fidelity`` as types, and documents."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json

from ..report.pages import Section, markdown
from ..report.tables import number
from ..statistics.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFigures(Record):
    """What ``train-generator`` reports of a stage; ``watched`` and ``blend`` are of MAFE's interpolation alone.

    Attributes:
        steps: optimiser steps.
        seconds: that the stage took.
        watched_psnr: of the interpolated frame in dB.
        watched_ssim: its structural similarity.
        blend_psnr: of the mean of both frames in dB.
        blend_ssim: its structural similarity.
    """

    steps: int | None = None
    seconds: float = 0.0
    watched_psnr: float | None = None
    watched_ssim: float | None = None
    blend_psnr: float | None = None
    blend_ssim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(Record):
    """The setting of ``train-generator`` that a study looks at: which of MAFE's losses were used."""

    losses: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorReport(Record):
    """``report.json`` of ``train-generator``, as far as a study reads it: TRAIN videos, stages by name, settings."""

    videos: int = field(metadata={"key": "hearts"})
    stages: Mapping[str, StageFigures]
    config: TrainingConfig = TrainingConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapFigures(Record):
    """One row of ``fidelity``: clips with the motion of one phantom and the appearance of another.

    Attributes:
        r2: of the EF that the reader sees, against the motion donor's.
        mae: its mean absolute error in EF points.
        motion_weight: of the motion donor's EF in a regression on both donors'.
        appearance_weight: that of the appearance donor's.
        psnr: against the exact counterfactual in dB.
        ssim: likewise.
        steps: denoising steps.
        seconds: for a clip.
    """

    r2: float
    mae: float
    motion_weight: float
    appearance_weight: float
    psnr: float | None = None
    ssim: float | None = None
    steps: int | None = None
    seconds: float | None = None

    def cells(self) -> list[str]:
        """Return R2, MAE, weights of both donors' EF, PSNR and SSIM, as cells of a table."""
        weights = f"{self.motion_weight:.2f} / {self.appearance_weight:.2f}"
        return [number(self.r2), number(self.mae, ".1f"), weights, number(self.psnr, ".1f"), number(self.ssim)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFigures(Record):
    """How well the EF reader reads phantoms that it never saw."""

    r2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityReport(Record):
    """``report.json`` of ``fidelity``, as far as a study reads it.

    Attributes:
        pairs: of phantoms.
        seeds: of the phantoms.
        reader: what reads EF.
        rows: figures by kind of clip.
        curve: figures by number of denoising steps.
    """

    pairs: int
    seeds: tuple[int, ...]
    reader: ReaderFigures
    rows: Mapping[str, SwapFigures]
    curve: tuple[SwapFigures, ...] = ()

    def pairs_told(self) -> str:
        """Return what was measured, and by whom."""
        return (
            f"{self.pairs} pairs of phantoms that nothing was trained on (seed {self.seeds[0]}), motion of one, "
            f"appearance of the other. EF is what a net reads from the clips (R2 {self.reader.r2:.2f} on phantoms it "
            "never saw), against the motion donor's EF."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudiedGenerator(Record):
    """A generator of a study: how it was trained, and what ``fidelity`` measured."""

    train: GeneratorReport
    fidelity: FidelityReport

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what lies in ``folder``: its ``report.json`` and ``fidelity/report.json``; None if one is missing."""
        paths = folder / "report.json", folder / "fidelity" / "report.json"
        if not all(path.is_file() for path in paths):
            return None
        train, measured = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
        return cls(train=GeneratorReport.from_json(train), fidelity=FidelityReport.from_json(measured))


def check_alike(found: Mapping[str, StudiedGenerator], remedy: str) -> None:
    """Raise if generators were not measured on the same pairs, or by different readers.

    Raises:
        EchoAugmentError: with what differs.
    """
    settings = {name: (one.fidelity.pairs, one.fidelity.seeds, one.fidelity.reader.r2) for name, one in found.items()}
    if len(set(settings.values())) > 1:
        raise EchoAugmentError(f"they were measured differently (pairs, seeds, reader's R2): {settings}", remedy)


def write_study(
    docs: Path,
    name: str,
    found: Mapping[str, StudiedGenerator],
    document: Callable[[Mapping[str, StudiedGenerator]], list[Section]],
) -> Path:
    """Write the document of a study of generators with their figures beside it, and return the document's path.

    Args:
        docs: folder for both; made if it is missing.
        name: of the document.
        found: the generators, by what makes them differ.
        document: makes the sections.

    Raises:
        EchoAugmentError: fewer than two generators, or they cannot be compared.
    """
    remedy = f"make {name}"
    if len(found) < 2:
        raise EchoAugmentError(f"there are reports of {len(found)} generators, not of two", remedy)
    check_alike(found, remedy)
    sections = document(found)
    write_json(_made(docs) / f"{name}.json", {key: one.to_json() for key, one in found.items()})
    return write_document(docs, name, sections)


def write_document(docs: Path, name: str, sections: Sequence[Section]) -> Path:
    """Write ``<docs>/<name>.md`` without pictures and return its path."""
    page = _made(docs) / f"{name}.md"
    with atomic_path(page) as temporary:
        temporary.write_text(markdown(sections), encoding="utf-8")
    return page


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def document_command(module: str, write: Callable[[Path, Path], Path], arguments: Sequence[str]) -> int:
    """Do what ``python -m echo_augment.evaluation.studies.<module> FOLDER DOCS`` asks for; return the exit code."""
    if len(arguments) != 2:
        print(f"usage: python -m echo_augment.evaluation.studies.{module} FOLDER DOCS", file=sys.stderr)
        return 2
    try:
        print(f"see {write(Path(arguments[0]), Path(arguments[1]))} and the JSON beside it")
    except EchoAugmentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
