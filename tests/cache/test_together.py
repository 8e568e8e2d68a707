"""Readers that go on while a fill and a merge write."""

import multiprocessing
import time

from fakes.cache import assert_same_clip, fake_plan, generate

from echo_augment.cache import ClipStore, EchoClip, fill, merge, verify

PLAN = fake_plan(400)


def slowly(lines) -> list[EchoClip]:
    time.sleep(0.02)
    return generate(lines)


def run_fill(folder):
    fill(PLAN, slowly, folder, batch=8, shard_clips=10, progress=False, say=lambda text: None)


def read(folders, seconds, queue):
    """Open the caches again and again and check what they serve; how many clips were read, or what went wrong."""
    lines = {line.clip_id: line for line in PLAN.lines + PLAN.reserve}
    until, count = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until:
            for folder in folders:
                store = ClipStore(folder)
                for k in range(0, len(store), 7):
                    clip = store[k]
                    assert_same_clip(clip, generate([lines[clip.clip_id]])[0])
                    count += 1
                store.close()
        queue.put(count)
    except BaseException as error:
        queue.put(repr(error))
        raise


def test_readers_see_whole_clips_while_a_fill_and_merges_run(tmp_path):
    folders = [tmp_path / "filled", tmp_path / "merged"]
    for folder in folders:
        folder.mkdir()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    filler = context.Process(target=run_fill, args=(folders[0],))
    readers = [context.Process(target=read, args=(folders, 3, queue)) for _ in range(4)]
    for process in (filler, *readers):
        process.start()
    while filler.is_alive():
        merge([folders[0]], folders[1])
        time.sleep(0.1)
    merge([folders[0]], folders[1])
    counts = [queue.get(timeout=60) for _ in readers]
    for process in (filler, *readers):
        process.join()
    assert filler.exitcode == 0 and all(isinstance(count, int) and count > 50 for count in counts), counts
    for folder in folders:
        assert sorted(ClipStore(folder).ids) == [line.clip_id for line in PLAN.lines] and verify(folder) == []
