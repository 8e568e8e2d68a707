"""ED and ES frames, found without labels: on phantoms, on a drawn ring, and where there is no beat at all."""

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom, volume_curve
from echo_augment.augmentor.mcdm.phase import (
    ASCENT,
    beat_period,
    descent,
    find_phase,
    heart_volume,
    make_heart,
    wall_flow,
    without_drift,
)
from echo_augment.augmentor.mcdm.phase import volume_curve as find_by_darkness

FPS = 25


def ring_video(radii, *, drift=0.0):
    """A bright ring on grey speckle, dark within, whose radius follows ``radii``; ``drift`` brightens slowly."""
    speckle = np.random.default_rng(0).uniform(0.6, 1.0, (112, 112))
    yy, xx = np.mgrid[:112, :112]
    frames = []
    for t, radius in enumerate(radii):
        far = np.hypot(yy - 48, xx - 60)
        wall = np.exp(-0.5 * ((far - radius) / 4) ** 2)
        slow = 1 + drift * np.cos(np.pi * t / len(radii))
        frames.append(cv2.GaussianBlur(slow * speckle * (40 * (far > radius) + 150 * wall), (0, 0), 1.0))
    return np.clip(frames, 0, 255).astype(np.uint8)


def beating(seconds, beat=0.96, systole=0.32):
    """A radius that falls from ED at 0.4, 1.36, 2.32 s to ES and has diastasis and an atrial kick before each ED."""
    phase = ((seconds - 0.4) % beat) / beat
    share = systole / beat
    knots = [0, share, share + 0.2, 0.85, 1.0]
    return np.interp(phase, knots, [24, 14, 22.5, 22.7, 24])


def test_ed_and_es_are_found_without_labels():
    """At the frame called ED the drawn ventricle is nearly at its largest, at ES nearly at its smallest."""
    ed_level, es_level, bases = [], [], []
    for seed in range(40, 52):
        phantom = sample_phantom(seed, format=2)
        clip = render(phantom.motion, phantom.appearance, seed=seed)
        phase = find_phase(clip.frames, clip.fps)
        volumes = np.asarray(volume_curve(phantom.motion, phantom.appearance).volumes)
        level = (volumes - volumes.min()) / np.ptp(volumes)
        ed_level.append(level[phase.ed_frame])
        es_level.append(level[phase.es_frame])
        bases.append(descent(wall_flow(clip.frames, clip.fps, int(phase.volume.argmax())), phase.volume))
    assert min(bases) > -ASCENT and max(bases) < 0.41, "the base goes down as each of them fills"
    assert np.median(ed_level) > 0.9 and np.median(es_level) < 0.1


@pytest.mark.parametrize("seed", [800_900_022, 800_900_039])
def test_a_heart_that_is_brighter_when_full_is_told_by_its_base(seed):
    phantom = sample_phantom(seed, format=3)
    clip = render(phantom.motion, phantom.appearance, seed=seed)
    dark = find_by_darkness(clip.frames[::2], FPS)
    true = np.asarray(clip.volumes)[::2]
    assert np.corrcoef(dark, true)[0, 1] < -0.5, "darkness alone takes ES for ED"
    flow = wall_flow(clip.frames[::2], FPS, int(dark.argmax()))
    assert descent(flow, dark) < -0.3 and descent(flow, -dark) == pytest.approx(-descent(flow, dark))
    heart = make_heart(phantom.name, clip.frames, clip.fps, rate=FPS / 2, size=112)
    level = (true - true.min()) / np.ptp(true)
    assert level[heart.ed] > 0.8 and level[heart.es] < 0.2
    curve = heart_volume(heart, FPS)
    assert len(curve) == len(heart.grid) and np.corrcoef(curve, true[heart.grid])[0, 1] > 0.5


@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_every_beat_begins_at_the_end_of_the_atrial_kick(drift):
    phase = find_phase(ring_video(beating(np.arange(75) / FPS), drift=drift), FPS)
    inner = [frame for frame in phase.ed_frames if 5 < frame < 60]
    np.testing.assert_allclose(inner, [10, 34, 58], atol=1)
    assert phase.ed_frame in phase.ed_frames and 6 <= phase.es_frame - phase.ed_frame <= 10
    np.testing.assert_allclose([frame % 24 for frame in phase.es_frames], 18, atol=1)


def test_the_same_video_gives_the_same_frames_and_a_still_one_gives_some():
    video = ring_video(beating(np.arange(40) / FPS))
    one, two = find_phase(video, FPS), find_phase(video, FPS)
    assert (one.ed_frames, one.es_frames) == (two.ed_frames, two.es_frames)
    still = find_phase(np.full((30, 112, 112), 40, np.uint8), FPS)
    assert 0 <= still.ed_frame < 30 and 0 <= still.es_frame < 30
    assert find_phase(video[:4], FPS).ed_frame < 4


def test_drift_goes_and_the_beat_stays():
    seconds = np.arange(100) / FPS
    beat, breath = np.cos(2 * np.pi * seconds / 0.8), np.cos(np.pi * (seconds + 0.02) / 4)
    np.testing.assert_allclose(without_drift((beat + 5 * breath)[:, None], FPS)[:, 0], beat, atol=0.15)
    short = np.linspace(0, 1, 32)[:, None]
    np.testing.assert_allclose(without_drift(short, FPS), short - short.mean(), atol=1e-9)


def test_period_of_a_beat_on_a_slope():
    curve = np.cos(2 * np.pi * np.arange(60) / 25 / 0.88) + 0.01 * np.arange(60)
    assert beat_period(curve, 25) == pytest.approx(0.88, abs=0.04)
