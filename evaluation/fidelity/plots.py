"""Pictures of the fidelity report: plots, and the clips of some pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_film, draw_sheet, gif, png, strip

from .curve import CurvePoint, fewest_steps

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
COLOURS = {"counterfactual": "#2e8b57", "codec": "#b8860b", "generated": "#0b6fa4"}


def write_label_plot(path: Path, truth: Values, ratio: Values, read: Mapping[str, Values]) -> None:
    """Write a PNG: EF read from clips against the motion donor's, and its error against the ratio of LV sizes.

    Args:
        path: file to write.
        truth: EF of the motion donors in percent, ``(N,)``.
        ratio: ED volume of the motion donor over that of the appearance donor.
        read: by row, the EF read from each clip.
    """
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = [min(truth.min(), *(v.min() for v in read.values())), max(truth.max(), *(v.max() for v in read.values()))]
    left.plot(ends, ends, color="#999999", linewidth=1)
    right.axhline(0, color="#999999", linewidth=1)
    doublings = np.log2(ratio)
    line = np.linspace(doublings.min(), doublings.max(), 2)
    for row, values in read.items():
        settings = {"color": COLOURS.get(row, "#7a4fa3"), "s": 12, "alpha": 0.6, "linewidths": 0}
        left.scatter(truth, values, label=row, **settings)
        right.scatter(ratio, values - truth, **settings)
        slope, offset = np.polyfit(doublings, values - truth, 1)
        label = f"{row}: {slope:+.1f} a doubling"
        right.plot(2**line, offset + slope * line, color=settings["color"], linewidth=2, label=label)
    left.set(xlabel="motion donor's EF, %", ylabel="EF read from the clip, %")
    right.set(xlabel="LV size of motion donor / appearance donor", ylabel="EF read - motion donor's, points")
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def write_curve_plot(path: Path, curve: Sequence[CurvePoint]) -> None:
    """Write a PNG: EF adherence and SSIM against denoising steps, and the seconds that they cost."""
    _save(curve_figure(curve), path)


def curve_figure(curve: Sequence[CurvePoint]) -> Figure:
    """Return three plots over the numbers of steps, on a scale of doublings that has room for 0."""
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    curve = sorted(curve, key=lambda point: point.steps)
    steps = [point.steps for point in curve]
    enough = fewest_steps(curve)
    plots = {
        "R2 with the motion donor's EF": [point.adherence.r2 for point in curve],
        "SSIM to the counterfactual": [point.likeness.ssim for point in curve],
        "seconds a clip": [point.seconds for point in curve],
    }
    for axes, (title, values) in zip(figure.subplots(1, 3), plots.items(), strict=True):
        axes.plot(steps, values, "o-", color=COLOURS["generated"])
        axes.axvline(enough, color="#999999", linestyle=":", label=f"enough: {enough}")
        axes.set_xscale("symlog", base=2, linthresh=1)
        axes.set_xlim(steps[0] / 1.4 if steps[0] else -0.4, steps[-1] * 1.4 + 0.4)
        axes.set_xticks(steps, [str(step) for step in steps], fontsize=8)
        axes.minorticks_off()
        axes.set(xlabel="denoising steps", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    return figure


def pair_sheet(clips: Mapping[str, Clips], ef: Values, count: int) -> bytes:
    """Return a PNG of some pairs, two side by side, with a row of frames for each kind of clip.

    Args:
        clips: by kind, ``(N, T, H, W)`` uint8.
        ef: EF of the motion donors in percent, ``(N,)``.
        count: pairs to show.
    """
    shown = range(min(count, len(ef)))
    rows = [
        [
            Tile(f"pair {pair}, motion donor's EF {ef[pair]:.0f} %: {name}", strip(stack[pair]))
            for pair in shown[first : first + 2]
        ]
        for first in shown[::2]
        for name, stack in clips.items()
    ]
    return png(draw_sheet(rows))


def pair_film(clips: Mapping[str, Clips], count: int, fps: float) -> bytes:
    """Return a GIF of some pairs, one a row, with a column for each kind of clip.

    Args:
        clips: by kind, ``(N, T, H, W)`` uint8.
        count: pairs to show.
        fps: frames a second.
    """
    shown = range(min(count, *(len(stack) for stack in clips.values())))
    return gif(draw_film([[Tile(name, stack[pair]) for name, stack in clips.items()] for pair in shown]), fps)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
