"""The forms of motion as a document: the same phantoms, the same training cost, one table."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..report.pages import Section, Words
from ..report.tables import MISSING, Table, number
from .documents import FidelityReport, GeneratorReport, StudiedGenerator, SwapFigures, document_command, write_study

NAME = "motion-forms"
FORMS = {
    "vector": "one vector a clip, the means of MAFE's motion features of ED and ES frame: MCDM's form, in this "
    "project's size",
    "mafe": "a code a frame: MAFE's flow from the ED frame on a coarse grid",
    "flow": "a code a frame: the flow estimator's flow from the ED frame on a coarse grid",
    "transport": "a code a frame, learned behind a bottleneck, and a net that says where it moves the appearance "
    "donor's latents",
}
CEILINGS = {"codec": "codec round trip of the counterfactual", "counterfactual": "exact counterfactual"}
COST = ("transport", "denoiser")  # what each form trains for itself
EQUAL = 0.1  # costs that differ by a smaller share are called equal
HEADER = ["motion", "training, s", "its steps", "sampler's steps", "R2", "MAE", "weight motion / appearance", "PSNR"]
LIMITS = (
    "Phantoms only, and nets of preset `tiny`, trained for minutes: with a GPU's days another form may be better.\n"
    "One training of each form, with one seed.\n"
    "The number of steps is the best of those tried, on the same pairs; this favours every form that has a choice."
)


def document(found: Mapping[str, StudiedGenerator]) -> list[Section]:
    """Return the sections of the document.

    Args:
        found: the generators, by form of motion.

    Raises:
        EchoAugmentError: a form was measured at one number of steps, or its report tells of no training.
    """
    seconds = {form: cost(form, one.train) for form, one in found.items()}
    best = {form: best_row(form, one.fidelity) for form, one in found.items()}
    one = next(iter(found.values()))
    asked = (
        f"{one.fidelity.pairs_told()} Training: seconds of transport and denoiser, which each form trains for itself; "
        "codec, re-ID and MAFE are shared."
    )
    rows = [_form_row(form, found[form].train, seconds[form], best[form]) for form in found]
    rows += [[name, *[MISSING] * 3, *one.fidelity.rows[row].cells(), MISSING] for row, name in CEILINGS.items()]
    limits = (
        f"{LIMITS}\n{one.train.videos} phantoms. `vector` and `mafe` alone read MAFE, which had "
        f"{one.train.stages['mafe'].steps} steps: a better MAFE may do more for them."
    )
    what = "\n".join(f"`{form}`: {FORMS[form]}" for form in found)
    curves = [
        [form, str(row.steps), number(row.r2), number(row.mae, ".1f"), number(row.psnr, ".1f")]
        for form, generator in found.items()
        for row in generator.fidelity.curve
    ]
    return [
        Section("Which form of motion? Phantoms", [Words(verdict(best, seconds), "verdict"), Words(asked)]),
        Section("At their best number of steps", [Table([*HEADER, "SSIM", "s a clip"], rows), Words(what, "list")]),
        Section("All steps tried", [Table(["motion", "steps", "R2", "MAE", "PSNR"], curves)]),
        Section("Run it again", [Words("make motion-forms", "code")]),
        Section("Limits", [Words(limits, "list")]),
    ]


def cost(form: str, report: GeneratorReport) -> float:
    """Return the seconds of training of what a form trains for itself.

    Raises:
        EchoAugmentError: the report tells of no such training.
    """
    seconds = [report.stages[name].seconds for name in COST if name in report.stages]
    if not seconds:
        raise EchoAugmentError(f"{form}/report.json tells of no training of {' or '.join(COST)}", "make motion-forms")
    return float(sum(seconds))


def best_row(form: str, report: FidelityReport) -> SwapFigures:
    """Return the figures at the number of steps with the highest R2.

    Raises:
        EchoAugmentError: no curve was measured.
    """
    if not report.curve:
        raise EchoAugmentError(
            f"the form {form} was measured at one number of steps", "echo-augment fidelity ... curve=[1,4,16]"
        )
    return max(report.curve, key=lambda row: row.r2)


def verdict(best: Mapping[str, SwapFigures], seconds: Mapping[str, float]) -> str:
    """Return one sentence: which form carries EF best, and whether they cost the same."""
    told = ", ".join(f"{form} R2 {best[form].r2:.2f}" for form in sorted(best, key=lambda form: -best[form].r2))
    low, high = min(seconds.values()), max(seconds.values())
    same = "about equal" if high <= (1 + EQUAL) * low else f"unequal ({low:.0f} to {high:.0f} s)"
    return f"EF carried by the form of motion, best first: {told}. Training cost {same}. On phantoms."


def _form_row(form: str, train: GeneratorReport, seconds: float, row: SwapFigures) -> list[str]:
    steps = [f"{name} {train.stages[name].steps}" for name in COST if name in train.stages]
    return [form, f"{seconds:.0f}", ", ".join(steps), str(row.steps), *row.cells(), number(row.seconds)]


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: with ``<form>/report.json`` of ``train-generator`` and ``<form>/fidelity/report.json``, for two forms
            or more.
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: fewer than two forms are there, or they cannot be compared.
    """
    read = {form: StudiedGenerator.read(folder / form) for form in FORMS}
    return write_study(docs, NAME, {form: one for form, one in read.items() if one is not None}, document)


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.motion_forms FOLDER DOCS``."""
    return document_command("motion_forms", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
