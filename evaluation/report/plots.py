"""The report's plots, each as the bytes of a PNG."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..statistics.comparison import Table
from ..statistics.results import ArmFigures, LevelFigures
from .content import SweepRow
from .verdict import EF_ERROR, Judged

COLOURS = {"real": "#555f6b", "classical": "#b8860b", "synthetic": "#0b6fa4", "oracle": "#2e8b57", "full": "#7a4fa3"}
COLOURS |= {"pseudo_label": "#c2587a", "mean_teacher": "#8c6bb1", "synthetic+pseudo_label": "#12395b"}
COLOURS |= {"synthetic+classical": "#2f7f5f", "peer": "#c05a1f"}
WIDTH = 4.8  # inches: small, so that the words can still be read on a phone
SPARE = ("#a33b3b", "#3b6ea3", "#8a6d3b", "#4f7a3b")


def colour(arm: str, arms: Sequence[str]) -> str:
    """Return the colour of an arm, the same in every plot."""
    return COLOURS.get(arm, SPARE[list(arms).index(arm) % len(SPARE)])


def plot_arms(arms: Mapping[str, ArmFigures], judged: Judged = EF_ERROR) -> bytes:
    """Draw a figure of every arm with its interval, and a point for each seed.

    Args:
        arms: figures by arm.
        judged: which figure.
    """
    names = list(arms)
    figure = Figure(figsize=(WIDTH, 0.9 + 0.62 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        found, tint = arms[name][judged.metric], colour(name, names)
        if found.ci is not None:
            axes.plot(found.ci, [row, row], color=tint, linewidth=3, solid_capstyle="round", alpha=0.55)
        axes.plot(found.per_seed, [row - 0.22] * len(found.per_seed), "o", color=tint, markersize=4, alpha=0.7)
        axes.plot(found.mean, row, "D", color=tint, markersize=8)
        words = format(found.mean, judged.form)
        axes.annotate(words, (found.mean, row), (0, -15), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(names)), [name.replace("+", "+\n") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"{judged.axis}; {'left' if judged.smaller_is_better else 'right'} is better")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _png(figure)


def plot_labels(levels: Sequence[LevelFigures], judged: Judged = EF_ERROR) -> bytes:
    """Draw a figure against the number of labelled videos, a line with intervals for each arm."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    names = list(levels[0].arms)
    counts = [level.labelled for level in levels]
    for number, name in enumerate(names):
        found = [level.arms[name][judged.metric] for level in levels]
        places = np.array(counts) * 1.03 ** (number - len(names) / 2)
        axes.plot(places, [one.mean for one in found], "o-", color=colour(name, names), label=name)
        for place, one in zip(places, found, strict=True):
            if one.ci is not None:
                axes.plot([place, place], one.ci, color=colour(name, names), alpha=0.5)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("labelled videos")
    axes.set_ylabel(judged.axis)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return _png(figure)


def plot_scatter(table: Table) -> bytes:
    """Draw predicted against true EF: a panel for each arm, the mean over seeds of every TEST video."""
    true, predicted = table.true, table.predicted
    names = list(predicted)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH * columns / 2, 2.5 * rows), layout="constrained")
    everything = np.concatenate([true, *(values.mean(0) for values in predicted.values())])
    low, high = float(everything.min()) - 3, float(everything.max()) + 3
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.plot([low, high], [low, high], color="#999999", linewidth=1)
        axes.plot(true, predicted[name].mean(0), "o", color=colour(name, names), markersize=3.5, alpha=0.6)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=name)
        axes.set_xlabel("true EF, %")
        axes.set_ylabel("predicted EF, %")
        axes.grid(alpha=0.25)
    return _png(figure)


def plot_bland_altman(table: Table) -> bytes:
    """Draw predicted less true EF against their mean: a panel for each arm, with bias and limits of agreement.

    Bland and Altman, Lancet 1986: 95 % of the differences lie between the dashed lines, if they are normal.
    """
    true, predicted = table.true, table.predicted
    names = list(predicted)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH * columns / 2, 2.3 * rows), layout="constrained")
    means = {name: values.mean(0) for name, values in predicted.items()}
    reach = 1.1 * max(1.0, *(float(np.abs(values - true).max()) for values in means.values()))
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, number + 1)
        difference = means[name] - true
        bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1)) if len(true) > 1 else 0.0
        axes.plot((means[name] + true) / 2, difference, "o", color=colour(name, names), markersize=3.5, alpha=0.6)
        axes.axhline(0, color="#bbbbbb", linewidth=0.8)
        for height, style in ((bias, "-"), (bias - spread, "--"), (bias + spread, "--")):
            axes.axhline(height, color="#333333", linewidth=1, linestyle=style)
        axes.set(ylim=(-reach, reach), title=f"{name}: {bias:+.1f} ± {spread:.1f}")
        axes.set_xlabel("mean of true and predicted, %")
        axes.set_ylabel("predicted - true")
        axes.grid(alpha=0.25)
    return _png(figure)


def plot_sweep(rows: Sequence[SweepRow], arms: Sequence[str], title: str) -> bytes:
    """Draw the difference of MAE to ``real``, with its interval, for each value of a setting: a line for each arm.

    Args:
        rows: one for each value.
        arms: to draw; every row compares them with ``real``.
        title: name of the setting.
    """
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.add_subplot()
    for number, name in enumerate(arms):
        places = np.arange(len(rows)) + 0.08 * (number - (len(arms) - 1) / 2)
        found = [row.contrasts[f"{name}-real"] for row in rows]
        axes.plot(places, [cell.diff for cell in found], "o-", color=colour(name, arms), label=name)
        for place, cell in zip(places, found, strict=True):
            if cell.ci is not None:
                axes.plot([place, place], cell.ci, color=colour(name, arms), alpha=0.5)
    axes.axhline(0, color="#999999", linewidth=1)
    axes.set_xticks(range(len(rows)), [row.value for row in rows])
    axes.set_xlabel(title)
    axes.set_ylabel("MAE less that of real; below 0 is better")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
