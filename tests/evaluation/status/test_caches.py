"""How far a fill is: alone, by the tasks of an array, killed, with a reserve that is used up; nothing is written."""

import os
import time

import numpy as np
import pytest
from fakes.run_folder import everything

from echo_augment.cache import EchoAugmentError, EchoClip, fill, make_plan
from echo_augment.cache.gates import PerClip
from echo_augment.cache.system.locks import hold
from echo_augment.evaluation.status.caches import begun, cache_state, is_cache, pace, sealed
from echo_augment.evaluation.status.state import DONE, RUNNING, STOPPED

PLAN = make_plan({"a": 50.0, "b": 60.0}, ["a", "b"], n=12, reserve=0.25)


def noise(lines):
    return [EchoClip(line.clip_id, np.full((2, 8, 8), 7, np.uint8), fps=25) for line in lines]


def part(folder, rank=0, world=1, plan=PLAN, **options):
    options = {"progress": False, "say": lambda text: None, "shard_clips": 2, **options}
    return fill(plan, noise, folder, rank=rank, world=world, **options)


def stop_after(count):
    """A generator that is interrupted after some clips."""
    made = []

    def generate(lines):
        if len(made) >= count:
            raise KeyboardInterrupt
        made.extend(lines)
        return noise(lines)

    return generate


def test_a_finished_fill_is_done(tmp_path):
    part(tmp_path)
    state = cache_state(tmp_path)
    assert is_cache(tmp_path) and not is_cache(tmp_path.parent)
    assert state.word == DONE and state.done == ["12 of 12 clips are sealed"] and not state.left and not state.running


def test_an_interrupted_fill_is_stopped_and_nothing_is_written(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(PLAN, stop_after(4), tmp_path, batch=2, shard_clips=2, progress=False, say=lambda text: None)
    (tmp_path / "manifest.bin").unlink()
    before = everything(tmp_path)
    state = cache_state(tmp_path)
    assert everything(tmp_path) == before
    assert state.word == STOPPED and state.done == ["4 of 12 clips are sealed"] and state.left == ["8 clips"]
    assert state.seconds is None


def test_the_tasks_of_an_array_are_told_one_by_one(tmp_path):
    part(tmp_path, 0, 3)
    with hold(tmp_path, 1, 3):
        state = cache_state(tmp_path)
    assert state.word == RUNNING and state.done == ["4 of 12 clips are sealed"]
    (line,) = state.running
    assert line.startswith(f"rank 1 of 3: 0 of 4 clips; process {os.getpid()} on ")
    assert state.left == ["8 clips", "rank 2 of 3: 0 of 4 clips; nobody works at it"]
    assert cache_state(tmp_path).word == STOPPED


def test_time_left_follows_from_what_was_sealed_since_the_fill_began(tmp_path):
    part(tmp_path, 0, 2)
    now = time.time()
    shards = sorted((tmp_path / "shards").iterdir())
    for path, seconds in zip(shards, (1000.0, 50.0, 20.0), strict=True):
        os.utime(path, (now - seconds, now - seconds))
    assert pace(tmp_path, sealed(tmp_path), since=60.0) == pytest.approx(4 / 40, rel=0.05)
    assert pace(tmp_path, sealed(tmp_path), since=10.0) is None


def test_a_reserve_that_is_used_up_ends_the_fill(tmp_path):
    plan = make_plan({"a": 50.0}, ["a"], n=3, reserve=0.0)
    part(tmp_path, plan=plan, gates=[PerClip(lambda line, clip: "label: far off")])
    state = cache_state(tmp_path)
    assert state.word == DONE and state.done == ["0 of 3 clips are sealed; refused: 3 label"]
    assert "reserve is used up" in state.left[0]


def test_a_damaged_plan_is_an_error(tmp_path):
    part(tmp_path)
    (tmp_path / "plan.jsonl").write_text("{}\n")
    with pytest.raises(EchoAugmentError, match="plan"):
        cache_state(tmp_path)


def test_the_time_of_a_lock_that_tells_none_is_unknown():
    from echo_augment.cache.system.locks import Holder

    assert begun(Holder("here", 1, "?")) is None
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - 100))
    assert begun(Holder("here", 1, since)) == pytest.approx(100, abs=3)
