"""The forms of motion as a document: the same hearts, the same training cost, one table."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError

from ..report.pages import Section, Words, document_command, write_document
from ..report.tables import MISSING, Table, number

NAME = "motion-forms"
FORMS = {
    "vector": "the paper's: one vector a clip, MAFE's motion features of the pair of ES and ED frame",
    "mafe": "a code a frame: MAFE's flow from the ED frame on a coarse grid",
    "flow": "a code a frame: the flow teacher's flow from the ED frame on a coarse grid",
    "transport": "a code a frame, learned behind a bottleneck, and a net that says where it moves the look's latents",
}
CEILINGS = {"codec": "codec round trip of the counterfactual", "counterfactual": "exact counterfactual"}
COST = ("transport", "denoiser")  # what each form trains for itself
EQUAL = 0.1  # costs that differ by a smaller share are called equal
LIMITS = (
    "Phantoms only, and nets of preset `tiny`, trained for minutes: with a GPU's days another form may be better.\n"
    "One training of each form, with one seed.\n"
    "The number of steps is the best of those tried, on the same pairs; this favours every form that has a choice."
)


def document(runs: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[Section]:
    """The sections of the document.

    Args:
        runs: by form, the reports of ``train-generator`` and of ``fidelity``.

    Raises:
        EchoAugmentError: the forms were not measured on the same pairs, or by different readers.
    """
    measured = {form: report for form, (_, report) in runs.items()}
    check_alike(measured, "make motion-forms")
    seconds = {form: cost(form, train) for form, (train, _) in runs.items()}
    best = {form: best_row(form, report) for form, report in measured.items()}
    one = next(iter(measured.values()))
    asked = (
        f"{pairs_told(one)} Training: seconds of transport and denoiser, which each form trains for itself; codec, "
        "re-ID and MAFE are shared."
    )
    shown = [_form_row(form, runs[form][0], seconds[form], best[form]) for form in FORMS if form in runs]
    header = [
        "motion",
        "training, s",
        "its steps",
        "sampler's steps",
        "R2",
        "MAE",
        "weight motion / look",
        "PSNR",
        "SSIM",
        "s a clip",
    ]
    ceilings = [_ceiling_row(name, one["rows"][row]) for row, name in CEILINGS.items()]
    train = next(iter(runs.values()))[0]
    limits = (
        f"{LIMITS}\n{train['hearts']} hearts. `vector` and `mafe` alone read MAFE, which had "
        f"{train['stages']['mafe']['steps']} steps: a better MAFE may do more for them."
    )
    what = "\n".join(f"`{form}`: {FORMS[form]}" for form in FORMS if form in runs)
    curves = [
        [form, str(row["steps"]), number(row["r2"]), number(row["mae"], ".1f"), number(row["psnr"], ".1f")]
        for form, report in measured.items()
        for row in report["curve"]
    ]
    return [
        Section("Which form of motion? Phantoms", [Words(verdict(best, seconds), "verdict"), Words(asked)]),
        Section("At their best number of steps", [Table(header, [*shown, *ceilings]), Words(what, "list")]),
        Section("All steps tried", [Table(["motion", "steps", "R2", "MAE", "PSNR"], curves)]),
        Section("Run it again", [Words("make motion-forms", "code")]),
        Section("Limits", [Words(limits, "list")]),
    ]


def check_alike(measured: Mapping[str, Mapping[str, Any]], remedy: str) -> None:
    """Refuse reports of ``fidelity`` that are not of the same pairs, read by the same reader.

    Raises:
        EchoAugmentError: so it is.
    """
    settings = {name: (one["pairs"], tuple(one["seeds"]), one["reader"]["r2"]) for name, one in measured.items()}
    if len(set(settings.values())) > 1:
        raise EchoAugmentError(f"they were measured differently (pairs, seeds, reader's R2): {settings}", remedy)


def pairs_told(measured: Mapping[str, Any]) -> str:
    """What was measured, and by whom."""
    return (
        f"{measured['pairs']} pairs of phantoms that nothing was trained on (seed {measured['seeds'][0]}), motion of "
        f"one, look of the other. EF is what a net reads from the clips (R2 {measured['reader']['r2']:.2f} on phantoms "
        "it never saw), against the motion donor's EF."
    )


def cost(form: str, report: Mapping[str, Any]) -> float:
    """Seconds of training of what a form trains for itself.

    Raises:
        EchoAugmentError: the report tells of no such training.
    """
    seconds = [report["stages"][name]["seconds"] for name in COST if name in report["stages"]]
    if not seconds:
        raise EchoAugmentError(f"{form}/report.json tells of no training of {' or '.join(COST)}", "make motion-forms")
    return float(sum(seconds))


def best_row(form: str, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures at the number of steps with the highest R2.

    Raises:
        EchoAugmentError: no curve was measured.
    """
    if not report.get("curve"):
        raise EchoAugmentError(
            f"the form {form} was measured at one number of steps", "echo-augment fidelity ... curve=[1,4,16]"
        )
    row: Mapping[str, Any] = max(report["curve"], key=lambda row: row["r2"])
    return row


def verdict(best: Mapping[str, Mapping[str, Any]], seconds: Mapping[str, float]) -> str:
    """One sentence: which form carries EF best, and whether they cost the same."""
    ranked = sorted(best, key=lambda form: -best[form]["r2"])
    told = ", ".join(f"{form} R2 {best[form]['r2']:.2f}" for form in ranked)
    low, high = min(seconds.values()), max(seconds.values())
    same = "about equal" if high <= (1 + EQUAL) * low else f"unequal ({low:.0f} to {high:.0f} s)"
    return f"EF carried by the form of motion, best first: {told}. Training cost {same}. On phantoms."


def _form_row(form: str, train: Mapping[str, Any], seconds: float, row: Mapping[str, Any]) -> list[str]:
    steps = [f"{name} {train['stages'][name]['steps']}" for name in COST if name in train["stages"]]
    return [form, f"{seconds:.0f}", ", ".join(steps), str(row["steps"]), *figures(row), number(row["seconds"])]


def _ceiling_row(name: str, row: Mapping[str, Any]) -> list[str]:
    return [name, *[MISSING] * 3, *figures(row), MISSING]


def figures(row: Mapping[str, Any]) -> list[str]:
    """R2, MAE, weights of both donors' EF, PSNR and SSIM, as cells of a table."""
    weights = f"{row['motion_weight']:.2f} / {row['appearance_weight']:.2f}"
    likeness = [number(row.get("psnr"), ".1f"), number(row.get("ssim"))]
    return [number(row["r2"]), number(row["mae"], ".1f"), weights, *likeness]


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: with ``<form>/report.json`` of ``train-generator`` and ``<form>/fidelity/report.json``, for two forms
            or more.
        docs: where they go; made where it is missing.

    Raises:
        EchoAugmentError: fewer than two forms are there.
    """
    runs = {}
    for form in FORMS:
        paths = folder / form / "report.json", folder / form / "fidelity" / "report.json"
        if all(path.is_file() for path in paths):
            train, measured = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
            runs[form] = (train, measured)
    if len(runs) < 2:
        raise EchoAugmentError(f"{folder}: has reports of {len(runs)} forms of motion, not of two", "make motion-forms")
    plain = {form: {"train": train, "fidelity": measured} for form, (train, measured) in runs.items()}
    return write_document(docs, NAME, document(runs), plain)


def main(arguments: Sequence[str]) -> int:
    """``python -m echo_augment.evaluation.studies.motion_forms FOLDER DOCS``."""
    return document_command("forms_page", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
