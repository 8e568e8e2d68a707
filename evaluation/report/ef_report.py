"""``report.html`` and ``report.md``: for a reader who wants the answer first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import read_table
from echo_augment.cache import ClipStore
from echo_augment.training_recipes.arms.oracle import OracleGenerator

from ..statistics.ef_summary import Results, first_labels, tabulate
from ..statistics.metrics import Array
from .frames import beating, comparison, contact_sheet
from .pages import Picture, Section, Words, write_pages
from .plots import plot_arms, plot_bland_altman, plot_labels, plot_scatter
from .tables import arm_table, clinical_table, command, contrast_table, fraction_table, range_table, run_table
from .verdict import decide, fraction_words, plain_words

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
    results: Results,
) -> Path:
    """Write ``report.html``, ``report.md`` with ``figures/``, and ``contact_sheet.png`` where there are clips.

    Args:
        out: folder of the report.
        report: what ``report.json`` holds.
        root: of the data set.
        caches: folders of clips by seed and kind.
        results: of the trainings.

    Returns:
        Path of the page.
    """
    _, true, predicted = tabulate(first_labels(results, report))
    arms = Picture("arms", plot_arms(report["arms"]), ARMS_CAPTION)
    sections = [heading(report), Section("Every arm", [arms, arm_table(report)])]
    sections.append(Section("The differences", [contrast_table(report)]))
    if report.get("fractions"):
        labels = Picture("labels", plot_labels(report["fractions"]), LABELS_CAPTION)
        sections.append(Section("Error against labels", [labels, fraction_table(report)]))
    sections += agreement(true, predicted)
    sections.append(Section("Reduced EF, and the scale", [clinical_table(report), range_table(report)]))
    folder = next((kinds["synthetic"] for kinds in caches.values() if "synthetic" in kinds), None)
    if folder is not None:
        sections.append(clip_section(out, root, Path(folder)))
    return write_pages(out, [*sections, *closing(report)])[0]


def agreement(true: Array, predicted: Mapping[str, Array], what: str = "EF") -> list[Section]:
    """Predicted against true EF, and Bland and Altman's plot, for ``(hearts,)`` and, by arm, ``(seeds, hearts)``."""
    scatter = Picture("scatter", plot_scatter(true, predicted), SCATTER_CAPTION)
    differences = Picture("bland_altman", plot_bland_altman(true, predicted), AGREEMENT_CAPTION)
    return [
        Section(f"Predicted against true {what}", [scatter]),
        Section("Agreement (Bland-Altman)", [differences]),
    ]


def clip_section(out: Path, root: Path, folder: Path) -> Section:
    """What the synthetic clips of a cache look like, still and beating."""
    table, store = read_table(root), ClipStore(folder)
    oracle = OracleGenerator.of(root) if (root / "phantoms.json").exists() else None
    exact = EXACT_CAPTION if oracle is not None else ""
    sheet = contact_sheet(table, store, out / "contact_sheet.png")
    still = Picture("frames", comparison(table, store, oracle), FRAMES_CAPTION + exact, wide=True)
    moving = Picture("beating", beating(table, store, oracle), BEATING_CAPTION, wide=True)
    return Section("What the clips look like", [still, moving, Picture("clips", sheet, SHEET_CAPTION, wide=True)])


ARMS_CAPTION = (
    "Diamond: mean over seeds; bar: its interval over hearts and seeds; dots: single seeds. The difference of two arms "
    "is known better than each arm alone, because both are tested on the same hearts: see the next table."
)
LABELS_CAPTION = "Mean over seeds with intervals; points are moved apart sideways so that they can be told apart."
SCATTER_CAPTION = "One point for each TEST heart, the mean over seeds."
AGREEMENT_CAPTION = (
    "One point for each TEST heart, the mean over seeds. Line: bias; dashed: limits of agreement, bias ± 1.96 standard "
    "deviations, also in the title."
)
FRAMES_CAPTION = (
    "Each row: ED and ES of the motion donor, which gives the label; ED of the appearance donor, which gives the "
    "looks; ED and ES of the synthetic clip."
)
EXACT_CAPTION = " Last: the exact counterfactual, drawn from the parameters of both phantoms with its own speckle."
BEATING_CAPTION = "The same in motion, each at its own moment of the beat."
SHEET_CAPTION = "First two real TRAIN clips, then synthetic ones. Also in contact_sheet.png."


def heading(report: Mapping[str, Any]) -> Section:
    """Title, verdict and what the data are."""
    contrast = report["contrasts"].get("synthetic-real")
    parts = [Words(words)] if (words := plain_words(report)) else []
    if lines := fraction_words(report):
        parts.append(Words("\n".join(lines), "list"))
    return opening(report, "EF regression", decide(contrast["mae"], report["level"]) if contrast else "unknown", parts)


def opening(report: Mapping[str, Any], task: str, answer: str, more: Sequence[Words] = ()) -> Section:
    """The first section of a report: how large it was, the verdict, and what the data are.

    Args:
        report: what ``report.json`` holds.
        task: in words.
        answer: as `decide` has it.
        more: what stands between verdict and caveat.
    """
    hearts = report["hearts"]
    kind = "phantom" if report["data"] == "phantom" else "few" if hearts["test"] < FEW_HEARTS else "real"
    sub = (
        f"{task} with {report['labelled_hearts']} labelled hearts of {hearts['train']}, {len(report['seeds'])} seeds, "
        f"{hearts['test']} TEST {'heart' if hearts['test'] == 1 else 'hearts'}"
    )
    parts = [Words(sub, "sub"), Words(report["verdict"], f"verdict {answer.replace(' ', '-')}"), *more]
    return Section("Does the augmentation help?", [*parts, Words(CAVEATS[kind].format(**hearts), "caveat")])


def closing(report: Mapping[str, Any]) -> list[Section]:
    """The last sections of a report: what was run, how to run it again, and notes where there are any."""
    again = [Words("Run it again:"), Words(command(report), "code")]
    sections = [Section("What was run", [run_table(report), *again])]
    if report["notes"] or report["skipped"]:
        lines = [*report["notes"], *(f"{name}: left out, {reason}" for name, reason in report["skipped"])]
        sections.append(Section("Notes", [Words("\n".join(lines), "list")]))
    return sections
