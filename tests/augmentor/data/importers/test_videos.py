"""Videos of any container and size, with or without an extension; frame rates that contradict; colours; patients."""

import av
import numpy as np
import pytest
from PIL import Image

from echo_augment.augmentor.data.importers.records import ImportPlan, Left, Source
from echo_augment.augmentor.data.importers.videos import find_videos, patient_of, read_any_video
from echo_augment.augmentor.data.video import write_video
from tests.fakes.cines import LETTERS, beating, letters, with_letters

LUMA = beating(30)
PLAN = ImportPlan(source="video")
CODECS = {"a.mp4": "mpeg4", "a.mkv": "ffv1", "a.avi": "mjpeg", "a.mov": "mpeg4", "a.mpg": "mpeg2video"}


def write(path, luma=LUMA, codec="mpeg4", fps=25, rgb=None):
    form = {"mpg": "mpeg", "mkv": "matroska"}.get(path.suffix[1:], path.suffix[1:] or "mp4")
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.bit_rate = luma.shape[2], luma.shape[1], 4_000_000
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index, frame in enumerate(luma):
            values = np.repeat(frame[..., None], 3, axis=-1) if rgb is None else rgb[index]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format="rgb24")))
        container.mux(stream.encode())
    return path


def read(path, plan=PLAN, rates=None):
    return read_any_video(Source(path, path), plan, rates or {})


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("extension", [True, False])
def test_containers(tmp_path, name, extension):
    path = write(tmp_path / name, codec=CODECS[name])
    if not extension:
        path = path.rename(tmp_path / "VIDEO0001")
    assert [source.path for source in find_videos(tmp_path)] == [path]
    clip = read(path)
    assert clip.frames.shape == (30, 112, 112) and clip.fps == pytest.approx(25) and clip.frames.max() > 60


def test_a_gif(tmp_path):
    pictures = [Image.fromarray(frame) for frame in LUMA]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=40)
    clip = read(tmp_path / "a.gif")
    assert len(clip.frames) == 30 and clip.fps == pytest.approx(25)


def test_other_files_are_no_videos(tmp_path):
    (tmp_path / "table.csv").write_text("FileName,EF\n")
    (tmp_path / "empty").write_bytes(b"")
    assert list(find_videos(tmp_path)) == []


def test_the_tables_frame_rate_goes_before_the_containers(tmp_path):
    path = write(tmp_path / "a.avi", codec="mjpeg", fps=30)
    clip = read(path, rates={"a": 50.0})
    assert clip.fps == 50
    assert clip.notes == ("the label table says 50 frames a second, the container 30; fps= decides",)
    assert read(path, ImportPlan(source="video", fps=40), {"a": 50.0}).fps == 40


def test_letters_are_gone(tmp_path):
    write_video(tmp_path / "a.avi", with_letters(with_letters(LUMA), "19:43", (140, 150)), 30)
    clip, clean = read(tmp_path / "a.avi"), beating(30)
    assert 0.005 < clip.masked < 0.1
    assert clip.frames.max() < clean.max() and letters((240, 320), LETTERS).any()


def test_colour_flow(tmp_path):
    rgb = np.repeat(LUMA[..., None], 3, axis=-1)
    rgb[::2, 100:140, 140:180], rgb[1::2, 100:140, 140:180] = (220, 20, 20), (20, 20, 220)
    path = write(tmp_path / "a.mp4", rgb=rgb)
    with pytest.raises(Left, match="colour flow"):
        read(path)
    assert "the box of its colour flow" in read(path, ImportPlan(source="video", colour="drop_box")).notes[0]


@pytest.mark.parametrize(
    ("frames", "kind"), [(LUMA[:1], "single frame"), (LUMA[:10], "short"), (np.repeat(LUMA[:1], 30, 0), "still")]
)
def test_what_is_no_clip(tmp_path, frames, kind):
    write_video(tmp_path / "DOE JANE.avi", frames, 30)
    with pytest.raises(Left) as found:
        read(tmp_path / "DOE JANE.avi")
    assert found.value.kind == kind


def test_damaged_files_do_not_tell_their_name(tmp_path):
    write_video(tmp_path / "DOE JANE.avi", LUMA, 30)
    data = (tmp_path / "DOE JANE.avi").read_bytes()
    for content in (b"", data[:5000], b"RIFF" + bytes(100)):
        (tmp_path / "DOE JANE.avi").write_bytes(content)
        with pytest.raises(Left) as found:
            read(tmp_path / "DOE JANE.avi")
        assert "DOE" not in str(found.value) and str(tmp_path) not in str(found.value)


def test_whose_a_video_is(tmp_path):
    source = Source(tmp_path / "P17" / "rest" / "a.avi", tmp_path)
    assert patient_of(source, "file") == "" and patient_of(source, "folder") == "P17/rest"
    assert patient_of(source, r"^(P\d+)/") == "P17"
    with pytest.raises(Left, match="does not match"):
        patient_of(source, r"^(Q\d+)/")
