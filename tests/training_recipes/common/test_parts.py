"""Arrays made in parts: the same for any number of processes, whole after a kill anywhere; a lost part is noticed."""

import threading

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common import parts
from echo_augment.training_recipes.common.parts import Crew, join, parts_of, whole_of, write_rows
from echo_augment.training_recipes.common.ranks import Share

COUNTS = [3, 1, 4, 1, 5, 2, 6]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART", 2)


class Maker:
    """Makes rows that say whose they are, remembers which it made, and dies at a video if told to."""

    def __init__(self, dies=None):
        self.made, self.dies = [], dies

    def __call__(self, numbers):
        for number in numbers:
            if number == self.dies:
                raise KeyboardInterrupt
            self.made.append(number)
            later = np.arange(COUNTS[number])[:, None, None] / 8
            yield (np.full((COUNTS[number], 2, 3), number) + later).astype(np.float16)


WHOLE = np.concatenate(list(Maker()(range(len(COUNTS)))))


def test_rows_lie_one_video_after_the_other_and_no_part_stays(tmp_path):
    write_rows(tmp_path / "a.npy", COUNTS, Maker(), what="a")
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.float16 and np.array_equal(found, WHOLE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_processes_share_the_parts_and_make_the_same_array(tmp_path):
    write_rows(tmp_path / "one.npy", COUNTS, Maker(), what="a")
    barrier, makers = threading.Barrier(3), [Maker() for _ in range(3)]
    ranks = [
        threading.Thread(
            target=write_rows,
            args=(tmp_path / "three.npy", COUNTS, makers[rank]),
            kwargs={"what": "a", "crew": Crew(Share(rank, 3), barrier.wait)},
        )
        for rank in range(3)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(30)
    assert [maker.made for maker in makers] == [[0, 1, 6], [2, 3], [4, 5]]
    assert (tmp_path / "three.npy").read_bytes() == (tmp_path / "one.npy").read_bytes()
    assert not parts_of(tmp_path / "three.npy").exists()


def test_a_killed_array_goes_on_with_the_next_part(tmp_path):
    first, second = Maker(dies=5), Maker()
    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / "a.npy", COUNTS, first, what="a")
    assert not (tmp_path / "a.npy").exists()
    write_rows(tmp_path / "a.npy", COUNTS, second, what="a")
    assert second.made == [4, 5, 6], "video 4 was made, its part was not"
    assert np.array_equal(np.load(tmp_path / "a.npy"), WHOLE)


@pytest.mark.parametrize("step", ["open_memmap", "fsync", "unlink", "replace", "rmtree"])
@pytest.mark.parametrize("time", [1, 2])
def test_a_kill_while_parts_are_joined_loses_nothing(tmp_path, monkeypatch, step, time):
    """Killed before the first or the second call of each step of the joining; no row is made again."""
    home = {
        "open_memmap": np.lib.format,
        "fsync": parts.os,
        "unlink": parts.Path,
        "replace": parts.Path,
        "rmtree": parts.shutil,
    }[step]
    real, calls = getattr(home, step), []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) == time:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    class Joined(BaseException):
        pass

    def stop():
        raise Joined

    with pytest.raises(Joined):
        write_rows(tmp_path / "a.npy", COUNTS, Maker(), what="a", crew=Crew(wait=stop))
    with monkeypatch.context() as patch:
        patch.setattr(home, step, dies)
        if time == 1 or step in ("fsync", "unlink"):
            with pytest.raises(KeyboardInterrupt):
                write_rows(tmp_path / "a.npy", COUNTS, Maker(dies=0), what="a")
    write_rows(tmp_path / "a.npy", COUNTS, Maker(dies=0), what="a")
    assert np.array_equal(np.load(tmp_path / "a.npy"), WHOLE)
    assert not parts_of(tmp_path / "a.npy").exists()


def test_a_stage_may_say_how_many_videos_a_part_has(tmp_path):
    asked = []
    write_rows(tmp_path / "a.npy", COUNTS, lambda numbers: asked.append(numbers) or Maker()(numbers), what="a", size=3)
    assert asked == [range(3), range(3, 6), range(6, 7)] and np.array_equal(np.load(tmp_path / "a.npy"), WHOLE)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(np.ones((2, 4)), r"float64 \(4,\), not float64 \(3,\)"), (np.ones((2, 3), np.float32), "float32")],
)
def test_a_part_of_other_rows_is_named_before_they_are_mixed(tmp_path, rows, said):
    np.save(tmp_path / "0.npy", np.ones((2, 3)))
    np.save(tmp_path / "1.npy", rows)
    with pytest.raises(EchoAugmentError, match=rf"1\.npy: has rows of {said}.*Delete .* and start again"):
        join([tmp_path / "0.npy", tmp_path / "1.npy"], [2, 2], tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()


def test_an_array_that_was_cut_short_when_it_was_made_is_made_again(tmp_path):
    folder = parts_of(tmp_path / "a.npy")
    folder.mkdir()
    files = [folder / f"{k}.npy" for k in range(2)]
    for k, file in enumerate(files):
        np.save(file, np.full((2, 3), k))
    whole_of(folder).write_bytes(b"\x93NUMPY\x01\x00v")
    join(files, [2, 2], tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").tolist() == [[0] * 3] * 2 + [[1] * 3] * 2


def test_each_part_goes_as_soon_as_its_rows_are_safe(tmp_path, monkeypatch):
    files = [tmp_path / "a.parts" / f"{k}.npy" for k in range(3)]
    files[0].parent.mkdir()
    for k, file in enumerate(files):
        np.save(file, np.full((2, 3), k))
    real, left = parts.os.fsync, []
    monkeypatch.setattr(
        parts.os, "fsync", lambda handle: left.append(sum(map(parts.Path.exists, files))) or real(handle)
    )
    join(files, [2, 2, 2], tmp_path / "a.npy")
    assert left == [3, 3, 2, 1, 0], "the new array's name, the rows of each part, the whole's name"


def test_a_lost_or_damaged_part_is_named(tmp_path):
    def some():
        for k in range(3):
            np.save(tmp_path / f"{k}.npy", np.full((2, 3), k))
        return [tmp_path / f"{k}.npy" for k in range(3)]

    files = some()
    files[1].unlink()
    with pytest.raises(EchoAugmentError, match=r"1\.npy: is missing\. Delete .* and start again"):
        join(files, [2, 2, 2], tmp_path / "a.npy")
    some()[2].write_bytes(b"no array")
    with pytest.raises(EchoAugmentError, match=r"2\.npy: cannot be read"):
        join(files, [2, 2, 2], tmp_path / "a.npy")
    some()
    (tmp_path / "whole.npy").unlink(missing_ok=True)
    with pytest.raises(EchoAugmentError, match=r"1\.npy: has 2 rows, not 3"):
        join(files, [2, 3, 1], tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()
    with pytest.raises(EchoAugmentError, match=r"0\.npy: is missing"):
        join([tmp_path / "no" / "0.npy"], [2], tmp_path / "b.npy")


def test_the_cores_of_a_machine_are_shared_by_its_processes(monkeypatch):
    monkeypatch.setattr(parts, "usable_cores", lambda: 8)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert (Crew().cores, Crew(Share(1, 4)).cores, Crew(Share(1, 40)).cores) == (8, 2, 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert Crew(Share(1, 4)).cores == 4, "two machines of two processes each"
