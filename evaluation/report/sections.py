"""The sections that reports of all tasks share: what was found, how the predictions agree, what was run."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..statistics.comparison import Table as Predictions
from .content import BenchmarkReport, CacheFigures
from .first_lines import first_lines
from .pages import Picture, Section, Words
from .plots import plot_arms, plot_bland_altman, plot_labels, plot_scatter
from .study_tables import column_table, primary_table, tuning_table
from .tables import MISSING, Table, contrast_table, fraction_table
from .verdict import Judged

OWN = "trained first, on the TRAIN split"
CAVEATS = {
    "phantom": "Phantom data, not EchoNet-Dynamic: procedural hearts whose EF is known exactly. What helps here need "
    "not help on patients.",
    "few": "A check that the chain runs on these clips, not a measurement: {train} TRAIN and {test} TEST videos are "
    "too few. The bundled generator was trained on phantoms: the quality of its clips of real patients is not "
    "claimed.",
    "real": "The bundled generator was trained on phantoms; unless another one was trained on this data set's TRAIN "
    "split, the quality of its clips of real patients is not claimed.",
}
FEW = 30  # TEST videos below which nothing is measured
ARMS_CAPTION = (
    "Diamond: mean over seeds; bar: its interval over videos and seeds; dots: single seeds. The difference of two arms "
    "is known better than each arm alone, because both are tested on the same videos: see the next table."
)
LABELS_CAPTION = "Mean over seeds with intervals; points are moved apart sideways so that they can be told apart."
COLUMN = (
    "Every net was tested here once, after it was chosen; nothing was trained, tuned or selected on the TEST videos of "
    "{}."
)
SCATTER_CAPTION = "One point for each TEST video, the mean over seeds."
AGREEMENT_CAPTION = (
    "One point for each TEST video, the mean over seeds. Line: bias; dashed: limits of agreement, bias ± 1.96 standard "
    "deviations, also in the title."
)


def opening(report: BenchmarkReport, task: str, judged: Judged, more: Sequence[Words] = ()) -> Section:
    """Return the first section of a report: how large it was, the verdict, and what the data are.

    Args:
        report: what was found.
        task: in words.
        judged: the figure that the verdict is about.
        more: what stands between verdict and caveat.
    """
    sizes, cell = report.videos, report.contrast("synthetic-real", judged.metric)
    answer = "unknown" if cell is None else judged.decide(cell, report.level)
    kind = "phantom" if report.data == "phantom" else "few" if sizes.test < FEW else "real"
    sub = (
        f"{task} with {report.labelled} labelled videos of {sizes.train}, {len(report.seeds)} seeds, "
        f"{sizes.test} TEST {'video' if sizes.test == 1 else 'videos'}"
    )
    parts = [Words(sub, "sub"), Words(report.verdict, f"verdict {answer.replace(' ', '-')}")]
    parts += [Words("\n".join(first_lines(report, judged)), "list"), *more]
    caveat = CAVEATS[kind].format(train=sizes.train, test=sizes.test)
    return Section("Does the augmentation help?", [*parts, Words(caveat, "caveat")])


def arms_sections(report: BenchmarkReport, arms: Table, judged: Judged, labels: str) -> list[Section]:
    """Return every arm, the differences between them, and the figures against labels if there are several numbers.

    Args:
        report: what was found.
        arms: the table of every arm's figures.
        judged: the figure that arms are compared by.
        labels: title of the section on the numbers of labels.
    """
    several = len(report.fractions) > 1
    picture = Picture("arms", plot_arms(report.arms, judged), ARMS_CAPTION)
    sections: list[Section] = []
    if report.primary:
        sections.append(Section("The questions that were declared before", [primary_table(report, judged)]))
    sections.append(Section("Every arm", [picture, arms]))
    sections.append(Section("The differences", [contrast_table(report, report.level, judged, several=several)]))
    if report.fractions:
        plot = Picture("labels", plot_labels(report.fractions, judged), LABELS_CAPTION)
        sections.append(Section(labels, [plot, fraction_table(report, judged)]))
    for column in report.tests:
        tables = [column_table(one, report.level, judged) for one in column.levels]
        sections.append(Section(f"The same nets, {column.name}", [Words(COLUMN.format(column.folder)), *tables]))
    if report.tuning:
        sections.append(Section("What was tuned", [tuning_table(report.tuning, judged)]))
    return sections


def agreement(table: Predictions, what: str = "EF") -> list[Section]:
    """Return predicted against true EF, and Bland and Altman's plot."""
    scatter = Picture("scatter", plot_scatter(table), SCATTER_CAPTION)
    differences = Picture("bland_altman", plot_bland_altman(table), AGREEMENT_CAPTION)
    return [
        Section(f"Predicted against true {what}", [scatter]),
        Section("Agreement (Bland-Altman)", [differences]),
    ]


def closing(report: BenchmarkReport) -> list[Section]:
    """Return the last sections of a report: what was run, how to run it again, and notes if there are any."""
    again = [Words("Run it again:"), Words(command(report), "code")]
    sections = [Section("What was run", [run_table(report), *again])]
    if report.notes or report.skipped:
        lines = [*report.notes, *(f"{name}: left out, {reason}" for name, reason in report.skipped)]
        sections.append(Section("Notes", [Words("\n".join(lines), "list")]))
    return sections


def run_table(report: BenchmarkReport) -> Table:
    """Return what the figures were made from."""
    config, sizes, levels = report.config, report.videos, report.levels
    labelled = [f"{one.labelled} ({100 * one.label_fraction:.1f} % of TRAIN)" for one in levels]
    selected = f"{sizes.validation} VAL to select by" + (f" with {report.labelled} labels" if len(levels) > 1 else "")
    rows = [
        ["data", f"{report.data}, {config['data']['root']}"],
        ["videos", f"{sizes.train} TRAIN, {selected}, {sizes.test} TEST"],
        ["labelled", f"{', '.join(labelled)}, drawn by seed"],
        ["seeds", ", ".join(map(str, report.seeds))],
        ["model", config["model"]["name"]],
        ["training", f"{report.steps} steps of {report.batch_size} clips in every arm, selected on VAL, TEST once"],
        ["clips", ", ".join(_clips_words(item, len(levels) > 1) for item in report.clips)],
        ["generator", f"{config['generator']['weights'] or OWN}, fingerprint {report.fingerprint or MISSING}"],
        ["time", _time_words(report)],
        ["versions", ", ".join(f"{name} {value}" for name, value in report.versions.items())],
    ]
    return Table(["what", "value"], rows, run=True)


def _clips_words(cache: CacheFigures, several: bool) -> str:
    labels = f"labels {cache.labels}, " if several else ""
    return f"{cache.sealed} {cache.kind} ({labels}seed {cache.seed})"


def _time_words(report: BenchmarkReport) -> str:
    done, found = report.trainings, report.machine
    if done is None or found is None or report.minutes is None:
        return MISSING
    return (
        f"{done.count} trainings of {done.seconds / 60:.0f} minutes in all, some of them side by side; this run, "
        f"which does not repeat what earlier ones had finished, {report.minutes:.0f} minutes; "
        f"{found.device}, {found.cores} cores, {found.system}"
    )


def command(report: BenchmarkReport) -> str:
    """Return the command that makes this report again: the one that was typed if that is known."""
    return typed(report.job, report.overrides) if report.overrides else spelled(report.job, report.data, report.config)


def typed(job: str, overrides: Sequence[str]) -> str:
    """Return a command as it was typed."""
    return shlex.join(["echo-augment", job, *overrides])


def spelled(job: str, data: str, config: Mapping[str, Any]) -> str:
    """Return the command that has these settings."""
    words = [f"data={data}", f"data.root={config['data']['root']}"]
    words += [f"data.ef_unit={unit}"] if (unit := config["data"].get("ef_unit")) else []
    words += [f"labels=[{','.join(map(str, config['labels']))}]", f"seeds=[{','.join(map(str, config['seeds']))}]"]
    words += [f"arm=[{','.join(config['arm'])}]", f"model={config['model']['name']}", f"clips={config['clips']}"]
    return typed(job, [*words, f"seed={config['seed']}", f"out={config['out']}"])
