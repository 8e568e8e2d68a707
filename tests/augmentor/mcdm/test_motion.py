"""Hearts and motion codes: label-free, relative to ED, aligned in time."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from echo_augment.augmentor.mcdm.labels import donor_label
from echo_augment.augmentor.mcdm.motion import flow_codes, mafe_codes, pad_to, room, stretch, vector_code
from echo_augment.augmentor.mcdm.phase import Heart, make_heart, resample_indices
from echo_augment.cache import EchoAugmentError


def test_grid_passes_through_ed_at_half_the_kept_rate(hearts):
    for heart in hearts:
        assert heart.ed in heart.grid and set(np.diff(heart.grid)) == {2}
        assert len(heart.frames) == 50


@given(count=st.integers(2, 300), fps=st.floats(20, 120), rate=st.floats(5, 30))
def test_resampling_stays_inside_and_keeps_time(count, fps, rate):
    indices = resample_indices(count, fps, rate)
    assert indices[0] == 0 and indices.max() < count and (np.diff(indices) >= 0).all()
    seconds = np.arange(len(indices)) / rate
    assert np.abs(indices / fps - seconds).max() <= 0.5 / fps + 1e-6


def test_one_vector_is_of_ed_and_es_frame_in_order_of_time(untrained, hearts):
    heart, mafe = hearts[0], untrained.mafe
    early, late = sorted((heart.ed, heart.es))
    pair = torch.from_numpy(heart.frames[[early, late]])[:, None].float() / 255
    with torch.no_grad():
        expected = mafe.motion_vector(pair[:1], pair[1:], turned=True).numpy()
    for ed, es in ((early, late), (late, early)):
        np.testing.assert_array_equal(vector_code(mafe, Heart("x", heart.frames, ed, es)), expected)


def test_bad_rate_and_short_video_are_named():
    frames = np.zeros((3, 112, 112), np.uint8)
    with pytest.raises(EchoAugmentError, match="'x': frame rate 0 is not positive"):
        make_heart("x", frames, 0, rate=12.5, size=112)
    with pytest.raises(EchoAugmentError, match="'x': 3 frames at 50 fps are too few"):
        make_heart("x", frames, 50, rate=12.5, size=112)


def test_codes_are_zero_at_ed_and_large_at_es(hearts):
    for heart in hearts:
        codes = np.abs(flow_codes(heart)).mean(1)
        assert codes[list(heart.grid).index(heart.ed)] < 0.05 < codes.max()


@given(start=st.floats(0, 5), tempo=st.floats(0.5, 1.5), frames=st.integers(2, 12))
def test_stretch_reads_a_line_where_it_is(start, tempo, frames):
    codes = torch.arange(20.0)[:, None].repeat(1, 3)
    read = stretch(codes, frames, start=start, tempo=tempo)
    expected = np.minimum(start + tempo * np.arange(frames), 19)
    np.testing.assert_allclose(read[:, 0], expected, atol=1e-4)
    if start <= room(20, frames, tempo):
        assert read[-1, 0] == pytest.approx(start + tempo * (frames - 1), abs=1e-4)


def test_padding_repeats_the_last_code_and_says_where():
    codes, there = pad_to(torch.tensor([[1.0], [2.0]]), 4)
    assert codes[:, 0].tolist() == [1, 2, 2, 2] and there.tolist() == [True, True, False, False]
    whole, there = pad_to(torch.arange(6.0)[:, None], 4)
    assert whole[:, 0].tolist() == [0, 1, 2, 3] and there.all()


def test_donor_label_finds_the_extremes_in_the_window():
    volume = np.cos(np.linspace(0, 4 * np.pi, 25))
    label = donor_label(61.0, volume, 2.0 + np.arange(16))
    assert label.ef == 61.0 and label.policy == "donor"
    assert label.ed_frame == 10 and label.es_frame == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_mafe_in_half_precision_reads_nearly_the_same_motion(untrained, hearts, dtype):
    half = copy.deepcopy(untrained.mafe).to(dtype)
    for read in (mafe_codes, vector_code):
        whole, narrow = read(untrained.mafe, hearts[0]), read(half, hearts[0])
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, whole, atol=0.02 * np.abs(whole).max())
    assert half.dtype == dtype, "the pipeline keeps its own"
