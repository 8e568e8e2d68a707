"""The report's plots: pictures of what they are given, an arm of one colour in all, whatever is missing."""

import io
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from fakes.report import ARMS, level, predicted
from matplotlib.figure import Figure
from PIL import Image

from echo_augment.evaluation.report import plots
from echo_augment.evaluation.report.content import SweepRow
from echo_augment.evaluation.report.plots import (
    COLOURS,
    SPARE,
    colour,
    plot_arms,
    plot_bland_altman,
    plot_labels,
    plot_scatter,
    plot_sweep,
)
from echo_augment.evaluation.statistics.comparison import Table
from echo_augment.evaluation.statistics.results import Contrast, LevelFigures


@cache
def at(labelled: int) -> LevelFigures:
    """Figures of arms, summed up once."""
    return level(labelled, 1.0)


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures behind the pictures."""
    found, save = [], plots._png
    monkeypatch.setattr(plots, "_png", lambda figure: found.append(figure) or save(figure))
    return found


def sweep_row(value: float, ci: tuple[float, float] | None) -> SweepRow:
    cell = Contrast(diff=-value, ci=ci, p=0.5, detectable=None)
    figures = {"label_fraction": 0.1, "labelled": 16, "arms": {}, "recovered_gain": None, "fingerprint": ""}
    return SweepRow(value=str(value), contrasts={"synthetic-real": cell}, **figures)


ROWS = [sweep_row(0.25, (-1.0, 0.5)), sweep_row(0.5, None)]
PICTURES = {
    "arms": lambda: plot_arms(at(16).arms),
    "labels": lambda: plot_labels([at(16), at(64)]),
    "scatter": lambda: plot_scatter(predicted(16, 1.0)),
    "agreement": lambda: plot_bland_altman(predicted(16, 1.0)),
    "sweep": lambda: plot_sweep(ROWS, ["synthetic"], "p"),
}


@pytest.mark.parametrize("name", list(PICTURES))
def test_a_plot_is_a_picture_and_always_the_same(name):
    one, again = PICTURES[name](), PICTURES[name]()
    assert one == again, "two runs of a benchmark give equal reports"
    with Image.open(io.BytesIO(one)) as picture:
        assert picture.format == "PNG" and picture.size[0] >= 600 and np.asarray(picture.convert("L")).std() > 5


def test_an_arm_has_its_colour_whatever_stands_beside_it():
    assert colour("oracle", ["oracle"]) == colour("oracle", ["a", "b", "oracle"]) == COLOURS["oracle"]
    mine = [f"mine{k}" for k in range(5)]
    assert [colour(name, mine) for name in mine] == [*SPARE, SPARE[0]]


def test_arms_are_drawn_at_their_figures(drawn):
    arms = at(16).arms
    plot_arms(arms)
    [axes] = drawn[0].axes
    assert [tick.get_text().replace("\n", "") for tick in axes.get_yticklabels()] == list(ARMS)
    diamonds = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D"]
    assert diamonds == pytest.approx([arm["mae"].mean for arm in arms.values()])
    bars = [tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"]
    assert bars == [arm["mae"].ci for arm in arms.values()]
    assert "left is better" in axes.get_xlabel()


def test_an_arm_without_an_interval_has_none(drawn):
    arms = dict(at(16).arms)
    real = arms["real"]
    arms["real"] = replace(real, figures={**real.figures, "mae": replace(real["mae"], ci=None)})
    plot_arms(arms)
    assert sum(line.get_marker() == "None" for line in drawn[0].axes[0].lines) == len(arms) - 1


def test_agreement_draws_bias_and_limits(drawn):
    true = np.array([40.0, 50.0, 60.0, 70.0])
    plot_bland_altman(Table(list("abcd"), true, {"real": np.stack([true + 1, true + 3])}))
    [axes] = drawn[0].axes
    heights = [float(line.get_ydata()[0]) for line in axes.lines if line.get_linestyle() in ("-", "--")]
    assert axes.get_title() == "real: +2.0 ± 0.0" and heights[1:] == [2.0, 2.0, 2.0]
    plot_bland_altman(Table(["a"], true[:1], {"real": true[None, :1] + 4}))
    assert drawn[1].axes[0].get_title() == "real: +4.0 ± 0.0", "one video has no spread"


def test_every_arm_has_its_panel_of_the_mean_over_seeds(drawn):
    table = predicted(16, 1.0)
    plot_scatter(table)
    assert [axes.get_title() for axes in drawn[0].axes] == list(table.predicted)
    points = drawn[0].axes[0].lines[1]
    np.testing.assert_allclose(points.get_xdata(), table.true)
    np.testing.assert_allclose(points.get_ydata(), table.predicted["real"].mean(0))


def test_a_sweep_draws_each_value_and_only_the_intervals_there_are(drawn):
    plot_sweep(ROWS, ["synthetic"], "p")
    [axes] = drawn[0].axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.25", "0.5"] and axes.get_xlabel() == "p"
    assert axes.lines[0].get_ydata().tolist() == [-0.25, -0.5]
    assert [list(line.get_ydata()) for line in axes.lines[1:-1]] == [[-1.0, 0.5]]
