"""``report.html`` and ``report.md`` of a segmentation benchmark."""

from collections.abc import Mapping
from pathlib import Path

from echo_augment.cache import ClipStore
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_sheet, in_rows, png, spread
from echo_augment.training_recipes.segmentation.overlay import COLUMNS, PREDICTED, draw_contours

from ..statistics.comparison import Table as Predictions
from ..statistics.results import ArmFigures, LevelFigures
from .content import BenchmarkReport
from .pages import Picture, Section, write_pages
from .sections import agreement, arms_sections, closing, opening
from .tables import MISSING, Table, interval, missing_notes, number, percent, seeds
from .verdict import DICE

OVERLAY_CAPTION = (
    "TEST videos from the worst to the best of the first seed at ED and ES: traced contour green, predicted red. Arm: "
)
CLIPS_CAPTION = (
    "Synthetic clips at ED and ES with the masks that a segmenter trained on the labelled videos drew: what the arm "
    "learns from. In the title: the confidence that the cache keeps."
)
NOTES = (
    "Dice: of each video's ED and ES pixels together, then the mean over videos. Pooled: over the pixels of all "
    "videos, as echonet reports it. Hausdorff: 95 %, mean of ED and ES. EF from masks by the method of discs."
)


def write_segmentation_report(
    out: Path, report: BenchmarkReport, from_masks: Predictions | None, clips: Path | None, overlays: Mapping[str, Path]
) -> Path:
    """Write ``report.html``, and ``report.md`` with ``figures/``.

    Args:
        out: folder of the report.
        report: what was found.
        from_masks: EF of the TEST videos as the masks show it; None where it is not known.
        clips: a cache of synthetic clips; None without one.
        overlays: a picture of TEST videos by arm, of the first seed.

    Returns:
        Path of the page.
    """
    sections = [opening(report, "LV segmentation", DICE)]
    sections += arms_sections(report, arm_table(report, report.level), DICE, "Dice against labels")
    if from_masks is not None:
        sections += agreement(from_masks, "EF, from masks")
    drawn = [
        Picture(f"overlay_{arm}", path.read_bytes(), OVERLAY_CAPTION + arm, wide=True)
        for arm, path in overlays.items()
        if path.exists()
    ]
    if drawn:
        sections.append(Section("What the masks look like", drawn))
    if clips is not None:
        sheet = Picture("clips", masked_clips(clips), CLIPS_CAPTION, wide=True)
        sections.append(Section("Masks of synthetic clips", [sheet]))
    return write_pages(out, [*sections, *closing(report)])[0]


def arm_table(found: LevelFigures, level: float) -> Table:
    """Return every arm's Dice, Hausdorff distance and error of EF from masks."""
    rows = [
        [
            name,
            number(arm["dice"].mean, ".3f"),
            interval(arm["dice"].ci, ".3f"),
            seeds(arm["dice"], ".3f"),
            number(arm["dice_ed"].mean, ".3f"),
            number(arm["dice_es"].mean, ".3f"),
            MISSING if arm.pooled is None else number(arm.pooled["dice"].mean, ".3f"),
            _far(arm),
            number(arm["ef_mae"].mean, ".1f") if "ef_mae" in arm.figures else MISSING,
        ]
        for name, arm in found.arms.items()
    ]
    header = ["arm", "Dice", percent(level), "single seeds", "ED", "ES", "pooled", "Hausdorff, px"]
    notes = [NOTES, *missing_notes(found, ["dice"], "No interval")]
    return Table([*header, "MAE of EF from masks"], rows, notes)


def _far(arm: ArmFigures) -> str:
    scaled = f" ({number(arm['hd95_mm'].mean)} mm)" if "hd95_mm" in arm.figures else ""
    return number(arm["hd95"].mean) + scaled


def masked_clips(folder: Path, count: int = 6) -> bytes:
    """Return a PNG of some clips of a cache at ED and ES with the outline of their masks."""
    store, tiles = ClipStore(folder), []
    for place in spread(len(store), count):
        clip = store[int(place)]
        if clip.masks is None or min(clip.ed_frame, clip.es_frame) < 0:
            continue
        title = f"EF {clip.ef:.0f}  confidence {clip.confidence:.2f}"
        for k in (clip.ed_frame, clip.es_frame):
            tiles.append(Tile(title, draw_contours(clip.frames[k], [(clip.masks[k], PREDICTED)])[None]))
    return png(draw_sheet(in_rows(tiles, COLUMNS)))
