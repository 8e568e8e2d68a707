"""Video files: equal to OpenCV's reading, decoding only what is wanted, one clear error for each broken file."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data import count_frames, read_frames, read_video, video, write_video
from echo_augment.cache.errors import EchoAugmentError


@pytest.fixture
def clip(tmp_path, tools):
    path = tmp_path / "clip.avi"
    write_video(path, tools.smooth_frames(1), 50)
    return path


def write_inter_coded(path, frames):
    """A video whose packets depend on one another and come out later than they go in."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"g": "12", "bf": "2"})
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, -1), "rgb24")))
        container.mux(stream.encode())
    return path


def test_written_frames_come_back(clip, tools):
    frames, fps = read_video(clip)
    true = tools.smooth_frames(1)
    assert fps == 50 and frames.shape == true.shape and frames.dtype == np.uint8
    assert np.abs(frames.astype(int) - true).max() <= 8 and np.abs(frames.astype(int) - true).mean() < 1


def test_all_channels_equal_opencv(clip, tools):
    assert np.array_equal(read_video(clip, rgb=True)[0], tools.opencv_frames(clip))


def test_real_clips_equal_opencv_in_every_channel(mini, tools):
    for path in sorted((mini / "Videos").glob("*.avi")):
        expected = tools.opencv_frames(path)
        assert np.array_equal(read_video(path, rgb=True)[0], expected)
        assert np.array_equal(read_video(path)[0], expected[..., 1])  # grey is luma, which is the green channel here


@settings(max_examples=30, deadline=None)
@given(indices=st.lists(st.integers(0, 39), max_size=8))
def test_wanted_frames_come_in_the_wanted_order(indices, good):
    path = good / "Videos" / "A.avi"
    assert np.array_equal(read_frames(path, indices), read_video(path)[0][indices])


def test_only_wanted_packets_of_an_mjpg_are_decoded(clip, monkeypatch):
    decoded = []
    original = video.VideoFile._pixels
    monkeypatch.setattr(video.VideoFile, "_pixels", lambda self, *a: decoded.append(1) or original(self, *a))
    read_frames(clip, [5, 9, 5])
    assert len(decoded) == 2


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_inter_coded_video_gives_the_same_frames_alone_as_all_at_once(tmp_path, suffix, tools):
    path = write_inter_coded(tmp_path / f"clip.{suffix}", tools.smooth_frames(2))
    everything, _ = read_video(path)
    assert everything.shape == (40, 24, 32) and count_frames(path) == 40
    assert np.allclose(everything, tools.opencv_frames(path)[..., 1], atol=3)  # OpenCV converts to RGB and rounds
    for wanted in ([0], [39], [13, 2, 27]):
        assert np.array_equal(read_frames(path, wanted), everything[wanted])


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 9), (2, 112, 111)])
def test_any_size_can_be_written(tmp_path, shape):
    frames = np.full(shape, 77, np.uint8)
    write_video(tmp_path / "x.avi", frames, 23.976)
    back, fps = read_video(tmp_path / "x.avi")
    assert back.shape == shape and np.abs(back.astype(int) - 77).max() <= 1 and fps == pytest.approx(23.976)


def test_writing_twice_gives_the_same_bytes(tmp_path, tools):
    for name in ("a.avi", "b.avi"):
        write_video(tmp_path / name, tools.smooth_frames(3), 50)
    assert (tmp_path / "a.avi").read_bytes() == (tmp_path / "b.avi").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, clip, monkeypatch, tools):
    before = clip.read_bytes()
    monkeypatch.setattr(video, "_neutral", lambda frame: (_ for _ in ()).throw(RuntimeError("disk full")))
    with pytest.raises(RuntimeError, match="disk full"):
        write_video(clip, tools.smooth_frames(4), 50)
    assert clip.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["clip.avi"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": np.zeros((2, 4, 4))}, "uint8"),
        ({"frames": np.zeros((0, 4, 4), np.uint8)}, "uint8"),
        ({"frames": np.zeros((2, 4, 4, 3), np.uint8)}, "uint8"),
        ({"fps": 0}, "fps must be above 0, got 0"),
        ({"fps": float("nan")}, "fps must be above 0, got nan"),
        ({"quantiser": 32}, "quantiser must be a whole number from 1 to 31, got 32"),
    ],
)
def test_writing_refuses_what_it_cannot_write(tmp_path, arguments, message):
    settings = {"frames": np.zeros((2, 4, 4), np.uint8), "fps": 50, **arguments}
    with pytest.raises(EchoAugmentError, match=message):
        write_video(tmp_path / "x.avi", **settings)
    assert not (tmp_path / "x.avi").exists()


@pytest.mark.parametrize("index", [-1, 40, 1000])
def test_an_index_outside_the_video_is_named(clip, index):
    with pytest.raises(EchoAugmentError, match=rf"frame {index} asked for, the video has frames 0\.\.39"):
        read_frames(clip, [0, index])


def test_broken_files_each_have_their_error(tmp_path, clip):
    whole = clip.read_bytes()
    broken = {
        "empty.avi": (b"", "is empty"),
        "text.avi": (
            b"this is no video at all, but it is long enough to be looked at" * 20,
            "cannot be read as a video",
        ),
        "truncated.avi": (whole[: len(whole) // 2], "is truncated"),
        "header.avi": (whole[:100], "is truncated"),
    }
    for name, (content, message) in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        for reader in (read_video, count_frames, lambda path: read_frames(path, [0])):
            with pytest.raises(EchoAugmentError, match=message) as caught:
                reader(path)
            assert name in str(caught.value) and caught.value.remedy


def test_a_truncated_copy_with_a_mended_header_is_still_found(tmp_path, clip):
    content = bytearray(clip.read_bytes()[:-6000])
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path = tmp_path / "cut.avi"
    path.write_bytes(content)
    with pytest.raises(EchoAugmentError, match=r"truncated|cannot be read"):
        read_video(path)


def test_missing_folder_and_zero_frame_videos(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"none\.avi: there is no such video"):
        read_video(tmp_path / "none.avi")
    with pytest.raises(EchoAugmentError, match="is a folder"):
        read_video(tmp_path)
    path = tmp_path / "zero.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=50)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuvj420p"
        container.start_encoding()
    for reader in (read_video, count_frames):
        with pytest.raises(EchoAugmentError, match=r"has no frames|cannot be read"):
            reader(path)


def test_sound_without_pictures_is_named(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(EchoAugmentError, match="holds no video stream"):
        read_video(path)
