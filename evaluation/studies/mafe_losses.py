"""MAFE's losses as a document: what each brings to interpolation and to the motion that a generated clip shows."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError

from ..report.pages import Section, Words, document_command, write_document
from ..report.tables import MISSING, Table, number
from .motion_forms import check_alike, figures, pairs_told

NAME = "mafe-losses"
LOSSES = {
    "interp": "interpolation alone",
    "reid": "interpolation and re-identification",
    "flow": "interpolation and optical flow",
    "both": "all three",
}
LIMITS = (
    "Phantoms only, preset `tiny`, one training of each row, with one seed. The losses have the preset's weights "
    "(re-identification 0.3, flow 2), not the paper's (1 and 0.01).\n"
    "The generator is a motion transport that reads MAFE's flow (`preset.transport.flow=mafe`), without a denoising "
    "step. The trainings are short (MAFE {mafe} steps, transport {transport}, {hearts} hearts): rows can be compared "
    "with each other, not with the bundled generator."
)


def document(runs: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[Section]:
    """The sections of the document.

    Args:
        runs: by losses, the reports of ``train-generator`` and of ``fidelity``.

    Raises:
        EchoAugmentError: the rows were not measured on the same pairs, or by different readers.
    """
    check_alike({losses: measured for losses, (_, measured) in runs.items()}, "make mafe-losses")
    shown = {losses: (train["stages"]["mafe"], measured["rows"]) for losses, (train, measured) in runs.items()}
    header = ["MAFE's losses", "training, s", "PSNR", "SSIM", "R2", "MAE", "weight motion / look", "PSNR", "SSIM"]
    table = [
        [losses, f"{mafe['seconds']:.0f}", *_middle(mafe, "watched"), *figures(rows["generated"])]
        for losses, (mafe, rows) in shown.items()
    ]
    mafe, rows = next(iter(shown.values()))
    table += [
        ["mean of both frames", MISSING, *_middle(mafe, "blend"), *[MISSING] * 5],
        ["codec round trip of the counterfactual", *[MISSING] * 3, *figures(rows["codec"])],
    ]
    asked = (
        "The first PSNR and SSIM are of the frame halfway between two frames of hearts kept aside. The others are of "
        f"generated clips against the exact counterfactual. {pairs_told(next(iter(runs.values()))[1])}"
    )
    train = next(iter(runs.values()))[0]
    steps = {name: train["stages"][name]["steps"] for name in ("mafe", "transport")}
    what = "\n".join(f"`{losses}`: {LOSSES[losses]}" for losses in shown)
    return [
        Section("What do MAFE's losses bring? Phantoms", [Words(verdict(shown), "verdict"), Words(asked)]),
        Section("Interpolation, then the swap test", [Table(header, table), Words(what, "list")]),
        Section("Run it again", [Words("make mafe-losses", "code")]),
        Section("Limits", [Words(LIMITS.format(**steps, hearts=train["hearts"]), "list")]),
    ]


def verdict(shown: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """One sentence: the order by interpolation, and that by the EF of generated clips."""
    sharp = sorted(shown, key=lambda losses: -shown[losses][0]["watched_psnr"])
    moving = sorted(shown, key=lambda losses: -shown[losses][1]["generated"]["r2"])
    psnr = ", ".join(f"{losses} {shown[losses][0]['watched_psnr']:.1f} dB" for losses in sharp)
    r2 = ", ".join(f"{losses} R2 {shown[losses][1]['generated']['r2']:.2f}" for losses in moving)
    return f"Interpolation, best first: {psnr}. EF carried, best first: {r2}. On phantoms."


def _middle(mafe: Mapping[str, Any], whose: str) -> list[str]:
    return [number(mafe[f"{whose}_psnr"], ".1f"), number(mafe[f"{whose}_ssim"])]


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: of a sweep of ``train-generator`` over ``+losses``: in each run's folder its ``report.json`` and that
            of ``fidelity`` under ``fidelity/``.
        docs: where they go; made where it is missing.

    Raises:
        EchoAugmentError: fewer than two rows are there, or two of the same losses.
    """
    runs: dict[str, tuple[Any, Any]] = {}
    for path in sorted(folder.glob("*/fidelity/report.json")):
        trained = path.parent.parent / "report.json"
        if trained.is_file():
            train, measured = (json.loads(one.read_text(encoding="utf-8")) for one in (trained, path))
            losses = str(train["config"].get("losses"))
            if losses in runs:
                raise EchoAugmentError(f"{folder}: two runs have losses={losses}", "One sweep in one folder")
            if losses in LOSSES:
                runs[losses] = (train, measured)
    if len(runs) < 2:
        raise EchoAugmentError(
            f"{folder}: has reports of {len(runs)} runs with +losses, not of two", "make mafe-losses"
        )
    runs = {losses: runs[losses] for losses in LOSSES if losses in runs}
    plain = {losses: {"train": train, "fidelity": measured} for losses, (train, measured) in runs.items()}
    return write_document(docs, NAME, document(runs), plain)


def main(arguments: Sequence[str]) -> int:
    """``python -m echo_augment.evaluation.studies.mafe_losses FOLDER DOCS``."""
    return document_command("losses_page", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
