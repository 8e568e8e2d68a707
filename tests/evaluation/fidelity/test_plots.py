"""Pictures of the fidelity report: they are drawn, and show every pair and every number of steps."""

import io

import numpy as np
from fakes.fidelity import CURVE, point
from PIL import Image

from echo_augment.evaluation.fidelity.plots import (
    curve_figure,
    pair_film,
    pair_sheet,
    write_curve_plot,
    write_label_plot,
)

LEVELS = {"donor": 90, "generated": 200}


def pairs(frames=8):
    steps = np.arange(frames, dtype=np.uint8)[None, :, None, None]  # equal frames would be stored as one long one
    return {name: np.full((3, frames, 40, 60), level, np.uint8) + steps for name, level in LEVELS.items()}


def test_the_sheet_has_two_pairs_side_by_side_and_a_row_for_each_kind():
    with Image.open(io.BytesIO(pair_sheet(pairs(), np.array([30.0, 55.0, 70.0]), 3))) as sheet:
        assert 2 * 6 * 60 <= sheet.width < 2 * 6 * 60 + 10 and sheet.height > 4 * 40
        found = np.asarray(sheet)
        assert {90, 200} <= set(found.ravel().tolist())
        left, right = (int((half == 200).sum()) for half in (found[:, :360], found[:, 364:]))
        assert left // (40 * 60) == 2 and right // (40 * 60) == 1, "a few more pixels are the caption's"


def test_the_film_has_a_row_for_each_pair_and_moves():
    with Image.open(io.BytesIO(pair_film(pairs(), 2, 12.5))) as film:
        assert film.n_frames == 8 and film.info["duration"] == 80 and 2 * 60 <= film.width < 130
        assert (np.asarray(film.convert("L")) == 90).sum() // (40 * 60) == 2


def test_plots_are_drawn(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.uniform(20, 80, 30)
    write_label_plot(tmp_path / "l.png", truth, 2 ** rng.normal(0, 0.5, 30), {"generated": truth + 1, "codec": truth})
    write_curve_plot(tmp_path / "c.png", CURVE)
    for name in ("l.png", "c.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 900 and len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_every_number_of_steps_has_its_place_on_the_curve():
    """0 is no power of two: on a plain scale of doublings it would push all others into one point."""
    figure = curve_figure([point(steps, 1 / (1 + steps)) for steps in (128, 0, 1, 2, 64)])
    for axes in figure.axes:
        places = [axes.transAxes.inverted().transform(axes.transData.transform((x, 0)))[0] for x in axes.get_xticks()]
        assert len(places) == 5 and min(np.diff(places)) > 0.05
        assert list(axes.lines[0].get_xdata()) == [0, 1, 2, 64, 128]
