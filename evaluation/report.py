"""``report.html``: one page that stands alone, for a reader who wants the answer first."""

import base64
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import read_table
from echo_augment.cache import ClipStore
from echo_augment.cache.files import atomic_path
from echo_augment.training_recipes.oracle import OracleGenerator

from .frames import comparison, contact_sheet
from .plots import plot_arms, plot_labels, plot_scatter
from .summary import tabulate
from .tables import arm_table, command, contrast_table, run_table
from .verdict import decide

CAVEATS = {
    "phantom": "Phantom data, not EchoNet-Dynamic: procedural hearts whose EF is known exactly. What helps here need "
    "not help on patients.",
    "few": "A check that the chain runs on these clips, not a measurement: {train} TRAIN and {test} TEST hearts are "
    "too few. The bundled generator was trained on phantoms: the quality of its clips of real hearts is not "
    "claimed.",
    "real": "The bundled generator was trained on phantoms; unless another one was trained on this data set's TRAIN "
    "split, the quality of its clips of real hearts is not claimed.",
}
FEW_HEARTS = 30


def write_html(
    out: Path,
    report: Mapping[str, Any],
    root: Path,
    caches: Mapping[str, Mapping[str, str]],
    results: Mapping[Path, Mapping[str, Any]],
) -> Path:
    """Write ``<out>/report.html``, and ``contact_sheet.png`` where there are synthetic clips.

    Args:
        out: folder of the report.
        report: what ``report.json`` holds.
        root: of the data set.
        caches: folders of clips by seed and kind.
        results: of the trainings.

    Returns:
        Path of the page.
    """
    first: dict[str, dict[int, Any]] = {}
    for result in results.values():
        if result["arm"] != "full" and result["labelled_hearts"] != report["labelled_hearts"]:
            continue
        first.setdefault(str(result["arm"]), {})[int(result["seed"])] = result["predictions"]
    _, true, predicted = tabulate(first)
    parts = [heading(report)]
    parts.append(section("Every arm", image(plot_arms(report["arms"]), ARMS_CAPTION), arm_table(report)))
    parts.append(section("The differences", contrast_table(report)))
    if report.get("fractions"):
        parts.append(section("Error against labels", image(plot_labels(report["fractions"]), LABELS_CAPTION)))
    parts.append(section("Predicted against true EF", image(plot_scatter(true, predicted), SCATTER_CAPTION)))
    folder = next((kinds["synthetic"] for kinds in caches.values() if "synthetic" in kinds), None)
    if folder is not None:
        table, store = read_table(root), ClipStore(folder)
        oracle = OracleGenerator.of(root) if (root / "phantoms.json").exists() else None
        sheet = contact_sheet(table, store, out / "contact_sheet.png")
        strip = comparison(table, store, oracle)
        caption = FRAMES_CAPTION + (EXACT_CAPTION if oracle is not None else "")
        parts.append(section("What the clips look like", image(strip, caption, "frames")))
        parts.append(section("Generated clips over time", image(sheet.read_bytes(), SHEET_CAPTION, "frames")))
    parts.append(section("What was run", run_table(report), f"<p>Run it again:</p><pre>{command(report)}</pre>"))
    if report["notes"] or report["skipped"]:
        lines = [*report["notes"], *(f"{name}: left out, {reason}" for name, reason in report["skipped"])]
        parts.append(section("Notes", "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"))
    path = out / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page("echo-augment: does it help?", "\n".join(parts)), encoding="utf-8")
    return path


ARMS_CAPTION = (
    "Diamond: mean over seeds; bar: its interval over hearts and seeds; dots: single seeds. The difference of two arms "
    "is known better than each arm alone, because both are tested on the same hearts: see the next table."
)
LABELS_CAPTION = "Mean over seeds with intervals; points are moved apart sideways so that they can be told apart."
SCATTER_CAPTION = "One point for each TEST heart, the mean over seeds."
FRAMES_CAPTION = (
    "Each row: ED and ES of the motion donor, which gives the label; ED of the appearance donor, which gives the "
    "looks; ED and ES of the synthetic clip."
)
EXACT_CAPTION = " Last: the exact counterfactual, drawn from the parameters of both phantoms with its own speckle."
SHEET_CAPTION = "First two real TRAIN clips, then synthetic ones. Also in contact_sheet.png."


def heading(report: Mapping[str, Any]) -> str:
    """Title, verdict and what the data are."""
    contrast = report["contrasts"].get("synthetic-real")
    answer = decide(contrast["mae"]) if contrast else "unknown"
    hearts = report["hearts"]
    if report["data"] == "phantom":
        caveat = CAVEATS["phantom"]
    else:
        caveat = CAVEATS["few" if hearts["test"] < FEW_HEARTS else "real"].format(**hearts)
    plural = "heart" if hearts["test"] == 1 else "hearts"
    sub = (
        f"EF regression with {report['labelled_hearts']} labelled hearts of {hearts['train']}, "
        f"{len(report['seeds'])} seeds, {hearts['test']} TEST {plural}"
    )
    return (
        f"<h1>Does the augmentation help?</h1><p class='sub'>{escape(sub)}</p>"
        f"<p class='verdict {answer.replace(' ', '-')}'>{escape(report['verdict'])}</p>"
        f"<p class='caveat'>{escape(caveat)}</p>"
    )


def section(title: str, *parts: str) -> str:
    """A part of the page under a title."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def image(png: bytes, caption: str, kind: str = "") -> str:
    """A picture inside the page."""
    data = base64.b64encode(png).decode()
    return (
        f"<figure class='{kind}'><div class='wide'><img alt='{escape(caption, quote=True)}' "
        f"src='data:image/png;base64,{data}'></div><figcaption>{escape(caption)}</figcaption></figure>"
    )


def page(title: str, body: str) -> str:
    """The whole page, its style inside."""
    style = files("echo_augment.evaluation").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>\n{body}\n</body></html>\n"
    )
