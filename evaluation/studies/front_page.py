"""What the README says in figures: the sentence on the default clips, the table of results, and the moving picture.

    python -m echo_augment.evaluation.studies.front_page .   # other weights are bundled; or, after make protocol:
    python -m echo_augment.evaluation.studies.front_page . runs/protocol/ef-16/report.json

writes, in a checkout, ``docs/evidence/results.json`` (of a report of an EF benchmark on phantoms), then
``docs/assets/pairs.gif`` and what stands in ``README.md`` between the comments ``[start:clips]`` and ``[end:clips]``,
and those of ``results``. Pages of the site take both places in. A test holds them equal to pipeline and JSON.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from echo_augment.augmentor.mcdm.pipeline import MCDMOutput, MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_film, gif, write_picture
from echo_augment.training_recipes.common.text import markdown_table

from ..fidelity.pairs import draw_pairs
from ..report.content import BenchmarkReport, Sizes
from ..report.sections import command
from ..report.tables import interval, percent
from ..statistics.records import Record

PAIRS, SEED = 2, 0  # of the picture: the first ones of the job fidelity's first seed, whatever they look like
SHADES = 64  # grey levels of the picture, for its size
AGAINST = ("real", "classical", "classical_strong")
FIGURES, PICTURE, PAGE = Path("docs/evidence/results.json"), Path("docs/assets/pairs.gif"), Path("README.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Record):
    """A difference of MAE in EF points, and its interval if it has one."""

    diff: float
    ci: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Record):
    """An arm: MAE in EF points, its interval, and its differences to other arms by their names."""

    mae: float
    ci: tuple[float, float] | None
    against: Mapping[str, Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Record):
    """What of a benchmark's report the README tells.

    Attributes:
        command: that ran it.
        verdict: of the report.
        labelled: TRAIN videos with a label.
        videos: in TRAIN, VAL and TEST.
        seeds: number of seeds.
        steps: optimiser steps of every training.
        level: coverage of the intervals.
        fingerprint: of the clips' generator.
        arms: by name.
    """

    command: str
    verdict: str
    labelled: int
    videos: Sizes
    seeds: int
    steps: int
    level: float
    fingerprint: str
    arms: Mapping[str, Row]


def of_report(report: BenchmarkReport) -> Results:
    """Return what the README tells of a report.

    Raises:
        EchoAugmentError: it is not of phantoms, or of another task.
    """
    if (report.data, report.task) != ("phantom", "ef"):
        raise EchoAugmentError(f"a report of {report.task} on {report.data} data", "Run make protocol")
    rows = {}
    for name, arm in report.arms.items():
        cells = {other: report.contrast(f"{name}-{other}", "mae") for other in AGAINST if other != name}
        told = {other: Difference(diff=cell.diff, ci=cell.ci) for other, cell in cells.items() if cell is not None}
        rows[name] = Row(mae=arm["mae"].mean, ci=arm["mae"].ci, against=told)
    return Results(
        command=command(report),
        verdict=report.verdict,
        labelled=report.labelled,
        videos=report.videos,
        seeds=len(report.seeds),
        steps=report.steps,
        level=report.level,
        fingerprint=report.fingerprint,
        arms=rows,
    )


def read_results(path: Path) -> Results:
    """Return what the README tells of ``report.json`` of a benchmark.

    Raises:
        EchoAugmentError: with the file: it is no report, or not one of EF on phantoms.
    """
    try:
        return of_report(BenchmarkReport.from_json(json.loads(path.read_text(encoding="utf-8"))))
    except EchoAugmentError as error:
        raise EchoAugmentError(f"{path}: {error.message}", error.remedy or "Run make protocol") from None
    except ValueError as error:
        raise EchoAugmentError(f"{path}: no JSON ({error})", "Run make protocol") from None


def results(found: Results) -> str:
    """Return the README's table, with the design above it."""
    design = (
        f"On phantoms: {found.labelled} labelled of {found.videos.train} TRAIN videos, {found.videos.test} TEST "
        f"videos, {found.seeds} seeds, {found.steps} steps an arm. Mean absolute error of EF in EF points, and paired "
        f"differences ({percent(found.level)}s):"
    )
    others = [other for other in AGAINST if other in found.arms]
    rows = []
    for name, row in found.arms.items():
        cells = [row.against.get(other) for other in others]
        told = ["" if cell is None else f"{cell.diff:+.2f} ({interval(cell.ci, '+.2f')})" for cell in cells]
        rows.append([f"`{name}`", f"{row.mae:.2f} ({interval(row.ci)})", *told])
    return f"{design}\n\n{markdown_table(['arm', 'error', *[f'against `{other}`' for other in others]], rows)}"


def clips_sentence(pipeline: MCDMPipeline) -> str:
    """Return what makes a pipeline's default clips: diffusion or not, steps, and whose motion features."""
    config, steps = pipeline.config, int(pipeline.config["steps"])
    count = f"{steps} denoising step{'s' if steps > 1 else ''}"
    if config["code"] == "transport":
        net = pipeline.transport.config
        if net["flow"] == "mafe":
            source = "MAFE's motion features" if net["features"] else "MAFE's optical flow"
        else:
            source = "an optical flow estimator (OpenCV's DIS); **MAFE's features play no part**"
        made = "a learned warp of the appearance donor's frame (motion transport)"
        how = (
            f"{made}, **without any diffusion step**"
            if not steps
            else f"{made}, then {count} of diffusion on what the warp leaves open"
        )
    else:
        features = {"mafe": "MAFE's flow", "flow": "an optical flow estimator", "vector": "MAFE's motion features"}
        source, how = features.get(config["code"], "a given EF, not a video"), f"diffusion, {count}"
    return (
        f"**What makes the default clips:** the bundled weights (preset `{config['preset']}`, {config['frames']} "
        f"frames of {config['size']} x {config['size']} at {config['rate']:g} a second, trained on phantoms only) make "
        f"them by {how}. The motion comes from {source}."
    )


def picture(pipeline: MCDMPipeline) -> bytes:
    """Return a GIF of pairs of phantoms: both donors, the generated clip, and the exact counterfactual."""
    pairs = draw_pairs(pipeline, PAIRS, SEED)
    noise = [torch.Generator().manual_seed(pair) for pair in range(PAIRS)]
    found = pipeline(torch.from_numpy(pairs.references), torch.stack(pairs.codes), generator=noise)
    made = cast(MCDMOutput, found).clips.numpy()
    rows = []
    for pair in range(PAIRS):
        label, other, exact = pairs.ef_motion[pair], pairs.ef_appearance[pair], pairs.ef_pair[pair]
        tiles = [
            (f"motion donor\nEF {label:.0f} %", pairs.clips["donor"]),
            (f"appearance donor\nEF {other:.0f} %", pairs.clips["own"]),
            (f"generated\nlabel {label:.0f} %", made),
            (f"exact counterfactual\nEF {exact:.0f} %", pairs.clips["counterfactual"]),
        ]
        rows.append([Tile(words, stack[pair]) for words, stack in tiles])
    film = [image.quantize(SHADES) for image in draw_film(rows)]
    return gif(film, float(pipeline.config["rate"]))


def replaced(page: str, name: str, text: str) -> str:
    """Return a page with ``text`` between the comments that say where ``name`` starts and ends.

    Raises:
        EchoAugmentError: the page has no such place, or several.

    >>> page = "<!-- --8<-- [start:clips] -->old<!-- --8<-- [end:clips] -->"
    >>> replaced(page, "clips", "new").splitlines()
    ['<!-- --8<-- [start:clips] -->', 'new', '<!-- --8<-- [end:clips] -->']
    """
    start, end = (f"<!-- --8<-- [{where}:{name}] -->" for where in ("start", "end"))
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise EchoAugmentError(f"the page has no single place from {start} to {end}")
    return f"{page.partition(start)[0]}{start}\n{text}\n{end}{page.partition(end)[2]}"


def write(root: Path, report: Path | None, pipeline: MCDMPipeline) -> None:
    """Write figures, picture and the README's two places in a checkout.

    Args:
        root: the checkout.
        report: ``report.json`` of an EF benchmark on phantoms; None keeps the figures that are there.
        pipeline: the bundled one.
    """
    if report is not None:
        write_json(root / FIGURES, read_results(report).to_json())
    figures = Results.from_json(json.loads((root / FIGURES).read_text(encoding="utf-8")))
    (root / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    write_picture(root / PICTURE, picture(pipeline))
    page = (root / PAGE).read_text(encoding="utf-8")
    page = replaced(replaced(page, "clips", clips_sentence(pipeline)), "results", results(figures))
    with atomic_path(root / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.front_page CHECKOUT [REPORT]``."""
    if not 1 <= len(arguments) <= 2:
        print("usage: python -m echo_augment.evaluation.studies.front_page CHECKOUT [REPORT]", file=sys.stderr)
        return 2
    root, *reports = map(Path, arguments)
    try:
        write(root, reports[0] if reports else None, MCDMPipeline.load("bundled"))
    except (EchoAugmentError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"see {root / PAGE}, {root / PICTURE} and {root / FIGURES}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
