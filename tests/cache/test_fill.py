import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fakes.cache import FINGERPRINT, check_complete, fake_plan, gate, generate

from echo_augment.cache import ClipStore, EchoAugmentError, fill, verify
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.system.locks import FolderLock, lock_path

SCRIPT = Path(__file__).parents[1] / "fakes" / "fill_process.py"


def run(plan, folder, generate=generate, **options):
    return fill(plan, generate, folder, **{"progress": False, "say": lambda text: None, "shard_clips": 7, **options})


def test_a_fill_makes_the_plan(tmp_path):
    plan, said = fake_plan(40), []
    summary = run(plan, tmp_path, say=said.append)
    check_complete(tmp_path, plan)
    assert summary.complete and summary.made == summary.sealed == 40 and summary.rejected == {}
    assert len(said) == 1 and "MB are free" in said[0]
    there, left = map(int, re.match(r"(\d+) of 40 clips are there; the other (\d+) take about", said[0]).groups())
    assert there > 0 and there + left == 40
    assert str(summary).startswith(f"40 of 40 clips in {tmp_path}")
    json.dumps(summary.to_json())
    again = run(plan, tmp_path, generate=None)  # nothing is left to generate
    assert again.made == 0 and again.complete


def test_rejected_clips_are_refilled_and_not_retried(tmp_path):
    plan, asked = fake_plan(60), []

    def counting(lines):
        asked.extend(line.clip_id for line in lines)
        return generate(lines)

    def stopping(lines):
        if len(asked) > 30:
            raise RuntimeError("out of memory")
        return counting(lines)

    with pytest.raises(RuntimeError, match="out of memory"):
        run(plan, tmp_path, stopping, gates=[gate])
    assert len(ClipStore(tmp_path)) + sum(1 for _ in (tmp_path / "rejected-0-of-1.jsonl").open()) == len(asked)
    summary = run(plan, tmp_path, counting, gates=[gate])
    check_complete(tmp_path, plan, gate)
    assert len(asked) == len(set(asked)), "a clip was generated twice"
    assert summary.rejected == {"label": len(asked) - 60} and summary.rejected["label"] > 2


def test_a_bad_line_is_skipped_counted_and_refilled(tmp_path):
    plan = fake_plan(30)
    bad = {plan.lines[3].clip_id, plan.lines[17].clip_id}

    def failing(lines):
        if bad & {line.clip_id for line in lines}:
            raise EchoAugmentError("donor video is truncated")
        return generate(lines)

    summary = run(plan, tmp_path, failing)
    assert summary.complete and summary.rejected == {"skipped": 2}
    assert not bad & set(ClipStore(tmp_path).ids)
    assert "donor video is truncated" in (tmp_path / "rejected-0-of-1.jsonl").read_text()


def test_a_generator_that_can_do_nothing_is_said_and_not_recorded(tmp_path):
    def broken(lines):
        raise EchoAugmentError("no weights at x", "Train some")

    with pytest.raises(EchoAugmentError, match=r"none of the first 10 clips.*no weights at x\. Train some"):
        run(fake_plan(30), tmp_path, broken)
    assert run(fake_plan(30), tmp_path).complete


def test_an_os_error_of_the_generator_is_not_taken_for_one_of_the_cache(tmp_path):
    def unreadable(lines):
        raise FileNotFoundError(2, "No such file", "donor.avi")

    with pytest.raises(FileNotFoundError, match="donor"):
        run(fake_plan(5), tmp_path, unreadable)


def test_a_reserve_that_runs_out(tmp_path):
    summary = run(fake_plan(20), tmp_path, gates=[lambda line, clip: "privacy: too near H3"])
    assert not summary.complete and summary.sealed == 0 and summary.rejected == {"privacy": 25}
    assert "the reserve is used up" in str(summary)


def test_another_plan_or_generator_is_refused(tmp_path):
    run(fake_plan(10), tmp_path)
    with pytest.raises(EchoAugmentError, match=r"being filled from another plan \(n=11, was 10\)"):
        run(fake_plan(11), tmp_path)
    with pytest.raises(EchoAugmentError, match="made by generator 'fake-1', this one is 'fake-2'"):
        run(fake_plan(10, fingerprint="fake-2"), tmp_path)


def test_a_generator_that_gives_other_clips_than_asked(tmp_path):
    with pytest.raises(RuntimeError, match="was asked for clips"):
        run(fake_plan(10), tmp_path, lambda lines: generate(lines)[::-1])


def test_shares_fill_one_folder_together(tmp_path):
    plan = fake_plan(90)
    for rank in (0, 1, 2):
        summary = run(plan, tmp_path, rank=rank, world=3, gates=[gate])
        assert summary.complete
    check_complete(tmp_path, plan, gate)
    with pytest.raises(EchoAugmentError, match="another number of processes than 2"):
        run(plan, tmp_path, rank=0, world=2)


def test_a_second_fill_says_who_holds_the_folder(tmp_path):
    with FolderLock(lock_path(tmp_path)), pytest.raises(EchoAugmentError, match=f"process {os.getpid()} on"):
        run(fake_plan(5), tmp_path)
    with FolderLock(lock_path(tmp_path, 1, 2)), pytest.raises(EchoAugmentError, match="another process writes"):
        run(fake_plan(5), tmp_path)
    assert run(fake_plan(5), tmp_path).complete


def start(folder, *arguments):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, folder, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_fill_of_another_process_holds_the_folder_until_it_is_killed(tmp_path):
    process = start(tmp_path, "--n", 1000, "--pause", 0.05)
    wait_for_shards(tmp_path, 1)
    plan = fake_plan(1000)
    with pytest.raises(EchoAugmentError, match=f"process {process.pid} on"):
        run(plan, tmp_path)
    process.kill()
    process.communicate()
    with pytest.raises(KeyboardInterrupt):  # the kernel gave the lock back: this gets to work
        run(plan, tmp_path, stop_now)


def stop_now(lines):
    raise KeyboardInterrupt


def wait_for_shards(folder, n):
    until = time.monotonic() + 30
    while len(list((folder / SHARDS).glob("clips-*.h5"))) < n:
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_seal_what_is_whole(tmp_path, number):
    process = start(tmp_path, "--n", 200, "--pause", 0.02, "--shard-clips", 1000)
    assert process.stdout.readline() == "going\n"
    assert count_shards(tmp_path) == 0  # clips are stored, and no shard is full yet
    process.send_signal(number)
    assert process.wait(timeout=30) == 130
    process.communicate()
    assert 0 < len(ClipStore(tmp_path)) < 200
    assert not list((tmp_path / SHARDS).glob(".clips-*"))
    plan = fake_plan(200)
    run(plan, tmp_path, gates=[gate])
    check_complete(tmp_path, plan, gate)


def count_shards(folder):
    return len(list((folder / SHARDS).glob("clips-*.h5")))


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk(small_disk, monkeypatch, foreseen):
    """Foreseen by the check of the room that is left, or, as under a quota, only when the write fails."""
    if not foreseen:
        monkeypatch.setattr("echo_augment.cache.shard.writer.ShardWriter._check_room", lambda *_: None)
    plan = fake_plan(250)
    with pytest.raises(EchoAugmentError, match=r"cannot write to the cache .*Make room"):
        run(plan, small_disk / "cache")
    sealed = set(ClipStore(small_disk / "cache").ids)
    assert len(sealed) > 20 and verify(small_disk / "cache") == []
    assert not list((small_disk / "cache" / SHARDS).glob(".clips-*"))
    with pytest.raises(EchoAugmentError, match="Make room"):
        run(plan, small_disk / "cache")
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    run(plan, small_disk / "cache")
    assert sealed < set(ClipStore(small_disk / "cache").ids)
    check_complete(small_disk / "cache", plan)


def test_a_disk_that_refuses_a_write(tmp_path, monkeypatch):
    """As a full disk, where no small one can be mounted."""
    plan, sync = fake_plan(30), os.fsync

    def refuse(handle):
        if len(list((tmp_path / SHARDS).glob("clips-*"))) == 2:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr("echo_augment.cache.shard.writer.os.fsync", refuse)
    with pytest.raises(EchoAugmentError, match=r"No space left on device.*every sealed clip is kept"):
        run(plan, tmp_path)
    monkeypatch.undo()
    assert len(ClipStore(tmp_path)) == 14 and not list((tmp_path / SHARDS).glob(".clips-*"))
    run(plan, tmp_path)
    check_complete(tmp_path, plan)


def test_a_read_only_folder(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        run(fake_plan(10), tmp_path)
        (tmp_path / "manifest.bin").unlink()
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        with pytest.raises(EchoAugmentError, match=r"Read-only file system.*may write to"):
            run(fake_plan(10), tmp_path)
        assert len(ClipStore(tmp_path)) == 10 and ClipStore(tmp_path)[3].frames.any()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


class Told:
    """A generator that notes what it is told to expect, and whether the clips before were judged when it is asked."""

    def __init__(self):
        self.expected, self.asked = [], []

    def expect(self, lines):
        self.expected.append([line.clip_id for line in lines])

    def __call__(self, lines):
        self.asked.append([line.clip_id for line in lines])
        return generate(lines)


def test_a_generator_is_told_the_next_lines_in_their_order_and_at_last_none(tmp_path):
    plan, told = fake_plan(10), Told()
    run(plan, tmp_path, told, batch=2)
    ids = [line.clip_id for line in plan.lines]
    assert told.asked == [ids[at : at + 2] for at in range(0, 10, 2)]
    assert told.expected == [*(ids[at : at + 6] for at in range(0, 10, 2)), []]
    check_complete(tmp_path, plan)


def test_shards_are_the_same_bytes_whatever_is_made_beside_them(tmp_path):
    run(fake_plan(30), tmp_path / "one", Told(), batch=3)
    run(fake_plan(30), tmp_path / "two", batch=8)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name / SHARDS).glob("clips-*")} for name in ("one", "two")
    )
    assert len(one) == 5 and one == two


def test_a_batch_is_judged_beside_the_making_of_the_next_one(tmp_path):
    """A gate that waits for the second batch to be asked for would wait for ever if they took turns."""
    plan, second = fake_plan(6), threading.Event()

    def generate_some(lines):
        if lines[0].clip_id == plan.lines[2].clip_id:
            second.set()
        return generate(lines)

    def patient(line, clip):
        return None if second.wait(30) else "late: the second batch was not asked for"

    assert run(plan, tmp_path, generate_some, batch=2, gates=[patient]).rejected == {}
    check_complete(tmp_path, plan)


def test_an_error_of_a_gate_ends_the_fill_and_keeps_what_was_made_before(tmp_path):
    plan = fake_plan(20)

    def gate_of(line, clip):
        if line.clip_id == plan.lines[9].clip_id:
            raise ValueError("the gate is broken")

    with pytest.raises(ValueError, match="the gate is broken"):
        run(plan, tmp_path, batch=4, gates=[gate_of])
    assert sorted(ClipStore(tmp_path).ids) == sorted(line.clip_id for line in plan.lines[:8])
    assert not [one for one in threading.enumerate() if one.name == "behind"]


def test_fingerprint_is_kept(tmp_path):
    run(fake_plan(3), tmp_path)
    assert ClipStore(tmp_path).fingerprint == ClipStore(tmp_path)[0].provenance.fingerprint == FINGERPRINT
