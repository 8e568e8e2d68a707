"""The training videos in one array: resampled once, told apart by hash, skipped by name if they cannot be read."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from fakes.hearts import LENGTH, write_hearts
from fakes.peers import write_set

from echo_augment.augmentor.data import content_hash, read_table, read_video, video
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.training_recipes.common.parts import Crew
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.generator import prepare as module
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


class Killed(BaseException):
    pass


def counted(monkeypatch, dies_at=None):
    """Count the videos that are decoded, and die at one of them."""
    seen = []

    def read(path):
        if path.stem == dies_at:
            raise Killed
        seen.append(path.stem)
        return read_video(path)

    monkeypatch.setattr(module, "read_video", read)
    return seen


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_preparation_goes_on_without_the_finished_videos(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)
    prepare(rows, tmp_path / "whole", rate=12.5, size=24)
    counted(monkeypatch, dies_at="h4")
    with pytest.raises(Killed):
        prepare(rows, tmp_path / "killed", rate=12.5, size=24)
    assert not (tmp_path / "killed" / TABLE).exists()
    seen = counted(monkeypatch)
    prepare(rows, tmp_path / "killed", rate=12.5, size=24)
    assert seen == ["h4"]
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_video_is_decoded_once(rows, tmp_path, monkeypatch):
    seen = counted(monkeypatch)
    opened = []
    real = video.open_video
    monkeypatch.setattr(video, "open_video", lambda path: opened.append(path) or real(path))
    prepare(rows, tmp_path, rate=12.5, size=24)
    assert seen == [row.name for row in rows] and len(opened) == len(rows)


@pytest.mark.parametrize("change", ["rate", "size", "fps", "name"])
def test_parts_of_another_preparation_are_not_taken(rows, tmp_path, monkeypatch, change):
    monkeypatch.setattr(module, "PART", 2)
    counted(monkeypatch, dies_at="h4")
    with pytest.raises(Killed):
        prepare(rows, tmp_path, rate=12.5, size=24)
    seen = counted(monkeypatch)
    asked = {"rate": 12.5, "size": 24} | {"rate": {"rate": 6.25}, "size": {"size": 16}}.get(change, {})
    other = [*rows[:2], replace(rows[2], **({"fps": 25.0} if change == "fps" else {"name": "other"})), *rows[3:]]
    prepare(other if change in ("fps", "name") else rows, tmp_path, **asked)
    assert len(seen) == (5 if change in ("rate", "size") else 3)


@pytest.mark.parametrize("step", ["write_json", "rmtree"])
def test_a_kill_at_the_end_decodes_nothing_again(rows, tmp_path, monkeypatch, step):
    prepare(rows, tmp_path / "whole", rate=12.5, size=24)

    def killed(path, *_, **__):
        if path.name in (TABLE, "parts"):
            raise Killed
        return write_json(path, *_)

    with monkeypatch.context() as patch:
        patch.setattr(*((module, "write_json") if step == "write_json" else (module.shutil, "rmtree")), killed)
        with pytest.raises(Killed):
            prepare(rows, tmp_path / "killed", rate=12.5, size=24)
    seen = counted(monkeypatch)
    prepare(rows, tmp_path / "killed", rate=12.5, size=24)
    for name in (FRAMES, TABLE):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert seen == []


def test_any_number_of_processes_prepares_the_same(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 1)
    one = prepare(rows, tmp_path / "one", rate=12.5, size=24, workers=1)
    prepare(rows, tmp_path / "two", rate=12.5, size=24, workers=2)
    barrier = threading.Barrier(2)
    ranks = [
        threading.Thread(
            target=prepare,
            args=(rows, tmp_path / "launched"),
            kwargs={"rate": 12.5, "size": 24, "workers": 1, "crew": Crew(Share(rank, 2), barrier.wait)},
        )
        for rank in range(2)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "launched")
    assert len(one.videos) == 5


def test_a_video_that_crashes_its_process_is_skipped_by_name(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)
    monkeypatch.setattr(module, "FEW_PARTS", 1)

    def crashes(function, items, workers):
        for part in items:
            yield part, None if any(row.name == "h2" for row in part.rows) else function(part)

    monkeypatch.setattr(module, "each", crashes)
    data = prepare(rows, tmp_path, rate=12.5, size=24, workers=2)
    assert [heart.name for heart in data.videos] == ["h0", "h1", "h3", "h4"]
    assert [one.name for one in data.skipped] == ["h2"] and "the process that decodes it crashes" in data.skipped[
        0
    ].reason
    assert sorted(path.name for path in tmp_path.iterdir()) == [FRAMES, TABLE]


def test_a_run_of_before_is_loaded_as_it_is(rows, tmp_path):
    """A folder with both files is loaded, whatever wrote them."""
    data = prepare(rows, tmp_path, rate=12.5, size=24)
    table = json.loads((tmp_path / TABLE).read_text())
    assert list(table) == ["hearts", "hashes", "skipped"] and list(table["hearts"][0]) == [
        *("name", "start", "length", "ed", "es")
    ]
    assert prepare([], tmp_path, rate=1.0, size=1).starts == data.starts


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
