import numpy as np
import pytest
from fakes.echo import make_clip
from hypothesis import given
from hypothesis import strategies as st

from echo_augment.augmentor import VideoFormat
from echo_augment.augmentor.video_format import Window
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError


def ramp(frames=16, fps=12.5):
    """A clip whose frame ``t`` has the grey level ``10 t``."""
    return EchoClip(
        "ramp", np.full((frames, 8, 8), 10, np.uint8) * np.arange(frames, dtype=np.uint8)[:, None, None], fps
    )


def levels(video):
    return video[0, :, 4, 4].tolist()


def test_equal_steps_give_the_frames_themselves():
    video = VideoFormat(length=16, period=4, fps=50)(ramp(), np.random.default_rng(0))
    assert video.dtype == np.float32 and video.shape == (3, 16, 8, 8)
    assert levels(video) == [10.0 * t for t in range(16)]


def test_twice_the_rate_interpolates_halfway_and_holds_the_last_frame():
    video = VideoFormat(length=32, period=2, fps=50)(ramp(), np.random.default_rng(0))
    assert levels(video) == [*(5.0 * t for t in range(31)), 150.0]


def test_frames_past_the_end_are_the_mean_grey():
    video = VideoFormat(length=32, period=2, fps=50, mean=33.0, std=50.0)(ramp(frames=8), np.random.default_rng(0))
    assert (video[:, 16:] == 0).all() and (video[:, :16] != 0).any(axis=(2, 3)).all()


@given(frames=st.integers(17, 25), seed=st.integers(0, 99))
def test_starts_lie_on_frames_and_the_window_inside(frames, seed):
    window = VideoFormat(length=16, period=4, fps=50).window(ramp(frames), np.random.default_rng(seed))
    assert window.times[0, 0] == int(window.times[0, 0]) and window.times[0, -1] <= frames - 1


def test_every_start_is_drawn():
    form = VideoFormat(length=4, period=4, fps=50)
    starts = {form.window(ramp(6), np.random.default_rng(seed)).times[0, 0] for seed in range(50)}
    assert starts == {0, 1, 2}


@pytest.mark.parametrize(("length", "clips", "shape"), [(None, 1, (3, 32, 8, 8)), (30, "all", (6, 3, 30, 8, 8))])
def test_length_none_and_all_clips_count_frames_at_the_training_rate(length, clips, shape):
    """16 frames at 12.5/s last as long as 64 frames at 50/s."""
    form = VideoFormat(length=length, period=2, fps=50, clips=clips)
    assert form(ramp(), np.random.default_rng(0)).shape == shape


def test_the_crop_is_that_of_the_padded_frame():
    clip, form = make_clip(0), VideoFormat(length=4, period=4, pad=3, mean=30.0, std=50.0)
    whole = form.video(clip, Window(np.arange(4.0)[None], (3, 3), 0))
    for y in range(6):
        for x in range(6):
            video = form.video(clip, Window(np.arange(4.0)[None], (y, x), 0))
            padded = np.pad(whole, ((0, 0), (0, 0), (3, 3), (3, 3)))
            assert np.array_equal(video, padded[:, :, y : y + 16, x : x + 16])


def test_noise_blacks_out_the_share_of_pixels_in_all_channels():
    video = VideoFormat(length=8, period=4, noise=0.25, mean=30.0, std=50.0)(make_clip(0), np.random.default_rng(0))
    black = np.isclose(video * 50 + 30, 0, atol=1e-3)
    assert black[0].sum() == round(0.25 * black[0].size) and (black[0] == black[1]).all()


def test_channels_are_normalised_each_by_its_own():
    mean, std = np.array([1.0, 2, 3]), [10, 20, 30]
    video = VideoFormat(length=2, period=4, mean=mean, std=std)(ramp(), np.random.default_rng(5))
    grey = video[0] * 10 + 1
    assert np.allclose(video[2] * 30 + 3, grey, atol=1e-4) and video.dtype == np.float32


def test_size_and_one_channel():
    video = VideoFormat(length=2, size=(12, 10), channels=1)(make_clip(0), np.random.default_rng(0))
    assert video.shape == (1, 2, 12, 10)


@pytest.mark.parametrize(
    "bad", [{"length": 0}, {"period": 0}, {"fps": 0}, {"noise": 2}, {"clips": 0}, {"clips": "most"}, {"channels": 2}]
)
def test_bad_values_are_named(bad):
    with pytest.raises(EchoAugmentError, match=f"{next(iter(bad))} must be .* got {next(iter(bad.values()))!r}"):
        VideoFormat(**bad)
