"""The figures of the look: right on images whose answer is known, and phantoms within the spread of real clips."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.mini import MINI

from echo_augment.augmentor.data.phantom import render, sample_phantom, write_phantoms
from echo_augment.augmentor.data.phantom.likeness.pixels import clip_figures, compare_figures, format_table, half_width
from echo_augment.augmentor.data.video import read_video


def noise(blur: tuple[float, float], frames: int = 12) -> np.ndarray:
    """Bright noise ``(T, 112, 112)`` blurred by ``(columns, rows)``, the same in every frame."""
    field = np.random.default_rng(0).standard_normal((112, 112)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=blur[0], sigmaY=blur[1])
    image = np.clip(130 + 40 * field / field.std(), 1, 255).astype(np.uint8)
    return np.repeat(image[None], frames, axis=0)


def test_half_width_interpolates():
    assert half_width([1.0, 0.75, 0.25]) == pytest.approx(1.5)
    assert half_width([1.0, 0.9]) == 1.0


def test_speckle_widths_tell_directions_apart():
    wide, tall = clip_figures(noise((2.0, 0.6))), clip_figures(noise((0.6, 2.0)))
    assert wide["speckle_lateral"] > 1.5 * wide["speckle_axial"]
    assert tall["speckle_axial"] > 1.5 * tall["speckle_lateral"]


def test_blur_steepens_the_spectrum():
    assert clip_figures(noise((2.0, 2.0)))["spectrum_slope"] < clip_figures(noise((0.5, 0.5)))["spectrum_slope"] - 1


def test_a_still_image_correlates_with_itself():
    still = clip_figures(noise((1.0, 1.0)))
    assert still["correlation_lag1"] == pytest.approx(1) == still["correlation_half_beat"]
    moving = np.stack([np.roll(frame, 3 * t, axis=1) for t, frame in enumerate(noise((1.0, 1.0)))])
    assert clip_figures(moving)["correlation_lag1"] < 0.3


def test_intensity_figures():
    frames = np.zeros((4, 112, 112), np.uint8)
    frames[:, :56] = 200
    figures = clip_figures(frames)
    assert (figures["mean"], figures["black_share"], figures["p95"]) == (100, 0.5, 200)


def test_comparison_says_what_lies_outside():
    real, made = [{"a": 1.0, "b": 1.0}, {"a": 3.0, "b": 2.0}], [{"a": 2.0, "b": 5.0}, {"a": 2.5, "b": 1.5}]
    table = compare_figures(real, made)
    assert table["a"].within and table["a"].share_within == 1
    assert not table["b"].within and table["b"].share_within == 0.5
    assert "NO" in format_table(table).splitlines()[2]


@pytest.mark.skipif(not MINI.is_dir(), reason="the six real clips (../shared/echonet-mini) are not here")
def test_phantoms_look_like_real_clips_in_figures(tmp_path: Path):
    real = [clip_figures(read_video(path)[0]) for path in sorted((MINI / "Videos").glob("*.avi"))]
    root = write_phantoms(tmp_path / "set", 32, seed=1, num_frames=64, workers=1)
    made = [clip_figures(read_video(path)[0]) for path in sorted((root / "Videos").glob("*.avi"))]
    table = compare_figures(real, made)
    outside = [key for key, row in table.items() if not row.within]
    # Whole frames of hearts that move freely change a little more from frame to frame than those of the six.
    assert set(outside) <= {"correlation_lag1", "correlation_half_beat"}, format_table(table)
    assert all(table[key].phantom_median > table[key].real_min - 0.02 for key in outside), format_table(table)
    assert np.median([float(row.share_within) for row in table.values()]) > 0.5, format_table(table)


def test_phantoms_vary_in_look():
    frames = [render(p.motion, p.appearance, num_frames=2).frames for p in map(sample_phantom, range(12))]
    figures = [clip_figures(f) for f in frames]
    assert np.std([f["mean"] for f in figures]) > 4
    assert np.std([f["black_share"] for f in figures]) > 0.03
