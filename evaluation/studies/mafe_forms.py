"""Forms of MAFE's losses as a document: MCDM never published its own, so our reading is held against the others."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..report.pages import Section, Words
from ..report.tables import Table
from .documents import StudiedGenerator, document_command, write_study
from .mafe_losses import HEADER, asked, table, verdict

NAME = "mafe-forms"
FORMS = {
    "ours": "squared distance of unit vectors; flows from the middle frame to both, by the size of the motion",
    "reid-cosine": "one minus the cosine instead, half the squared distance of unit vectors",
    "reid-raw": "squared distance of the vectors as they are",
    "flow-pair": "the flow from the first frame to the second instead of those from the middle frame to both",
    "flow-pixels": "differences of flow in pixels, whatever the size of the motion",
}
ONE_EACH = "One training of each: the order shows no form to be better than another."
LIMITS = (
    "Phantoms only, preset `tiny`, one training of each row, with one seed; all have the preset's weights "
    "(re-identification 0.3, flow 2), though another form is another unit.\n"
    "Which form MCDM has is not known: its code names the losses and gives their weights, but the file that holds them "
    "is in none of its commits.\n"
    "MAFE had {mafe} steps, the transport that reads its flow {transport}, on {videos} phantoms: rows can be compared "
    "with each other, not with the bundled generator.\n"
    "Times are wall time, one training after the other on a machine in use: they say nothing of the forms."
)


def document(found: Mapping[str, StudiedGenerator]) -> list[Section]:
    """Return the sections of the document.

    Args:
        found: the generators, by the form of MAFE's losses.
    """
    one = next(iter(found.values()))
    steps = {name: one.train.stages[name].steps for name in ("mafe", "transport")}
    what = "\n".join(f"`{form}`: {FORMS[form]}" for form in found)
    header = ["form of MAFE's losses", *HEADER[1:]]
    return [
        Section(
            "Which forms of MAFE's losses? Phantoms",
            [Words(f"{verdict(found)} {ONE_EACH}", "verdict"), Words(asked(one))],
        ),
        Section("Interpolation, then the swap test", [Table(header, table(found)), Words(what, "list")]),
        Section("Run it again", [Words("make mafe-forms", "code")]),
        Section("Limits", [Words(LIMITS.format(**steps, videos=one.train.videos), "list")]),
    ]


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: has a folder for each form, under its name, with the ``report.json`` of ``train-generator`` and that of
            ``fidelity`` under ``fidelity/``; forms that are missing are left out.
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: fewer than two forms are there, or they were measured differently.
    """
    found = {form: one for form in FORMS if (one := StudiedGenerator.read(folder / form)) is not None}
    return write_study(docs, NAME, found, document)


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.mafe_forms FOLDER DOCS``."""
    return document_command("mafe_forms", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
