"""The report's plots, each as the bytes of a PNG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .metrics import Array

COLOURS = {"real": "#555f6b", "classical": "#b8860b", "synthetic": "#0b6fa4", "oracle": "#2e8b57", "full": "#7a4fa3"}
WIDTH = 4.8  # inches: small, so that the words can still be read on a phone
SPARE = ("#a33b3b", "#3b6ea3", "#8a6d3b", "#4f7a3b")


def colour(arm: str, arms: Sequence[str]) -> str:
    """The colour of an arm, the same in every plot."""
    return COLOURS.get(arm, SPARE[list(arms).index(arm) % len(SPARE)])


def plot_arms(arms: Mapping[str, Any]) -> bytes:
    """MAE of every arm with its interval, and a point for each seed."""
    names = list(arms)
    figure = Figure(figsize=(WIDTH, 0.9 + 0.62 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        mae, tint = arms[name]["mae"], colour(name, names)
        if mae["ci"] is not None:
            axes.plot(mae["ci"], [row, row], color=tint, linewidth=3, solid_capstyle="round", alpha=0.55)
        axes.plot(mae["per_seed"], [row - 0.22] * len(mae["per_seed"]), "o", color=tint, markersize=4, alpha=0.7)
        axes.plot(mae["mean"], row, "D", color=tint, markersize=8)
        axes.annotate(f"{mae['mean']:.2f}", (mae["mean"], row), (0, -15), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("EF error on TEST (MAE), percent points; left is better")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _png(figure)


def plot_labels(levels: Sequence[Mapping[str, Any]]) -> bytes:
    """MAE against the number of labelled hearts, a line for each arm."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    names = list(levels[0]["arms"])
    counts = [level["labelled_hearts"] for level in levels]
    for number, name in enumerate(names):
        found = [level["arms"][name]["mae"] for level in levels]
        places = np.array(counts) * 1.03 ** (number - len(names) / 2)
        axes.plot(places, [mae["mean"] for mae in found], "o-", color=colour(name, names), label=name)
        for place, mae in zip(places, found, strict=True):
            if mae["ci"] is not None:
                axes.plot([place, place], mae["ci"], color=colour(name, names), alpha=0.5)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("labelled hearts")
    axes.set_ylabel("EF error (MAE), percent points")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return _png(figure)


def plot_scatter(true: Array, predicted: Mapping[str, Array]) -> bytes:
    """Predicted against true EF: a panel for each arm, the mean over seeds of every TEST heart."""
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


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
