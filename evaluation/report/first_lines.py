"""A report's first lines: what helps and what does not, where it was measured, and what made the clips."""

from collections.abc import Sequence

from ..statistics.results import LevelFigures
from .content import BenchmarkReport, ClipsMade
from .tables import number
from .verdict import Judged

REFERENCES = ("full", "oracle")  # arms that say what could be had, not what helps
WORDS = {"helped": "Better", "no difference": "No difference shown", "harmed": "Worse"}


def first_lines(report: BenchmarkReport, judged: Judged) -> list[str]:
    """Return the lines, one for each answer that was found, then where it was measured, then what made the clips."""
    found: dict[str, list[str]] = {answer: [] for answer in WORDS}
    for level in report.levels:
        for pair, words in _contrasts(level, judged):
            cell = level.contrasts[pair][judged.metric]
            answer = judged.decide(cell, report.level)
            if answer in found:
                found[answer].append(f"{words} ({cell.diff:+{judged.form}})")
    lines = [f"{WORDS[answer]}: {'; '.join(pairs)}." for answer, pairs in found.items() if pairs]
    return [*lines, measured_on(report), *made_by(report.made)]


def _contrasts(level: LevelFigures, judged: Judged) -> Sequence[tuple[str, str]]:
    """Return the pairs of a level that are no references, and their words."""
    found = []
    for pair, cells in level.contrasts.items():
        first, second = pair.split("-", 1)
        if judged.metric in cells and not {name.split("+")[0] for name in (first, second)} & set(REFERENCES):
            found.append((pair, f"{first} against {second} at {level.labelled} labels"))
    return found


def measured_on(report: BenchmarkReport) -> str:
    """Return on which data, with which net, labels and seeds it was measured."""
    data, sizes = report.config.get("data", {}), report.videos
    kind = report.data
    if kind == "phantom":
        kind = f"phantoms of format {data.get('format') or 2}, population {data.get('population') or 'A'}"
        if data.get("label_noise"):
            kind += f", labels with an error of {number(float(data['label_noise']), '.3g')} EF points"
    labels = ", ".join(str(level.labelled) for level in report.levels)
    seeds = "1 seed" if len(report.seeds) == 1 else f"{len(report.seeds)} seeds"
    model = report.config.get("model", {}).get("name", "?")
    return (
        f"Measured on: {kind}; {sizes.test} TEST videos; {labels} labelled of {sizes.train} TRAIN videos, "
        f"{sizes.validation} VAL videos to select by; {seeds}; net {model}."
    )


def made_by(made: Sequence[ClipsMade]) -> list[str]:
    """Return what made each kind of clips, in a line; generators that differ in their seed alone are counted."""
    counted: dict[str, int] = {}
    for one in made:
        line = made_words(one)
        counted[line] = counted.get(line, 0) + 1
    return [
        line if count == 1 else f"{line[:-1]}; {count} generators, dealt to the seeds."
        for line, count in counted.items()
    ]


def made_words(one: ClipsMade) -> str:
    """Return what made a kind of clips, in words."""
    parts = [f"Clips of kind {one.kind}: {'a generator of this run' if one.generator == 'own' else one.generator}"]
    kind, _, steps = one.sampler.rpartition("-")
    if steps.isdecimal():
        parts.append("no denoising step" if steps == "0" else f"{steps} denoising steps ({kind})")
    elif one.sampler:
        parts.append(one.sampler)
    if one.features:
        parts.append(f"motion: {one.features}")
    if one.trained_on:
        count = "" if one.videos is None else f"{one.videos} videos, "
        parts.append(f"trained on {count}{one.trained_on}")
    return "; ".join(parts) + "."
