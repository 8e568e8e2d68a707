import json
import multiprocessing
import os
import threading
import time

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.locks import STALE_SECONDS, FolderLock, hold, lock_path


def try_lock(path, queue):
    try:
        with FolderLock(path):
            queue.put("in")
    except EchoAugmentError as error:
        queue.put(str(error))


def ask_another_process(path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=try_lock, args=(path, queue))
    process.start()
    answer = queue.get(timeout=60)
    process.join()
    return answer


def test_one_process_at_a_time(tmp_path):
    path = tmp_path / "x.lock"
    with FolderLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        assert f"process {os.getpid()} on" in ask_another_process(path)
        with pytest.raises(EchoAugmentError, match="another process writes"), FolderLock(path):
            pass
    assert ask_another_process(path) == "in"
    with FolderLock(path):
        pass


@pytest.mark.parametrize(("age", "free"), [(STALE_SECONDS / 2, False), (STALE_SECONDS + 5, True)])
def test_another_host_holds_it_while_its_heart_beats(tmp_path, age, free):
    path = tmp_path / "x.lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "then"}))
    os.utime(path, (time.time() - age,) * 2)
    if free:
        with FolderLock(path):
            assert "elsewhere" not in path.read_text()
    else:
        with pytest.raises(EchoAugmentError, match="process 7 on elsewhere since then"), FolderLock(path):
            pass
        assert "elsewhere" in path.read_text()


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr("echo_augment.cache.system.locks.HEARTBEAT_SECONDS", 0.02)
    path = tmp_path / "x.lock"
    with FolderLock(path):
        os.utime(path, (0, 0))
        until = time.monotonic() + 5
        while path.stat().st_mtime == 0:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_dead_holder_of_this_host_holds_nothing(tmp_path):
    path = tmp_path / "x.lock"
    with FolderLock(path):
        here = json.loads(path.read_text())
    path.write_text(json.dumps({**here, "pid": 999_999_999}))
    with FolderLock(path):
        pass
    path.write_bytes(b"\xff garbage")
    with FolderLock(path):
        pass


def test_shares_of_one_division_go_together_and_no_other(tmp_path):
    with hold(tmp_path, 0, 2):
        with hold(tmp_path, 1, 2):
            assert lock_path(tmp_path, 1, 2).read_text()
        with pytest.raises(EchoAugmentError, match="another process writes"), hold(tmp_path):
            pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_that_outlives_its_parent_does_not_hold_it(tmp_path):
    path = tmp_path / "x.lock"
    reader, writer = os.pipe()
    parent = os.fork()
    if not parent:
        FolderLock(path).__enter__()
        worker = os.fork()
        if not worker:
            time.sleep(20)
            os._exit(0)
        os.write(writer, str(worker).encode())
        os.kill(os.getpid(), 9)
    worker = int(os.read(reader, 20))
    os.waitpid(parent, 0)
    try:
        os.kill(worker, 0)
        with FolderLock(path):
            pass
    finally:
        os.kill(worker, 9)
        os.close(reader)
        os.close(writer)


def test_patience_waits_for_a_holder_to_end(tmp_path):
    """As a requeued job does, whose killed predecessor on another host looks alive for a while."""
    path = tmp_path / "x.lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "then"}))
    os.utime(path, (time.time() - STALE_SECONDS + 1,) * 2)
    began = time.monotonic()
    with pytest.raises(EchoAugmentError, match="process 7 on elsewhere"), FolderLock(path, patience=0.1):
        pass
    with FolderLock(path, patience=30):
        assert 0.5 < time.monotonic() - began < 20


def test_shares_that_start_together_do_not_take_each_other_for_another_division(tmp_path):
    lock_path(tmp_path, 0, 1).touch()  # of an earlier fill, or of a repair
    errors: list[Exception] = []

    def take(rank):
        try:
            for _ in range(50):
                with hold(tmp_path, rank, 4):
                    pass
        except EchoAugmentError as error:
            errors.append(error)

    threads = [threading.Thread(target=take, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
