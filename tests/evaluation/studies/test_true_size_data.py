"""The large set: EchoNet-Dynamic's splits, no film in two of them, films cut as planned, the same after a kill."""

from contextlib import nullcontext

import numpy as np
import pytest

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.data.same_videos import find_leaks
from echo_augment.evaluation.studies import true_size_data as module
from echo_augment.evaluation.studies.true_size_data import (
    FILM,
    LONGEST,
    SHORTEST,
    SPLITS,
    VIDEOS,
    film_path,
    plan_videos,
    split_sizes,
    traced_frames,
    write_set,
)


def make_short(patch):
    """Films of 40 frames, all made in this process."""
    patch.setattr(module, "FILM", 40)
    patch.setattr(module, "mapper", lambda *_: nullcontext(map))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        make_short(patch)
        write_set(root, 12)
    return root


def test_the_whole_set_has_the_sizes_of_the_published_one():
    videos = plan_videos(VIDEOS)
    assert split_sizes(VIDEOS) == SPLITS and len(videos) == 10_030 == len({video.name for video in videos})
    frames, rates = np.array([video.frames for video in videos]), np.array([video.fps for video in videos])
    assert (frames.min(), frames.max(), rates.min(), rates.max()) == (SHORTEST, LONGEST, 18, 138)
    assert 165 < frames.mean() < 190 and 0.77 < (rates == 50).mean() < 0.82
    for split in SPLITS:
        assert {LONGEST, SHORTEST} <= {video.frames for video in videos if video.split == split}


def test_no_film_is_in_two_splits():
    splits = {}
    for video in plan_videos(VIDEOS):
        splits.setdefault(video.film, set()).add(video.split)
    assert all(len(found) == 1 for found in splits.values()) and len(splits) == 256


def test_a_video_goes_there_and_back_at_its_own_rate():
    for video in plan_videos(200):
        order = video.order
        assert len(order) == video.frames and order.min() >= 0 and order.max() < FILM
        assert np.abs(np.diff(order)).max() <= np.ceil(50 / video.fps)


def test_the_set_is_read_like_any_other(root):
    table = read_table(root)
    rows = table.rows
    assert len(rows) == 12 and table.problems == [] and {row.split for row in rows} == set(SPLITS)
    assert find_leaks(table.split("TRAIN"), [*table.split("VAL"), *table.split("TEST")]) == []
    row = min(rows, key=lambda row: row.n_frames)
    frames, fps = read_video(row.path)
    assert frames.shape == (row.n_frames, 112, 112) and fps == pytest.approx(row.fps)


def test_a_video_shows_its_films_frames_unchanged(root, monkeypatch):
    monkeypatch.setattr(module, "FILM", 40)
    for video in plan_videos(12)[2:5]:
        frames, _ = read_video(root / "Videos" / f"{video.name}.avi")
        film, _ = read_video(film_path(root, video.film))
        assert len(film) == 40 and np.array_equal(frames, film[video.order])


def test_traced_frames_are_two_and_nearest_to_the_films():
    for video in plan_videos(300):
        ed, es = traced_frames(video, 20, 38)
        assert ed != es and min(ed, es) >= 0 and max(ed, es) < video.frames
    long = plan_videos(300)[0]
    assert [long.order[frame] for frame in traced_frames(long, 20, 38)] == [20, 38]


def test_a_killed_set_goes_on_to_the_same_files(root, tmp_path, monkeypatch):
    make_short(monkeypatch)
    made = []
    real = module.write_videos

    def dies(videos, root):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(real(videos, root))
        return made[-1]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_videos", dies)
        write_set(tmp_path, 12)
    assert not (tmp_path / "FileList.csv").exists()
    write_set(tmp_path, 12)
    found, wanted = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path, root)
    )
    assert found == wanted


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    for arguments in ([], [str(tmp_path)], [str(tmp_path), "many"], [str(tmp_path), "12", "more"]):
        assert module.main(arguments) == 2
    assert capsys.readouterr().err.count("FOLDER VIDEOS") == 4
    (tmp_path / "file").touch()
    assert module.main([str(tmp_path), "3"]) == module.main([str(tmp_path / "file"), "12"]) == 1
    assert "videos must be" in capsys.readouterr().err
