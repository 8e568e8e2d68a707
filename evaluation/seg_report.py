"""The report of a segmentation benchmark: verdict, tables and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from echo_augment.cache import ClipStore
from echo_augment.training_recipes.seg_overlay import PREDICTED, draw_contours

from .pages import Picture, Section, Words, write_pages
from .plots import plot_arms, plot_labels
from .report import CAVEATS, FEW_HEARTS
from .tables import Table, command, interval, number, p_words, run_table
from .verdict import NAMES, decide

AXIS = "Dice on TEST; right is better"
ARMS_CAPTION = (
    "Diamond: mean over seeds of the mean over hearts; bar: its interval over hearts and seeds; dots: single seeds."
)
LABELS_CAPTION = "Mean over seeds with intervals; points are moved apart sideways so that they can be told apart."
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


def verdict(report: Mapping[str, Any], arm: str = "synthetic") -> str:
    """What a report's figures say about ``arm`` against ``real``, in plain words."""
    contrast = report["contrasts"].get(f"{arm}-real")
    if contrast is None:
        return f"There is no comparison of {arm} with real: one of these arms was not trained."
    dice = contrast["dice"]
    before, after = (report["arms"][name]["dice"]["mean"] for name in ("real", arm))
    name = NAMES.get(arm, f"The arm {arm}")
    means = f"mean Dice {before:.3f} without, {after:.3f} with"
    found = answer(dice, float(report.get("level", 0.95)))
    if found == "unknown":
        return f"Whether {name[0].lower() + name[1:]} helped cannot be said: {dice['reason']} ({means})."
    percent = round(100 * float(report.get("level", 0.95)))
    words = f"{dice['diff']:+.3f} ({percent} % interval {dice['ci'][0]:+.3f} to {dice['ci'][1]:+.3f}; {means})."
    if found == "no difference":
        text = f"{name} made no difference to the masks that could be shown: Dice {words}"
        if dice.get("detectable"):
            text += f" A true difference of {dice['detectable']:.3f} would have been found with 80 % power."
    else:
        text = f"{name} {found}: Dice {words}"
    gain = report["recovered_gain"]
    if gain is not None:
        text += f" It brought {100 * gain:.0f} % of what exact counterfactuals (the oracle) bring on the same data."
    return text


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


def contrast_table(report: Mapping[str, Any]) -> Table:
    """Differences of Dice between arms, paired by heart and seed."""
    rows = []
    several = len(report.get("fractions") or []) > 1
    words = {"helped": "higher Dice", "harmed": "lower Dice", "unknown": "cannot be said"}
    for name, contrast in report["contrasts"].items():
        dice = contrast["dice"]
        first, second = name.split("-", 1)
        row = [f"{first} against {second}", number(dice["diff"], "+.3f"), interval(dice["ci"], "+.3f")]
        row += [p_words(dice["p"]), *([p_words(dice.get("p_holm"))] if several else [])]
        found = answer(dice, report["level"])
        rows.append([*row, number(dice["detectable"], ".3f"), words.get(found, f"{found} shown")])
    percent = f"{100 * report['level']:.0f} % interval"
    header = ["difference of", "Dice", percent, "p", *(["p (Holm)"] if several else []), "detectable", "answer"]
    note = (
        "Positive: the first arm's masks are better. Intervals: BCa bootstrap over hearts, paired by heart and seed, "
        "widened for few seeds. Detectable: the true difference that this design would find with 80 % power."
    )
    return Table(header, rows, [note])


def masked_clips(folder: Path, count: int = 6) -> bytes:
    """A PNG of some clips of a cache at ED and ES with the outline of their masks."""
    store, tiles = ClipStore(folder), []
    for place in np.linspace(0, len(store) - 1, min(count, len(store))).round().astype(int):
        clip = store[int(place)]
        if clip.masks is None or min(clip.ed_frame, clip.es_frame) < 0:
            continue
        title = f"EF {clip.ef:.0f}  confidence {clip.confidence:.2f}"
        pair = [
            draw_contours(clip.frames[k], [(clip.masks[k], PREDICTED)], title) for k in (clip.ed_frame, clip.es_frame)
        ]
        tiles.append(np.hstack(pair))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 2)
    sheet = np.vstack([np.hstack(tiles[k : k + 2]) for k in range(0, len(tiles), 2)])
    return bytes(cv2.imencode(".png", sheet)[1].tobytes())


def write_report_pages(
    out: Path, report: Mapping[str, Any], caches: Mapping[str, str], overlays: Mapping[str, Path]
) -> Path:
    """Write ``report.html`` and ``report.md``.

    Args:
        out: folder of the report.
        report: what ``report.json`` holds.
        caches: folder of clips by kind, of the first seed.
        overlays: a picture of TEST hearts by arm, of the first seed.

    Returns:
        Path of the page.
    """
    arms = Picture("arms", plot_arms(report["arms"], metric="dice", axis=AXIS, form=".3f"), ARMS_CAPTION)
    sections = [heading(report), Section("Every arm", [arms, arm_table(report)])]
    sections.append(Section("The differences", [contrast_table(report)]))
    if report.get("fractions"):
        plot = plot_labels(report["fractions"], metric="dice", axis="Dice on TEST")
        sections.append(Section("Dice against labels", [Picture("labels", plot, LABELS_CAPTION)]))
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
    again = [Words("Run it again:"), Words(command(report), "code")]
    sections.append(Section("What was run", [run_table(report), *again]))
    if report["notes"] or report["skipped"]:
        lines = [*report["notes"], *(f"{name}: left out, {reason}" for name, reason in report["skipped"])]
        sections.append(Section("Notes", [Words("\n".join(lines), "list")]))
    return write_pages(out, sections)[0]


def heading(report: Mapping[str, Any]) -> Section:
    """Title, verdict and what the data are."""
    contrast = report["contrasts"].get("synthetic-real")
    found = answer(contrast["dice"], report["level"]) if contrast else "unknown"
    hearts = report["hearts"]
    kind = "phantom" if report["data"] == "phantom" else "few" if hearts["test"] < FEW_HEARTS else "real"
    plural = "heart" if hearts["test"] == 1 else "hearts"
    sub = (
        f"LV segmentation with {report['labelled_hearts']} labelled hearts of {hearts['train']}, "
        f"{len(report['seeds'])} seeds, {hearts['test']} TEST {plural}"
    )
    parts = [Words(sub, "sub"), Words(report["verdict"], f"verdict {found.replace(' ', '-')}")]
    return Section("Does the augmentation help?", [*parts, Words(CAVEATS[kind].format(**hearts), "caveat")])
