import errno
import fcntl
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.sources.ring import ClipRing
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, StoreWriter, fill, make_plan
from echo_augment.cache.merge import merge
from echo_augment.cache.system import limits
from echo_augment.cache.system.limits import cannot_write, check_shared_memory, open_file_limit, remedy_of
from echo_augment.cache.system.locks import FolderLock


def black(lines):
    return [EchoClip(line.clip_id, np.zeros((2, 8, 8), np.uint8), fps=25) for line in lines]


@pytest.fixture
def no_locks(monkeypatch, request):
    def refuse(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


KINDS = [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS]


@pytest.mark.parametrize("no_locks", KINDS, indirect=True)
def test_a_file_system_without_locks_is_named_and_nothing_stays(tmp_path, no_locks):
    folder = tmp_path / "deep" / "cache"
    with pytest.raises(EchoAugmentError, match=r"no file locks: mount it with them .*Lustre"):
        fill(make_plan({"a": 50.0}, ["a"], n=1), black, folder, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("no_locks", KINDS[:1], indirect=True)
def test_what_was_there_stays(tmp_path, no_locks):
    (tmp_path / "kept.txt").write_text("mine")
    (tmp_path / "x.lock").touch()
    with pytest.raises(EchoAugmentError, match="no file locks"), FolderLock(tmp_path / "x.lock"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"kept.txt", "x.lock"}


@pytest.mark.parametrize("no_locks", KINDS[:1], indirect=True)
def test_merging_without_locks_leaves_nothing(tmp_path, no_locks):
    with StoreWriter(tmp_path / "a") as writer:
        writer.add(EchoClip("a", np.zeros((2, 8, 8), np.uint8), fps=25))
    with pytest.raises(EchoAugmentError, match="no file locks"):
        merge([tmp_path / "a"], tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EROFS, "may write to"),
        (errno.EACCES, "may write to"),
        (errno.EMFILE, r"ulimit -n, now \d+"),
        (errno.ENOTDIR, "something else lies there"),
    ],
)
def test_each_error_has_its_own_remedy(number, remedy):
    with pytest.raises(EchoAugmentError, match=rf"cannot write to the cache c: .*{remedy}.*every sealed clip is kept"):
        raise cannot_write("the cache c", OSError(number, os.strerror(number)), kept="every sealed clip is kept")


def test_an_unknown_error_gets_no_made_up_remedy():
    error = OSError(errno.EIO, "Input/output error")
    assert remedy_of(error) == ""
    assert str(cannot_write("x", error, kept="all is kept")).endswith("Run the same command again: all is kept")


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EchoAugmentError, match="something else lies there"):
        fill(make_plan({"a": 50.0}, ["a"], n=1), black, tmp_path / "file", progress=False)


def test_shared_memory_is_asked_before_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SHARED", tmp_path)
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2_000_000}))
    before = set(Path("/dev/shm").iterdir())
    with pytest.raises(EchoAugmentError, match=r"64 clips of 32x112x112 .*has 2.0 MB free.*--shm-size"):
        ClipRing(64, (32, 112, 112), 1)
    assert set(Path("/dev/shm").iterdir()) <= before
    check_shared_memory("little", 1_000_000)


@pytest.fixture
def few_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda count: resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def many_shards(folder, count):
    with StoreWriter(folder, shard_clips=1) as writer:
        for number in range(count):
            writer.add(EchoClip(f"{number:03}", np.full((2, 8, 8), number, np.uint8), fps=25))
    return ClipStore(folder)


def test_a_store_keeps_within_the_limit_of_open_files(tmp_path, few_files):
    store = many_shards(tmp_path, 60)
    few_files(len(list(Path("/proc/self/fd").iterdir())) + 30)
    assert open_file_limit() is not None
    assert [int(clip.frames[0, 0, 0]) for clip in store] == list(range(60))


def test_too_many_open_files_are_no_damaged_shard(tmp_path, few_files):
    store = many_shards(tmp_path, 3)
    few_files(3)
    try:
        with pytest.raises(EchoAugmentError, match=r"too many open files. Raise .*ulimit -n, now"):
            store[0]
    finally:
        few_files(256)
    assert store[0].fps == 25
