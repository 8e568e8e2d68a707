"""A folder of videos is a source of clips as a cache is; whatever is wrong in it is named, with the remedy."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from echo_augment.augmentor.data import read_table, write_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.sources.cached import CachedClips
from echo_augment.cache import EchoAugmentError, EchoClip, StoreWriter
from echo_augment.evaluation.published.ready_made import VideoClips, ready_made

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8).repeat(6, 1).repeat(6, 2)


def write_mp4(path, frames, fps):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps), options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read_table(write_phantoms(tmp_path_factory.mktemp("real"), 3, num_frames=20, workers=1, splits=(1, 0, 0)))


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "samples"
    write_video(found / "b.avi", FRAMES, 25.0)
    (found / "part").mkdir()
    write_mp4(found / "part" / "a.mp4", FRAMES[:4, :32], 30)
    (found / "notes.txt").write_text("made on a Monday")
    return found


def test_every_container_gives_its_frames_rate_and_size(folder, table):
    source = ready_made(folder, table)
    assert len(source) == 2 and np.isnan(source.ef).all() and source.ef.shape == (2,)
    avi, mp4 = source
    assert (avi.clip_id, avi.fps, avi.frames.shape) == ("b.avi", 25.0, (6, 48, 48))
    assert (mp4.clip_id, mp4.fps, mp4.frames.shape) == ("part/a.mp4", 30.0, (4, 32, 48))
    for clip, truth in ((avi, FRAMES), (mp4, FRAMES[:4, :32])):
        assert np.abs(clip.frames.astype(int) - truth).mean() < 6 and np.isnan(clip.ef)
    assert str(source.forms) == "32 x 48 to 48 x 48 pixels, 25 to 30 frames a second"
    assert source.forms.to_json() == {"fps": [25.0, 30.0], "sizes": [[32, 48], [48, 48]]}


def test_a_fingerprint_follows_content_and_names(folder):
    before = VideoClips(folder).fingerprint
    assert before.startswith("videos-") and VideoClips(folder).fingerprint == before
    (folder / "b.avi").rename(folder / "c.avi")
    renamed = VideoClips(folder).fingerprint
    write_video(folder / "c.avi", FRAMES[::-1], 25.0)
    assert len({before, renamed, VideoClips(folder).fingerprint}) == 3


def test_a_cache_is_read_as_a_cache(tmp_path, table):
    with StoreWriter(tmp_path, fingerprint="f") as writer:
        writer.add(EchoClip("a", FRAMES, 25.0, ef=60.0))
    source = ready_made(tmp_path, table)
    assert isinstance(source, CachedClips) and source.ef.tolist() == [60.0]


def test_what_is_no_folder_of_videos_is_refused(tmp_path, table):
    with pytest.raises(EchoAugmentError, match=r"there is no folder .*absent"):
        ready_made(tmp_path / "absent", table)
    with pytest.raises(EchoAugmentError, match="holds neither a cache nor a video"):
        ready_made(tmp_path, table)
    with pytest.raises(EchoAugmentError, match=r"FileList\.csv: this table's labels would not be read.*action=import"):
        ready_made(table.root, table)


def test_a_video_that_cannot_be_opened_is_named(folder, table):
    (folder / "broken.avi").write_bytes(b"no video at all")
    with pytest.raises(EchoAugmentError, match=r"broken\.avi: .*Save it again, or take it out of the folder"):
        ready_made(folder, table)
    (folder / "broken.avi").write_bytes(b"")
    with pytest.raises(EchoAugmentError, match=r"broken\.avi: is empty \(0 bytes\)"):
        ready_made(folder, table)


def test_a_video_that_breaks_in_the_middle_is_named_when_it_is_read(folder, table):
    whole = (folder / "b.avi").read_bytes()
    (folder / "b.avi").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EchoAugmentError, match=r"b\.avi: is truncated.*take it out of the folder"):
        list(ready_made(folder, table))


def test_a_frame_rate_of_no_echocardiogram_is_an_error(folder, table):
    write_video(folder / "slow.avi", FRAMES, 1.0)
    with pytest.raises(EchoAugmentError, match=r"slow\.avi: states 1 frames a second, not 2 to 400.*true frame rate"):
        ready_made(folder, table)


def test_real_videos_are_no_clips(folder, table):
    shutil.copy(table.rows[0].path, folder / "copy.avi")  # other real videos may be held against these: by path only
    assert len(ready_made(folder, table)) == 3
    (folder / "linked.avi").symlink_to(table.rows[0].path)
    for place in (folder, table.rows[0].path.parent):
        with pytest.raises(EchoAugmentError, match="is one of the real videos of "):
            ready_made(place, table)
