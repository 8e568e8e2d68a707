"""MAFE's losses as a document: what each brings to interpolation and to the motion that a generated clip shows."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..report.pages import Section, Words
from ..report.tables import MISSING, Table, number
from .documents import StudiedGenerator, document_command, write_study

NAME = "mafe-losses"
LOSSES = {
    "interp": "interpolation alone",
    "reid": "interpolation and re-identification",
    "flow": "interpolation and optical flow",
    "both": "all three",
}
HEADER = ["MAFE's losses", "training, s", "PSNR", "SSIM", "R2", "MAE", "weight motion / appearance", "PSNR", "SSIM"]
LIMITS = (
    "Phantoms only, preset `tiny`, one training of each row, with one seed. The losses have the preset's weights "
    "(re-identification 0.3, flow 2), not the paper's (1 and 0.01).\n"
    "The generator is a motion transport that reads MAFE's flow (`preset.transport.flow=mafe`), without a denoising "
    "step. The trainings are short (MAFE {mafe} steps, transport {transport}, {videos} phantoms): rows can be compared "
    "with each other, not with the bundled generator."
)


def document(found: Mapping[str, StudiedGenerator]) -> list[Section]:
    """Return the sections of the document.

    Args:
        found: the generators, by MAFE's losses.
    """
    one = next(iter(found.values()))
    steps = {name: one.train.stages[name].steps for name in ("mafe", "transport")}
    what = "\n".join(f"`{losses}`: {LOSSES[losses]}" for losses in found)
    return [
        Section("What do MAFE's losses bring? Phantoms", [Words(verdict(found), "verdict"), Words(asked(one))]),
        Section("Interpolation, then the swap test", [Table(HEADER, table(found)), Words(what, "list")]),
        Section("Run it again", [Words("make mafe-losses", "code")]),
        Section("Limits", [Words(LIMITS.format(**steps, videos=one.train.videos), "list")]),
    ]


def asked(one: StudiedGenerator) -> str:
    """Return what the figures of the table are, in words."""
    return (
        "The first PSNR and SSIM are of the frame halfway between two frames of videos kept aside. The others are of "
        f"generated clips against the exact counterfactual. {one.fidelity.pairs_told()}"
    )


def table(found: Mapping[str, StudiedGenerator]) -> list[list[str]]:
    """Return a row for each generator, and those of the mean of both frames and of the codec's round trip."""
    one = next(iter(found.values()))
    mafe = one.train.stages["mafe"]
    rows = [_row(name, generator) for name, generator in found.items()]
    blend = [number(mafe.blend_psnr, ".1f"), number(mafe.blend_ssim)]
    rows.append(["mean of both frames", MISSING, *blend, *[MISSING] * 5])
    rows.append(["codec round trip of the counterfactual", *[MISSING] * 3, *one.fidelity.rows["codec"].cells()])
    return rows


def _row(losses: str, generator: StudiedGenerator) -> list[str]:
    mafe = generator.train.stages["mafe"]
    middle = [number(mafe.watched_psnr, ".1f"), number(mafe.watched_ssim)]
    return [losses, f"{mafe.seconds:.0f}", *middle, *generator.fidelity.rows["generated"].cells()]


def verdict(found: Mapping[str, StudiedGenerator]) -> str:
    """Return one sentence: the order by interpolation, and that by the EF of generated clips."""
    psnr = {losses: one.train.stages["mafe"].watched_psnr or 0.0 for losses, one in found.items()}
    r2 = {losses: one.fidelity.rows["generated"].r2 for losses, one in found.items()}
    sharp = ", ".join(f"{losses} {psnr[losses]:.1f} dB" for losses in sorted(psnr, key=lambda losses: -psnr[losses]))
    moving = ", ".join(f"{losses} R2 {r2[losses]:.2f}" for losses in sorted(r2, key=lambda losses: -r2[losses]))
    return f"Interpolation, best first: {sharp}. EF carried, best first: {moving}. On phantoms."


def write(folder: Path, docs: Path) -> Path:
    """Write the document and its JSON, and return the document's path.

    Args:
        folder: of a sweep of ``train-generator`` over ``losses``: in each run's folder its ``report.json`` and that of
            ``fidelity`` under ``fidelity/``.
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: fewer than two rows are there, or two with the same losses.
    """
    found: dict[str, StudiedGenerator] = {}
    for run in sorted(folder.iterdir()):
        generator = StudiedGenerator.read(run)
        losses = None if generator is None else generator.train.config.losses
        if generator is None or losses not in LOSSES:
            continue
        if losses in found:
            raise EchoAugmentError(f"{folder}: two runs have losses={losses}", "One sweep in one folder")
        found[losses] = generator
    return write_study(docs, NAME, {losses: found[losses] for losses in LOSSES if losses in found}, document)


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.mafe_losses FOLDER DOCS``."""
    return document_command("mafe_losses", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
