"""The training videos in one array: resampled once, told apart by hash, skipped by name if they cannot be read."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fakes.hearts import LENGTH, write_hearts
from fakes.peers import write_set

from echo_augment.augmentor.data import content_hash, read_table, read_video
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.prepare import FRAMES, TABLE, prepare

NAMES = [(f"h{k}", 40 + k, "TRAIN") for k in range(5)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return read_table(write_set(tmp_path_factory.mktemp("data") / "set", NAMES)).rows


def test_the_array_holds_what_a_video_is_at_twice_the_rate(rows, tmp_path):
    data = prepare(rows, tmp_path, rate=12.5, size=24)
    assert [heart.name for heart in data.videos] == [row.name for row in rows] and data.skipped == []
    for row, heart, start in zip(rows, data.videos, data.starts, strict=True):
        frames, fps = read_video(row.path)
        wanted = make_heart(row.name, frames, fps, rate=12.5, size=24)
        np.testing.assert_array_equal(heart.frames, wanted.frames)
        assert heart.frames.shape == (20, 24, 24) and (heart.ed, heart.es) == (wanted.ed, wanted.es)
        assert start == 20 * data.videos.index(heart)
    assert data.total == 100 == len(np.load(tmp_path / FRAMES))
    assert list(data.hashes.content) == [content_hash(row.path) for row in rows] and len(set(data.hashes.first)) == 5


def test_a_frame_rate_in_the_table_goes_before_the_file_s(rows, tmp_path):
    slower = [replace(row, fps=25.0) for row in rows]
    assert {len(heart.frames) for heart in prepare(slower, tmp_path, rate=12.5, size=24).videos} == {40}


def test_videos_are_decoded_once(rows, tmp_path):
    first = prepare(rows, tmp_path, rate=12.5, size=24)
    before = (tmp_path / FRAMES).stat().st_mtime_ns
    again = prepare([], tmp_path, rate=12.5, size=24)
    assert (tmp_path / FRAMES).stat().st_mtime_ns == before
    assert (again.starts, again.hashes, again.skipped) == (first.starts, first.hashes, first.skipped)
    assert all(np.array_equal(one.frames, two.frames) for one, two in zip(first.videos, again.videos, strict=True))


def test_a_video_that_cannot_be_used_is_skipped_by_name(rows, tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    bad = [rows[0], replace(rows[1], path=tmp_path / "text.avi"), replace(rows[2], fps=0.0), *rows[3:]]
    data = prepare(bad, tmp_path / "out", rate=12.5, size=24)
    assert [heart.name for heart in data.videos] == ["h0", "h3", "h4"] and len(data.hashes.content) == 3
    assert [one.name for one in data.skipped] == ["h1", "h2"]
    assert "text.avi" in data.skipped[0].reason and "frame rate 0.0 is not positive" in data.skipped[1].reason
    assert prepare([], tmp_path / "out", rate=12.5, size=24).skipped == data.skipped


def test_too_few_videos_are_counted_and_leave_nothing_behind(rows, tmp_path):
    words = "only 2 of 2 TRAIN videos can be used. Run echo-augment doctor on the folder; .* at least 3 videos"
    with pytest.raises(EchoAugmentError, match=words):
        prepare(rows[:2], tmp_path, rate=12.5, size=24)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_preparation_leaves_no_table(rows, tmp_path, monkeypatch):
    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("echo_augment.training_recipes.generator.prepare.content_hash", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(rows, tmp_path, rate=12.5, size=24)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert len(prepare(rows, tmp_path, rate=12.5, size=24).videos) == 5


@pytest.mark.parametrize(("monitor", "watched"), [(0.0, 1), (0.05, 1), (0.4, 2)])
def test_the_last_videos_are_watched_and_at_least_one(rows, tmp_path, monitor, watched):
    data = prepare(rows, tmp_path, rate=12.5, size=24, monitor=monitor)
    assert [heart.name for heart in data.watched] == [row.name for row in rows[-watched:]]
    assert [heart.name for heart in data.training] == [row.name for row in rows[:-watched]]


def test_videos_of_one_array_are_slices_of_it(tmp_path):
    data = write_hearts(tmp_path)
    assert [int(heart.frames[1, 0, 0]) for heart in data.videos] == [20, 40, 60, 80, 100, 120]
    assert data.starts == [LENGTH * k for k in range(6)] and data.total == 6 * LENGTH
    assert {row["name"] for row in json.loads((tmp_path / TABLE).read_text())["hearts"]} == {f"h{k}" for k in range(6)}


def test_a_video_that_an_earlier_model_learned_from_is_not_kept_aside(rows, tmp_path):
    data = prepare(rows, tmp_path, rate=12.5, size=24, monitor=0.4)
    names = [heart.name for heart in data.watched]
    assert [heart.name for heart in data.kept_aside()] == names == ["h3", "h4"]
    known = TrainingVideos(data.hashes.first[4:], data.hashes.content[4:])
    assert [heart.name for heart in data.kept_aside(known)] == ["h3"]
