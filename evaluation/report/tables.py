"""The report's tables: what is in them; how they look is `echo_augment.evaluation.report.pages`'s."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .verdict import answer_words

MISSING = "–"
OWN = "trained first, on the TRAIN split"
PUBLISHED = (
    "Published rows are the papers' own figures on EchoNet-Dynamic's TEST split, with other labelled subsets and "
    "training lengths, and are not part of any test."
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words: header, rows, and notes below it. ``run`` says that its cells are long."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    run: bool = False


def number(value: float | None, form: str = ".2f") -> str:
    """A figure, or a dash where there is none."""
    return MISSING if value is None else format(value, form)


def interval(ends: Sequence[float] | None, form: str = ".2f") -> str:
    """An interval, or a dash."""
    return MISSING if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def _with_interval(cell: Mapping[str, Any] | None, form: str = ".2f") -> str:
    """A figure, its interval behind it."""
    if cell is None or cell["mean"] is None:
        return MISSING
    ends = "" if cell["ci"] is None else f" ({interval(cell['ci'], form)})"
    return number(cell["mean"], form) + ends


def arm_table(report: Mapping[str, Any]) -> Table:
    """MAE, RMSE and R2 of every arm."""
    rows = [
        [
            name,
            number(arm["mae"]["mean"]),
            interval(arm["mae"]["ci"]),
            ", ".join(number(value) for value in arm["mae"]["per_seed"]),
            number(arm["rmse"]["mean"]),
            number(arm["r2"]["mean"]),
        ]
        for name, arm in report["arms"].items()
    ]
    percent = f"{100 * report['level']:.0f} % interval"
    reasons = {arm["mae"]["reason"] for arm in report["arms"].values() if "reason" in arm["mae"]}
    notes = [f"No interval: {reason}." for reason in sorted(reasons)]
    return Table(["arm", "MAE", percent, "single seeds", "RMSE", "R²"], rows, notes)


@dataclass(frozen=True, slots=True)
class Difference:
    """How a table tells differences of a figure.

    Attributes:
        metric: the figure's name in the report.
        title: of the column with the arms.
        unit: of the column with the difference.
        form: of the numbers, without a sign.
        good: which sign is good.
        answer: the answer from a contrast and a level.
    """

    metric: str
    title: str
    unit: str
    form: str
    good: str
    answer: Callable[[Mapping[str, Any], float], str]


EF_ERROR = Difference(
    "mae", "difference of MAE", "EF points", ".2f", "Negative: the first arm's error is smaller.", answer_words
)


def contrast_table(report: Mapping[str, Any], told: Difference = EF_ERROR) -> Table:
    """Differences of a figure between arms, paired by heart and seed."""
    rows = []
    several, signed = len(report.get("fractions") or []) > 1, "+" + told.form
    for name, contrast in report["contrasts"].items():
        cell = contrast[told.metric]
        first, second = name.split("-", 1)
        row = [f"{first} against {second}", number(cell["diff"], signed), interval(cell["ci"], signed)]
        row += [p_words(cell["p"]), *([p_words(cell.get("p_holm"))] if several else [])]
        rows.append([*row, number(cell["detectable"], told.form), told.answer(cell, report["level"])])
    percent = f"{100 * report['level']:.0f} % interval"
    header = [told.title, told.unit, percent, "p", *(["p (Holm)"] if several else []), "detectable", "answer"]
    notes = [
        f"{told.good} Intervals: BCa bootstrap over hearts, paired by heart and seed, "
        "widened for few seeds. Detectable: the true difference that this design would find with 80 % power."
    ]
    if several:
        notes.append("p (Holm): corrected over the numbers of labels; the answer takes it into account.")
    return Table(header, rows, notes)


def p_words(p: float | None) -> str:
    """A p-value for a table."""
    return "< 0.001" if p is not None and p < 0.001 else number(p, ".3f")


def clinical_table(report: Mapping[str, Any]) -> Table:
    """Who is told apart, and whether the scale is right."""
    rows = [
        [
            name,
            *(_with_interval(arm[f"auroc_{cut}"]) for cut in (50, 40)),
            *(_with_interval(arm["calibration"][part]) for part in ("slope", "intercept")),
            _with_interval(arm["calibration"]["bias"], "+.2f"),
        ]
        for name, arm in report["arms"].items()
    ]
    reasons = {
        arm[key]["reason"]
        for arm in report["arms"].values()
        for key in ("auroc_50", "auroc_40")
        if "reason" in arm[key]
    }
    notes = [
        "AUROC: how well hearts with reduced EF are told from the others, 0.5 is chance. Calibration: true EF = "
        "intercept + slope x predicted; 1 and 0 are perfect, a slope above 1 says that predictions are drawn to the "
        "mean. Bias: predicted less true EF."
    ]
    notes += [f"A figure or interval is missing where it cannot be had: {reason}." for reason in sorted(reasons)]
    return Table(["arm", "AUROC, EF < 50", "AUROC, EF < 40", "slope", "intercept", "bias"], rows, notes)


def range_table(report: Mapping[str, Any]) -> Table:
    """MAE of every arm by range of the true EF."""
    ranges = {row["range"]: row["hearts"] for arm in report["arms"].values() for row in arm["by_range"]}
    rows = []
    for name, arm in report["arms"].items():
        found = {row["range"]: row for row in arm["by_range"]}
        rows.append([name, *(_with_interval(found[part]["mae"]) if part in found else MISSING for part in ranges)])
    header = [f"EF {part} ({hearts} {'heart' if hearts == 1 else 'hearts'})" for part, hearts in ranges.items()]
    return Table(["MAE of arm", *header], rows)


def fraction_table(report: Mapping[str, Any]) -> Table:
    """MAE of every arm for every number of labels."""
    levels = report["fractions"]
    arms = list(levels[0]["arms"])
    rows = [[name, *(_with_interval(level["arms"][name]["mae"]) for level in levels)] for name in arms]
    asked = [str(labels) for labels in report["config"]["labels"][: len(levels)]]
    rows += [
        [f"published: {row['name']}", *(number(row["mae"].get(labels)) for labels in asked)]
        for row in report.get("published", [])
    ]
    header = [f"{level['labelled_hearts']} ({100 * level['label_fraction']:.3g} %)" for level in levels]
    notes = [PUBLISHED] if report.get("published") else []
    if notes and report["data"] != "echonet":
        notes.append("These are not the published table's data: the rows stand side by side to show the form only.")
    return Table(["MAE of arm, labelled hearts:", *header], rows, notes)


def run_table(report: Mapping[str, Any]) -> Table:
    """What the figures were made from."""
    config, hearts, levels = report["config"], report["hearts"], report.get("fractions") or [report]
    labelled = [f"{one['labelled_hearts']} ({100 * one['label_fraction']:.1f} % of TRAIN)" for one in levels]
    selected = f"{hearts['validation']} VAL to select by"
    if len(levels) > 1:
        selected += f" with {report['labelled_hearts']} labels"
    rows = [
        ["data", f"{report['data']}, {config['data']['root']}"],
        ["hearts", f"{hearts['train']} TRAIN, {selected}, {hearts['test']} TEST"],
        ["labelled", f"{', '.join(labelled)}, drawn by seed"],
        ["seeds", ", ".join(map(str, report["seeds"]))],
        ["model", config["model"]["name"]],
        [
            "training",
            f"{report['steps']} steps of {report['batch_size']} clips in every arm, selected on VAL, TEST once",
        ],
        ["clips", ", ".join(_clips_words(item, len(levels) > 1) for item in report["clips"])],
        ["generator", f"{config['generator']['weights'] or OWN}, fingerprint {report['fingerprint'] or MISSING}"],
        ["time", _time_words(report)],
        ["versions", ", ".join(f"{name} {value}" for name, value in report["versions"].items())],
    ]
    return Table(["what", "value"], rows, run=True)


def _clips_words(fill: Mapping[str, Any], several: bool) -> str:
    """What a cache holds, and for which number of labels where there are several."""
    labels = f"labels {fill['labels']}, " if several else ""
    return f"{fill['sealed']} {fill['kind']} ({labels}seed {fill['seed']})"


def _time_words(report: Mapping[str, Any]) -> str:
    """How long it took, and on what, where the report knows."""
    if "trainings" not in report:
        return MISSING
    done, found = report["trainings"], report["machine"]
    return (
        f"{done['count']} trainings of {done['seconds'] / 60:.0f} minutes in all, some of them side by side; this run, "
        f"which does not repeat what earlier ones had finished, {report['minutes']:.0f} minutes; "
        f"{found['device']}, {found['cores']} cores, {found['system']}"
    )


def command(report: Mapping[str, Any]) -> str:
    """The command that makes this report again: the one that was typed where that is known."""
    config = report["config"]
    if report.get("overrides"):
        words = ["echo-augment", report["job"], *report["overrides"]]
    else:
        words = ["echo-augment", report["job"], f"data={report['data']}", f"data.root={config['data']['root']}"]
        words += [f"labels=[{','.join(map(str, config['labels']))}]", f"seeds=[{','.join(map(str, config['seeds']))}]"]
        words += [f"arm=[{','.join(config['arm'])}]", f"model={config['model']['name']}", f"clips={config['clips']}"]
        words += [f"seed={config['seed']}", f"out={config['out']}"]
    return shlex.join(words)
