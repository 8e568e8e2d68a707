"""The parts of the fidelity report on cases with a known answer: label errors, tempo, phase, distances, coverage."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.data.phantom.geometry import lv_volumes
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import beats
from echo_augment.evaluation.fidelity.adherence import by_quarter, by_size, curve_text, fewest_steps
from echo_augment.evaluation.fidelity.beats import phantom_phase_error, phase_figures, rate_error, shown_tempo
from echo_augment.evaluation.fidelity.coverage import copying, recall
from echo_augment.evaluation.fidelity.distances import frechet, load_extractor, mask_overlap
from echo_augment.evaluation.fidelity.pairs import heart_of
from echo_augment.evaluation.fidelity.plots import curve_figure, write_curve_plot, write_label_plot
from echo_augment.evaluation.fidelity.text import phase_text


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_quarters_are_sorted_and_hold_every_clip(rng):
    truth = rng.uniform(20, 80, 42)
    read = np.where(truth > np.median(truth), truth + 5, truth)
    quarters = by_quarter(truth, read, truth)
    assert sum(part["n"] for part in quarters) == 42 and quarters[0]["low"] == truth.min()
    assert [round(part["bias"]) for part in quarters] == [0, 0, 5, 5]
    assert all(before["high"] <= after["low"] for before, after in pairwise(quarters))


def test_absolute_motion_shows_as_a_slope_over_the_ratio_of_sizes(rng):
    ratio, truth = 2 ** rng.uniform(-1, 1, 300), rng.uniform(30, 70, 300)
    absolute = by_size(ratio, truth + 6 * np.log2(ratio) + rng.normal(0, 1, 300), truth)
    relative = by_size(ratio, truth + rng.normal(0, 1, 300), truth)
    assert absolute["slope"] == pytest.approx(6, abs=0.5) and absolute["r"] > 0.9
    assert abs(relative["slope"]) < 0.5 and absolute["quarters"][0]["bias"] < -3 < 3 < absolute["quarters"][3]["bias"]


@pytest.mark.parametrize("tempo", [0.8, 1.0, 1.25])
def test_a_clip_that_beats_faster_than_its_donor_is_seen(tempo):
    """A phantom drawn at another frame rate than it is said to have beats faster or slower by that factor."""
    errors = []
    for seed in range(6):
        phantom = sample_phantom(500 + seed)
        clip = render(phantom.motion, phantom.appearance, frames=20, fps=12.5 / tempo, seed=seed)

        def volume_at(seconds, phantom=phantom):
            return lv_volumes(phantom.motion, phantom.appearance, seconds)

        errors.append(shown_tempo(clip.frames, 12.5, volume_at) / tempo - 1)
    assert np.median(np.abs(errors)) < 0.06


def test_a_still_clip_is_given_no_other_tempo():
    assert shown_tempo(np.full((16, 112, 112), 40, np.uint8), 12.5, lambda seconds: np.cos(seconds)) == 1.0


def test_rate_errors_are_beats_a_minute():
    figures = rate_error(np.array([1.0, 1.2]), np.array([60.0, 50.0]))
    assert figures["mae"] == pytest.approx(5) and figures["bias"] == pytest.approx(5) and figures["within_10"] == 0.5


def test_the_nearest_found_beat_counts_for_traced_frames(monkeypatch):
    """One beat is traced: the beats found at 0.4 and 1.2 s are 2 frames at 50 fps before and 8 after those traced."""
    row = SimpleNamespace(name="X", path="X.avi", fps=50.0)
    table = SimpleNamespace(rows=[row], tracings={"X": {52: None, 22: None}})  # ES first, ED last
    found = SimpleNamespace(ed_frames=(10, 30), es_frames=(16, 40))
    monkeypatch.setattr(beats, "read_table", lambda root: table)
    monkeypatch.setattr(beats, "read_video", lambda path: (np.zeros((100, 112, 112), np.uint8), 50.0))
    monkeypatch.setattr(beats, "find_phase", lambda frames, fps: found)
    figures = beats.traced_phase_errors("folder", rate=12.5, size=112, limit=5)
    (video,) = figures["videos"]
    assert video == {"name": "X", "ed": pytest.approx(2), "es": pytest.approx(20)}
    assert figures["ed"]["within_3"] == 1 and figures["es"]["within_3"] == 0
    assert "ED median 2.0 (quartiles 2.0 to 2.0), 90 % 2.0, 100 % within 3" in phase_text({"traced": figures})


def test_phases_of_phantoms_are_found_within_three_frames():
    errors = []
    for seed in range(700, 712):
        phantom = sample_phantom(seed)
        errors.append(phantom_phase_error(phantom, heart_of(phantom, 12.5, 112), 12.5))
    figures = phase_figures(errors)
    assert figures["n"] == 12 and figures["ed"]["median"] <= 3 and figures["es"]["median"] <= 3


def test_frechet_of_known_gaussians(rng):
    one = rng.normal(0, 1, (4000, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + np.array([3.0, 0, 4.0])) == pytest.approx(25, abs=1e-6)
    assert frechet(one, 2 * one) == pytest.approx(3, abs=0.3)  # (2 - 1)^2 in each of three dimensions
    with pytest.raises(EchoAugmentError, match="needs 2 clips a set, got 1 and 4000"):
        frechet(one[:1], one)


def test_an_extractor_of_ones_own_is_found_by_name(rng):
    assert load_extractor("numpy:atleast_2d")(np.ones(3)).shape == (1, 3)
    with pytest.raises(EchoAugmentError, match="extractor 'numpy:nothing' cannot be imported"):
        load_extractor("numpy:nothing")


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_recall_sees_a_mode_that_is_missing(rng):
    left, right = (unit(rng.normal(0, 0.1, (60, 4)) + centre) for centre in ([1, 0, 0, 0], [0, 1, 0, 0]))
    made = unit(rng.normal(0, 0.1, (60, 4)) + np.array([1, 0, 0, 0]))
    assert recall(left, made) > 0.7
    half = recall(np.concatenate([left, right]), made)
    assert recall(right, made) == 0 and half == pytest.approx(recall(left, made) / 2)


def test_a_copier_is_too_close_and_a_stranger_reaches_no_heart(rng):
    own = unit(rng.normal(size=(200, 16)))
    halves = tuple(unit(own + 0.1 * rng.normal(size=own.shape)) for _ in range(2))
    copier = copying(own, halves, own)
    painter = copying(own, halves, unit(own + 0.15 * rng.normal(size=own.shape)))
    stranger = copying(own, halves, unit(rng.normal(size=own.shape)))
    assert copier["too_close"] == 1 and copier["reached"] == 1
    assert painter["too_close"] < 0.1 and painter["reached"] > 0.9
    assert stranger["reached"] < 0.1 and stranger["too_close"] == 0


def test_overlap_is_taken_at_the_largest_and_smallest_true_mask():
    truth = np.zeros((1, 3, 8, 8), bool)
    for t, side in enumerate((4, 8, 2)):
        truth[0, t, :side, :side] = True
    frames = np.where(truth, 200, 10).astype(np.uint8)
    assert mask_overlap(frames, truth, lambda clip: clip > 100) == {"dice": 1, "dice_ed": 1, "dice_es": 1}
    blind = mask_overlap(frames, truth, lambda clip: np.ones(clip.shape, bool))
    assert blind["dice_ed"] == 1 and blind["dice_es"] == pytest.approx(8 / 68) and blind["dice"] < 1


CURVE = [
    {"steps": steps, "r2": r2, "mae": 5.0, "psnr": 21.0, "ssim": 0.6, "seconds": steps / 20}
    for steps, r2 in ((1, 0.4), (2, 0.71), (4, 0.795), (8, 0.80), (16, 0.79))
]


def test_the_default_is_the_fewest_steps_that_are_nearly_the_best():
    assert fewest_steps(CURVE) == 4 and fewest_steps(CURVE, 0.0) == 8 and fewest_steps(CURVE, 0.1) == 2
    assert "**4**" in curve_text(CURVE) and curve_text(CURVE).count("\n| ") == 5


def test_plots_are_drawn(tmp_path, rng):
    truth = rng.uniform(20, 80, 30)
    write_label_plot(tmp_path / "l.png", truth, 2 ** rng.normal(0, 0.5, 30), {"generated": truth + 1, "codec": truth})
    write_curve_plot(tmp_path / "c.png", CURVE)
    for name in ("l.png", "c.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 900 and len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_every_number_of_steps_has_its_place_on_the_curve():
    """None is no power of two: on a plain scale of doublings it would push all others into one point."""
    figure = curve_figure([CURVE[0] | {"steps": steps, "r2": 1 / (1 + steps)} for steps in (128, 0, 1, 2, 64)])
    for axes in figure.axes:
        places = [axes.transAxes.inverted().transform(axes.transData.transform((x, 0)))[0] for x in axes.get_xticks()]
        assert (
            len(places) == 5 and min(np.diff(places)) > 0.05 and list(axes.lines[0].get_xdata()) == [0, 1, 2, 64, 128]
        )
