"""`EchoNetDynamic` against arrays worked out here from OpenCV's frames, and each bad input's error."""

import pickle
import shutil

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, video
from echo_augment.augmentor.data.sampling import Choice, black_out
from echo_augment.cache.errors import EchoAugmentError


def expected_clip(frames, start, length, period, mean=0.0, std=1.0):
    """``(3, length, H, W)`` by plain loops over ``(T, H, W, 3)`` frames; zero past the end."""
    result = np.zeros((3, length, *frames.shape[1:3]), np.float32)
    for place in range(length):
        if start + place * period < len(frames):
            for channel in range(3):
                grey = frames[start + place * period, :, :, channel].astype(np.float32)
                result[channel, place] = (
                    grey - np.broadcast_to(mean, 3)[channel].astype(np.float32)
                ) / np.broadcast_to(std, 3)[channel].astype(np.float32)
    return result


# --------------------------------------------------------------------------------------------- values and targets
@pytest.mark.parametrize(
    ("mean", "std"),
    [(0.0, 1.0), (32, 50), (np.array([30.0, 31.0, 32.0]), np.array([50.0, 51.0, 52.0])), ([1, 2, 3], 2.5)],
)
@pytest.mark.parametrize(("length", "period"), [(16, 2), (4, 9), (1, 1), (30, 2)])
def test_clips_equal_arrays_worked_out_by_hand(good, tools, mean, std, length, period):
    data = EchoNetDynamic(good, mean=mean, std=std, length=length, period=period)
    for index, name in enumerate("ABCD"):
        frames = tools.opencv_frames(good / "Videos" / f"{name}.avi")
        clip, ef = data[index]
        start = data.choose(index, 40).starts[0]
        assert clip.dtype == np.float32 and clip.flags.c_contiguous
        np.testing.assert_allclose(clip, expected_clip(frames, start, length, period, mean, std), rtol=1e-6, atol=1e-6)
        assert ef == np.float32([55.5, 30, 62.25, 55.5][index]) and isinstance(ef, np.float32)


def test_attributes_as_echonet_has_them(good):
    data = EchoNetDynamic(good, "all", max_length=None)
    assert data.fnames == [f"{name}.avi" for name in "ABCDVT"] and data.split == "ALL" and data.target_type == ["EF"]
    assert data.outcome[1][data.header.index("EF")] == 30 and data.outcome[1][data.header.index("NumberOfFrames")] == 40
    assert data.frames["A.avi"] == [30, 3] and data.trace["A.avi"][30].shape == (8, 4)
    assert (data.mean, data.std, data.length, data.period, data.clips, data.pad) == (0.0, 1.0, 16, 2, 1, None)
    assert repr(data).startswith("EchoNetDynamic(") and data.skipped == []


def test_all_clips_and_several_clips(good, tools):
    frames = tools.opencv_frames(good / "Videos" / "A.avi")
    clips, _ = EchoNetDynamic(good, length=16, period=2, clips="all")[0]
    assert clips.shape == (10, 3, 16, 24, 32)  # 40 - 15 * 2 starts
    for start in range(10):
        assert np.array_equal(clips[start], expected_clip(frames, start, 16, 2))
    data = EchoNetDynamic(good, length=4, clips=3)
    assert data[0][0].shape == (3, 3, 4, 24, 32)
    for clip, start in zip(data[0][0], data.choose(0, 40).starts, strict=True):
        assert np.array_equal(clip, expected_clip(frames, start, 4, 2))


def test_whole_videos_and_short_videos(good, tools):
    frames = tools.opencv_frames(good / "Videos" / "A.avi")
    assert EchoNetDynamic(good, length=None, period=3)[0][0].shape == (3, 13, 24, 32)
    assert EchoNetDynamic(good, length=None, period=1, max_length=7)[0][0].shape[1] == 7
    data = EchoNetDynamic(good, length=32, period=2, mean=99.0, std=3.0)
    start = data.choose(0, 40).starts[0]
    clip = data[0][0]
    assert np.array_equal(clip, expected_clip(frames, start, 32, 2, 99, 3)) and not clip[:, 20:].any()


def test_padding_cuts_a_window_of_the_original_size(good):
    plain, padded = EchoNetDynamic(good, length=4), EchoNetDynamic(good, length=4, pad=5)
    corners = set()
    for epoch in range(20):
        padded.set_epoch(epoch)
        choice = padded.choose(0, 40)
        whole = plain.read(0, Choice(4, choice.starts))[0]
        border = np.pad(whole, ((0, 0), (0, 0), (5, 5), (5, 5)))
        down, right = choice.corner
        assert np.array_equal(padded[0][0], border[:, :, down : down + 24, right : right + 32])
        corners.add(choice.corner)
    assert len(corners) > 10


def test_noise_blacks_out_the_share_before_normalisation(good):
    clean, noisy = EchoNetDynamic(good, length=8, mean=300.0), EchoNetDynamic(good, length=8, mean=300.0, noise=0.25)
    choice = noisy.choose(0, 40)
    with_noise, without = noisy[0][0], clean.read(0, choice)[0]
    changed = (with_noise != without).any(axis=0)
    assert 0.2 < changed.mean() <= 0.25 and (with_noise[:, changed] == -300).all()
    assert not np.array_equal(noisy[0][0], noisy[1][0])
    assert (black_out(np.full((2, 3, 4, 3), 9, np.uint8), 1.0, 0) == 0).all()


def test_the_same_frame_has_the_same_noise_in_clip_and_target(good):
    data = EchoNetDynamic(good, length=40, period=1, noise=0.5, target_type="LargeFrame")
    clip, large = data[0]
    assert np.array_equal(clip[:, 3], large)


def test_only_needed_frames_are_decoded(good, monkeypatch):
    decoded = []
    original = video.VideoFile._pixels
    monkeypatch.setattr(video.VideoFile, "_pixels", lambda self, *a: decoded.append(1) or original(self, *a))
    EchoNetDynamic(good, length=8, period=2)[0]
    assert len(decoded) == 8


# ---------------------------------------------------------------------------------------------------- randomness
def test_samples_are_a_pure_function_of_seed_epoch_and_index(good):
    first, second = (EchoNetDynamic(good, length=4, pad=6, noise=0.1, seed=3) for _ in range(2))
    order = [3, 0, 0, 2, 1]
    assert all(np.array_equal(first[index][0], second[index][0]) for index in order)
    before = [first.choose(index, 40) for index in range(4)]
    first.set_epoch(1)
    assert all(first.choose(index, 40) != choice for index, choice in enumerate(before))
    first.set_epoch(0)
    assert [first.choose(index, 40) for index in range(4)] == before
    assert EchoNetDynamic(good, length=4, pad=6, seed=4).choose(0, 40) != before[0]


def test_the_global_random_state_is_neither_read_nor_advanced(good):
    data = EchoNetDynamic(good, length=4, pad=6, noise=0.1)
    np.random.seed(0)
    state, first = np.random.get_state()[1].copy(), data[0][0]
    assert np.array_equal(np.random.get_state()[1], state)
    np.random.seed(1)
    assert np.array_equal(data[0][0], first)


# ------------------------------------------------------------------------------------- what real copies show


def test_a_pediatric_copy(maker):
    points = [
        f"{name}.avi,{x},{y},{frame}"
        for name in "ABV"
        for frame, s in ((20, 3), (7, 6))
        for x, y in ((9 - s, 9 - s), (9 + s, 9 - s), (9 + s, 9 + s))
    ]
    header = "FileName,EF,Sex,Age,Split"
    root = maker(
        ["A.avi,60,F,3,0", "B.avi,50,M,4,7", "V.avi,40,F,5,8"],
        "ABV",
        header=header,
        tracings=points,
        tracing_header="FileName,X,Y,Frame",
    )
    data = EchoNetDynamic(root, "train", ["EF", "Sex", "Age", "LargeIndex", "LargeTrace"], length=2)
    assert data.fnames == ["A.avi", "B.avi"]
    ef, sex, age, large, trace = data[0][1]
    assert (ef, sex, age, large) == (60, "F", 3, 7) and trace.sum() == 13 * 14 / 2
    assert EchoNetDynamic(root, [7, "val"]).fnames == ["B.avi", "V.avi"]
    assert EchoNetDynamic(root, 8).split == 8


def test_external_videos_have_no_labels(good, tmp_path):
    shutil.copy(good / "Videos" / "A.avi", tmp_path / "x.avi")
    (tmp_path / "notes.txt").write_text("no video")
    data = EchoNetDynamic(split="external_test", external_test_location=tmp_path, target_type=["Filename", "EF"])
    assert data[0][1] == ("x.avi", 0) and data.skipped == [("notes.txt", "not a video by its suffix")]
    with pytest.raises(EchoAugmentError, match="external videos have no tracings"):
        EchoNetDynamic(split="external_test", external_test_location=tmp_path, target_type="LargeTrace")
    with pytest.raises(EchoAugmentError, match="external_test_location is"):
        EchoNetDynamic(split="external_test", external_test_location=tmp_path / "no")


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "length must be a whole number of at least 1, got 0"),
        ({"length": 2.5}, "length must be a whole number"),
        ({"period": 0}, "period must be"),
        ({"max_length": -1}, "max_length must be"),
        ({"clips": 0}, "clips must be"),
        ({"clips": "some"}, "clips must be"),
        ({"pad": -1}, "pad must be"),
        ({"seed": -1}, "seed must be"),
        ({"noise": 1.5}, r"noise must be in \[0, 1\], got 1.5"),
        ({"mean": [1, 2]}, "mean must be one number or three"),
        ({"mean": "grey"}, "mean must be one number or three"),
        ({"std": 0}, "std must be one number or three, finite and not 0, got 0"),
        ({"std": float("nan")}, "std must be"),
        ({"on_error": "ignore"}, "on_error must be one of raise, skip, got 'ignore'"),
        ({"target_type": "Age"}, "target_type 'Age' is not known. There are: .*EF"),
        ({"root": None}, "root is None"),
    ],
)
def test_arguments_out_of_range_state_the_value(good, arguments, message):
    with pytest.raises(EchoAugmentError, match=message):
        EchoNetDynamic(**{"root": good, **arguments})


def test_indices_outside_and_epochs_below_zero(good):
    data = EchoNetDynamic(good)
    assert np.array_equal(data[-1][0], data[3][0])
    for index in (4, -5):
        with pytest.raises(IndexError):
            data[index]
    assert len(list(data)) == 4
    with pytest.raises(EchoAugmentError, match="epoch must be a whole number of at least 0, got -1"):
        data.set_epoch(-1)


def test_a_pickled_copy_gives_the_same_samples(good):
    data = EchoNetDynamic(good, length=4, pad=4, seed=7)
    data.set_epoch(5)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301  our own bytes
    assert copy.epoch == 5 and all(np.array_equal(a[0], b[0]) for a, b in zip(data, copy, strict=True))
