"""``report.html`` and ``report.md`` of an EF benchmark: for a reader who wants the answer first."""

from collections.abc import Sequence
from pathlib import Path

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFiles
from echo_augment.cache import ClipStore
from echo_augment.training_recipes.arms.oracle import OracleGenerator

from ..statistics.comparison import Table as Predictions
from ..statistics.results import Calibration, LevelFigures
from .content import BenchmarkReport
from .frames import beating, comparison, contact_sheet
from .pages import Picture, Section, Words, write_pages
from .sections import agreement, arms_sections, closing, opening
from .study_tables import crossing_table, range_table
from .tables import MISSING, Table, interval, missing_notes, number, percent, seeds, with_interval
from .verdict import EF_ERROR, fraction_words, plain_words

FRAMES_CAPTION = (
    "Each row: ED and ES of the motion donor, which gives the label; ED of the appearance donor, which gives the "
    "appearance; ED and ES of the synthetic clip."
)
EXACT_CAPTION = " Last: the exact counterfactual, drawn from the parameters of both phantoms with its own speckle."
BEATING_CAPTION = "The same in motion, each at its own moment of the beat."
SHEET_CAPTION = "First two real TRAIN videos, then synthetic clips. Also in contact_sheet.png."


def write_ef_report(
    out: Path, report: BenchmarkReport, predictions: Predictions, data: DataFiles, clips: Path | None
) -> Path:
    """Write ``report.html``, ``report.md`` with ``figures/``, and ``contact_sheet.png`` if there are clips.

    Args:
        out: folder of the report.
        report: what was found.
        predictions: of the TEST videos at the first number of labels.
        data: the data set.
        clips: a cache of synthetic clips; None without one.

    Returns:
        Path of the page.
    """
    sections = [
        heading(report),
        *arms_sections(report, arm_table(report, report.level), EF_ERROR, "Error against labels"),
    ]
    sections += agreement(predictions)
    reduced = [clinical_table(report), range_table(report)]
    if report.crossings:
        reduced.append(crossing_table(report))
    sections.append(Section("Reduced EF, and the scale", reduced))
    if clips is not None:
        sections.append(clip_section(out, data, clips))
    return write_pages(out, [*sections, *closing(report)])[0]


def heading(report: BenchmarkReport) -> Section:
    """Return title, verdict and what the data are."""
    parts = [Words(words)] if (words := plain_words(report)) else []
    if lines := fraction_words(report):
        parts.append(Words("\n".join(lines), "list"))
    return opening(report, "EF regression", EF_ERROR, parts)


def clip_section(out: Path, data: DataFiles, folder: Path) -> Section:
    """Return what the synthetic clips of a cache look like, still and beating."""
    table, store = read_table(data), ClipStore(folder)
    oracle = OracleGenerator.of(data.root) if (data.root / "phantoms.json").exists() else None
    exact = EXACT_CAPTION if oracle is not None else ""
    sheet = contact_sheet(table, store, out / "contact_sheet.png")
    still = Picture("frames", comparison(table, store, oracle), FRAMES_CAPTION + exact, wide=True)
    moving = Picture("beating", beating(table, store, oracle), BEATING_CAPTION, wide=True)
    return Section("What the clips look like", [still, moving, Picture("clips", sheet, SHEET_CAPTION, wide=True)])


def arm_table(found: LevelFigures, level: float) -> Table:
    """Return MAE, RMSE and R2 of every arm."""
    rows = [
        [
            name,
            number(arm["mae"].mean),
            interval(arm["mae"].ci),
            seeds(arm["mae"]),
            number(arm["rmse"].mean),
            number(arm["r2"].mean),
        ]
        for name, arm in found.arms.items()
    ]
    notes = missing_notes(found, ["mae"], "No interval")
    return Table(["arm", "MAE", percent(level), "single seeds", "RMSE", "R²"], rows, notes)


def clinical_table(found: LevelFigures) -> Table:
    """Return who is told apart, and whether the scale is right."""
    rows = [
        [name, *(with_interval(arm[f"auroc_{cut}"]) for cut in (50, 40)), *_scale(arm.calibration)]
        for name, arm in found.arms.items()
    ]
    notes = [
        "AUROC: how well patients with reduced EF are told from the others, 0.5 is chance. Calibration: true EF = "
        "intercept + slope x predicted; 1 and 0 are perfect, a slope above 1 says that predictions are drawn to the "
        "mean. Bias: predicted less true EF."
    ]
    notes += missing_notes(found, ["auroc_50", "auroc_40"], "A figure or interval is missing where it is undefined")
    return Table(["arm", "AUROC, EF < 50", "AUROC, EF < 40", "slope", "intercept", "bias"], rows, notes)


def _scale(found: Calibration | None) -> Sequence[str]:
    if found is None:
        return [MISSING] * 3
    return [with_interval(found.slope), with_interval(found.intercept), with_interval(found.bias, "+.2f")]
