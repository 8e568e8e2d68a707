"""Heart rates and ED and ES frames in clips whose beats are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.data.phantom.geometry import lv_volumes
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.evaluation.fidelity import beats
from echo_augment.evaluation.fidelity.beats import phantom_phase_error, phase_errors, rate_error, shown_tempo
from echo_augment.evaluation.fidelity.pairs import heart_of


@pytest.mark.parametrize("tempo", [0.8, 1.0, 1.25])
def test_a_clip_that_beats_faster_than_its_donor_is_seen(tempo):
    """A phantom drawn at another frame rate than it is said to have beats faster or slower by that factor."""
    errors = []
    for seed in range(6):
        phantom = sample_phantom(500 + seed, format=2)
        clip = render(phantom.motion, phantom.appearance, num_frames=20, fps=12.5 / tempo, seed=seed)

        def volume_at(seconds, phantom=phantom):
            return lv_volumes(phantom.motion, phantom.appearance, seconds)

        errors.append(shown_tempo(clip.frames, 12.5, volume_at) / tempo - 1)
    assert np.median(np.abs(errors)) < 0.06


def test_a_still_clip_is_given_no_other_tempo():
    assert shown_tempo(np.full((16, 112, 112), 40, np.uint8), 12.5, lambda seconds: np.cos(seconds)) == 1.0


def test_rate_errors_are_beats_a_minute():
    figures = rate_error(np.array([1.0, 1.2]), np.array([60.0, 50.0]))
    assert figures.mae == pytest.approx(5) and figures.bias == pytest.approx(5) and figures.within_10 == 0.5


def test_the_nearest_found_beat_counts_for_traced_frames(monkeypatch):
    """One beat is traced: the beats found at 0.4 and 1.2 s are 2 frames at 50 fps before and 8 after those traced."""
    row = SimpleNamespace(name="X", path="X.avi", fps=50.0)
    table = SimpleNamespace(rows=[row], tracings={"X": {52: None, 22: None}})  # ES first, ED last
    found = SimpleNamespace(ed_frames=(10, 30), es_frames=(16, 40))
    monkeypatch.setattr(beats, "read_table", lambda root: table)
    heart = Heart("X", np.zeros((50, 112, 112), np.uint8), 0, 1)
    monkeypatch.setattr(beats, "hearts", lambda rows, rate, size: [(row, (heart, 50.0)) for row in rows])
    monkeypatch.setattr(beats, "find_phase", lambda frames, fps: found)
    figures = beats.traced_phase_errors("folder", fps=12.5, image_size=112, limit=5)
    (video,) = figures.videos
    assert (video.name, video.ed, video.es) == ("X", pytest.approx(2), pytest.approx(20))
    assert figures.ed.within_3 == 1 and figures.es.within_3 == 0


def test_phases_of_phantoms_are_found_within_three_frames():
    errors = []
    for seed in range(700, 712):
        phantom = sample_phantom(seed, format=2)
        errors.append(phantom_phase_error(phantom, heart_of(phantom, 12.5, 112), 12.5))
    figures = phase_errors(errors)
    assert figures.n == 12 and figures.ed.median <= 3 and figures.es.median <= 3
