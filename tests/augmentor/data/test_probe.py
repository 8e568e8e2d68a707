"""The content hash sees the frames of a video, and nothing else of its file."""

import shutil

from echo_augment.augmentor.data import content_hash, read_video, write_video


def test_the_hash_sees_the_pictures_only(good, tmp_path, tools):
    original = good / "Videos" / "T.avi"
    renamed = shutil.copy(original, tmp_path / "other.avi")
    assert content_hash(renamed) == content_hash(original)
    assert content_hash(tools.remux(original, tmp_path / "other.mkv")) == content_hash(original)
    assert content_hash(good / "Videos" / "V.avi") != content_hash(original)


def test_one_changed_frame_or_a_shorter_copy_has_another_hash(good, tmp_path):
    frames = read_video(good / "Videos" / "T.avi")[0].copy()
    write_video(tmp_path / "a.avi", frames, 50)
    write_video(tmp_path / "b.avi", frames[:-1], 50)
    frames[20] = 255 - frames[20]
    write_video(tmp_path / "c.avi", frames, 50)
    assert len({content_hash(tmp_path / f"{name}.avi") for name in "abc"}) == 3
