"""The report of a segmentation benchmark: verdict, tables and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echo_augment.cache import ClipStore
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_sheet, in_rows, png, spread
from echo_augment.training_recipes.segmentation.overlay import COLUMNS, PREDICTED, draw_contours

from ..statistics.ef_summary import tabulate
from ..statistics.segmentation_summary import Hearts, ef_from_masks
from .ef_report import LABELS_CAPTION, agreement, closing, opening
from .pages import Picture, Section, write_pages
from .plots import plot_arms, plot_labels
from .tables import Difference, Table, interval, number
from .tables import contrast_table as difference_table
from .verdict import Figure, decide, gain_sentence
from .verdict import verdict as verdict_on

AXIS = "Dice on TEST; right is better"
ARMS_CAPTION = (
    "Diamond: mean over seeds of the mean over hearts; bar: its interval over hearts and seeds; dots: single seeds."
)
OVERLAY_CAPTION = (
    "TEST hearts from the worst to the best of the first seed at ED and ES: traced contour green, predicted red. Arm: "
)
CLIPS_CAPTION = (
    "Synthetic clips at ED and ES with the masks that a segmenter trained on the labelled hearts drew: what the arm "
    "learns from. In the title: the confidence that the cache keeps."
)
NOTES = (
    "Dice: of each heart's ED and ES pixels together, then the mean over hearts. Pooled: over the pixels of all "
    "hearts, as echonet reports it. Hausdorff: 95 %, mean of ED and ES. EF from masks by the method of discs."
)


def answer(contrast: Mapping[str, Any], level: float = 0.95) -> str:
    """``helped``, ``harmed``, ``no difference`` or ``unknown`` from a difference of Dice (arm minus real)."""
    ends = contrast["ci"]
    return decide({**contrast, "ci": None if ends is None else (-ends[1], -ends[0])}, level)


def _tell_dice(name: str, found: str, dice: Mapping[str, Any], percent: int, _: float, means: str) -> str:
    words = f"{dice['diff']:+.3f} ({percent} % interval {dice['ci'][0]:+.3f} to {dice['ci'][1]:+.3f}; {means})."
    if found == "no difference":
        return f"{name} made no difference to the masks that could be shown: Dice {words}"
    return f"{name} {found}: Dice {words}"


DICE = Figure("dice", "mean Dice {before:.3f} without, {after:.3f} with", "{size:.3f}", answer, _tell_dice)


def verdict(report: Mapping[str, Any], arm: str = "synthetic") -> str:
    """What a report's figures say about ``arm`` against ``real``, and of the oracle's gain, in plain words."""
    return " ".join(filter(None, [verdict_on(report, arm, DICE), gain_sentence(report)]))


def arm_table(report: Mapping[str, Any]) -> Table:
    """Every arm's Dice, Hausdorff distance and error of EF from masks."""
    rows = []
    for name, arm in report["arms"].items():
        far = number(arm["hd95"]["mean"]) + (f" ({number(arm['hd95_mm']['mean'])} mm)" if "hd95_mm" in arm else "")
        rows.append(
            [
                name,
                number(arm["dice"]["mean"], ".3f"),
                interval(arm["dice"]["ci"], ".3f"),
                ", ".join(number(value, ".3f") for value in arm["dice"]["per_seed"]),
                number(arm["dice_ed"]["mean"], ".3f"),
                number(arm["dice_es"]["mean"], ".3f"),
                number(arm["pooled"]["dice"]["mean"], ".3f"),
                far,
                number(arm["ef_mae"]["mean"], ".1f") if "ef_mae" in arm else number(None),
            ]
        )
    percent = f"{100 * report['level']:.0f} % interval"
    header = ["arm", "Dice", percent, "single seeds", "ED", "ES", "pooled", "Hausdorff, px", "MAE of EF from masks"]
    reasons = sorted({arm["dice"]["reason"] for arm in report["arms"].values() if "reason" in arm["dice"]})
    return Table(header, rows, [NOTES, *(f"No interval: {reason}." for reason in reasons)])


def _dice_words(cell: Mapping[str, Any], level: float) -> str:
    found = answer(cell, level)
    words = {"helped": "higher Dice", "harmed": "lower Dice", "unknown": "cannot be said"}
    return words.get(found, f"{found} shown")


def contrast_table(report: Mapping[str, Any]) -> Table:
    """Differences of Dice between arms, paired by heart and seed."""
    good = "Positive: the first arm's masks are better."
    return difference_table(report, Difference("dice", "difference of", "Dice", ".3f", good, _dice_words))


def masked_clips(folder: Path, count: int = 6) -> bytes:
    """A PNG of some clips of a cache at ED and ES with the outline of their masks."""
    store, tiles = ClipStore(folder), []
    for place in spread(len(store), count):
        clip = store[int(place)]
        if clip.masks is None or min(clip.ed_frame, clip.es_frame) < 0:
            continue
        title = f"EF {clip.ef:.0f}  confidence {clip.confidence:.2f}"
        for k in (clip.ed_frame, clip.es_frame):
            tiles.append(Tile(title, draw_contours(clip.frames[k], [(clip.masks[k], PREDICTED)])[None]))
    return png(draw_sheet(in_rows(tiles, COLUMNS)))


def write_report_pages(
    out: Path, report: Mapping[str, Any], caches: Mapping[str, str], overlays: Mapping[str, Path], hearts: Hearts
) -> Path:
    """Write ``report.html`` and ``report.md``.

    Args:
        out: folder of the report.
        report: what ``report.json`` holds.
        caches: folder of clips by kind, of the first seed.
        overlays: a picture of TEST hearts by arm, of the first seed.
        hearts: what was measured, by arm, seed and TEST heart.

    Returns:
        Path of the page.
    """
    arms = Picture("arms", plot_arms(report["arms"], metric="dice", axis=AXIS, form=".3f"), ARMS_CAPTION)
    sections = [heading(report), Section("Every arm", [arms, arm_table(report)])]
    sections.append(Section("The differences", [contrast_table(report)]))
    if report.get("fractions"):
        plot = plot_labels(report["fractions"], metric="dice", axis="Dice on TEST")
        sections.append(Section("Dice against labels", [Picture("labels", plot, LABELS_CAPTION)]))
    read = ef_from_masks(hearts)
    if read is not None:
        _, true, predicted = tabulate(read)
        sections += agreement(true, predicted, "EF, from masks")
    looks = [
        Picture(f"overlay_{arm}", path.read_bytes(), OVERLAY_CAPTION + arm, wide=True)
        for arm, path in overlays.items()
        if path.exists()
    ]
    if looks:
        sections.append(Section("What the masks look like", looks))
    if "synthetic" in caches:
        clips = Picture("clips", masked_clips(Path(caches["synthetic"])), CLIPS_CAPTION, wide=True)
        sections.append(Section("Masks of synthetic clips", [clips]))
    return write_pages(out, [*sections, *closing(report)])[0]


def heading(report: Mapping[str, Any]) -> Section:
    """Title, verdict and what the data are."""
    contrast = report["contrasts"].get("synthetic-real")
    return opening(report, "LV segmentation", answer(contrast["dice"], report["level"]) if contrast else "unknown")
