"""What decodes counts: wrong headers, dropped chunks, hidden frames and codecs that build on the frame before."""

import struct

import av
import numpy as np
import pytest

from echo_augment.augmentor.data import count_frames, probe_video, read_frames, read_video, write_video
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.cache.errors import EchoAugmentError

EMPTY = {5, 15, 39}


def encode(path, frames, codec, pix_fmt="yuv420p", **options):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, -1), "rgb24")))
        container.mux(stream.encode())
    return path


def with_sizes(path, riff=None, movi=None):
    """Write other sizes into an AVI's header."""
    content = bytearray(path.read_bytes())
    if riff is not None:
        content[4:8] = struct.pack("<I", riff)
    if movi is not None:
        place = content.index(b"movi") - 4
        content[place : place + 4] = struct.pack("<I", movi)
    path.write_bytes(content)
    return path


def drop_chunks(path, empty=EMPTY, *, index=True):
    """Make the chunks ``empty`` of an AVI empty, as a grabber does that lost a frame."""
    content = path.read_bytes()
    place = content.index(b"movi") + 4
    head, body, entries, number = content[: place - 12], b"", b"", 0
    while content[place : place + 4] == b"00dc":
        size = struct.unpack("<I", content[place + 4 : place + 8])[0]
        data = b"" if number in empty else content[place + 8 : place + 8 + size]
        entries += b"00dc" + struct.pack("<III", 16, len(body) + 4, len(data))
        body += b"00dc" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        place, number = place + 8 + size + size % 2, number + 1
    rest = head[12:] + b"LIST" + struct.pack("<I", len(body) + 4) + b"movi" + body
    if index:
        rest += b"idx1" + struct.pack("<I", len(entries)) + entries
    path.write_bytes(b"RIFF" + struct.pack("<I", len(rest) + 4) + b"AVI " + rest)
    return path


@pytest.fixture
def clip(tmp_path, tools):
    path = tmp_path / "clip.avi"
    write_video(path, tools.smooth_frames(1), 50)
    return path


@pytest.mark.parametrize("options", [{"g": "12"}, {"g": "40"}, {"g": "12", "level": "3"}])
@pytest.mark.parametrize("suffix", ["avi", "mkv"])
def test_ffv1_with_groups_of_pictures_gives_the_true_frames_one_by_one(tmp_path, tools, suffix, options):
    path = encode(tmp_path / f"clip.{suffix}", tools.smooth_frames(2), "ffv1", **options)
    everything, _ = read_video(path, rgb=True)
    assert np.array_equal(everything, tools.opencv_frames(path))
    for index in range(40):
        assert np.array_equal(read_frames(path, [index], rgb=True)[0], everything[index]), index


@pytest.mark.parametrize("codec", ["mjpeg", "libx264", "mpeg4", "huffyuv", "ffvhuff", "utvideo", "png"])
def test_random_access_equals_sequential_decode(tmp_path, tools, codec):
    pix_fmt = {"mjpeg": "yuvj420p", "huffyuv": "yuv422p", "png": "rgb24"}.get(codec, "yuv420p")
    options = {"context": "1", "g": "12"} if codec == "ffvhuff" else {"g": "12"}
    path = encode(tmp_path / "clip.avi", tools.smooth_frames(2), codec, pix_fmt, **options)
    everything, _ = read_video(path)
    for wanted in ([0], [39], [13, 2, 27], [11, 12, 13]):
        assert np.array_equal(read_frames(path, wanted), everything[wanted])


@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF, 1000, 10_000_000])
@pytest.mark.parametrize("movi", [None, 0, 0xFFFFFFFF, 10_000_000])
def test_sizes_of_an_avi_that_are_off_do_not_matter_if_every_frame_is_there(clip, riff, movi):
    true, _ = read_video(clip)
    with_sizes(clip, riff, movi)
    assert count_frames(clip) == 40 and np.array_equal(read_video(clip)[0], true)


@pytest.mark.parametrize("index", [True, False])
def test_dropped_chunks_are_no_frames_and_no_error(clip, tools, index):
    true = np.delete(read_video(clip)[0], sorted(EMPTY), axis=0)
    drop_chunks(clip, index=index)
    assert len(tools.opencv_frames(clip)) == 37
    assert count_frames(clip) == 37 and np.array_equal(read_video(clip)[0], true)
    assert np.array_equal(read_frames(clip, [36, 5]), true[[36, 5]]) and probe_video(clip).frames == 37


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_a_trimmed_video_gives_the_frames_that_play(tmp_path, tools, suffix, codec):
    whole = encode(tmp_path / "whole.mp4", tools.smooth_frames(2), codec, "yuvj420p" if codec == "mjpeg" else "yuv420p")
    path = tmp_path / f"trim.{suffix}"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        start = 10 * (old.streams.video[0].time_base.denominator // 25)
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = stream
                new.mux(packet)
    played = len(tools.opencv_frames(path))
    assert count_frames(path) == len(read_video(path)[0]) == played
    assert read_frames(path, [played - 1, 0]).shape[0] == 2


@pytest.mark.parametrize(("codec", "name"), [("mjpeg", "c.avi"), ("libx264", "c.mkv"), ("mpeg4", "c.avi")])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.8])
def test_a_file_that_broke_off_is_truncated_however_it_is_read(tmp_path, tools, codec, name, share):
    path = encode(tmp_path / name, tools.smooth_frames(2), codec, "yuvj420p" if codec == "mjpeg" else "yuv420p")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for reader in (read_video, count_frames, probe_video):
        with pytest.raises(EchoAugmentError, match="is truncated"):
            reader(path)


def test_doctor_compares_frames_read_alone_with_frames_read_in_order(maker, monkeypatch):
    root = maker(videos="ABCDVT")
    assert check_dataset(root, decode=True).errors == []
    from echo_augment.augmentor.data import checkup

    true = checkup.read_frames
    monkeypatch.setattr(checkup, "read_frames", lambda path, wanted: true(path, wanted) ^ (path.name == "B.avi"))
    errors = check_dataset(root, decode=True).errors
    assert [problem.video for problem in errors] == ["B"] and "read alone" in errors[0].message


def test_the_count_follows_a_file_that_is_replaced(tmp_path, tools):
    path = encode(tmp_path / "c.mkv", tools.smooth_frames(2), "libx264")
    assert count_frames(path) == 40
    encode(path, tools.smooth_frames(2)[:7], "libx264")
    assert count_frames(path) == 7
