"""Readers that go on while others write the same caches.

pytest -s -m slow tests/augmentor/sources/test_readers_and_writers.py
"""

import multiprocessing
import time

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from echo_augment.augmentor import CachedClips
from echo_augment.cache import EchoClip, Provenance, fill, make_plan, merge, verify


class Clips(Dataset):
    def __init__(self, folder):
        self.source = CachedClips(folder)

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        clip = self.source[index]
        return clip.clip_id, clip.ef, clip.frames.copy()


def small_clip(line):
    rng = np.random.default_rng(line.seed)
    source = Provenance(line.motion_donor, line.appearance_donor, line.seed, line.sampler, fingerprint="fake")
    return EchoClip(line.clip_id, rng.integers(0, 99, (6, 24, 24), dtype=np.uint8), 12.5, 50.0, provenance=source)


def small_clips(lines):
    time.sleep(0.02)
    return [small_clip(line) for line in lines]


def small_plan():
    hearts = {f"H{k}": 40.0 + k for k in range(30)}
    return make_plan(hearts, list(hearts), 240, seed=1, sampler="fake", fingerprint="fake")


def run_fill(folder):
    fill(small_plan(), small_clips, folder, batch=8, shard_clips=10, progress=False, say=lambda text: None)


@pytest.mark.slow
def test_four_loader_workers_read_while_a_fill_and_merges_run(tmp_path):
    folders = [tmp_path / "filled", tmp_path / "merged"]
    for folder in folders:
        folder.mkdir()
    truth = {line.clip_id: small_clip(line).frames for line in small_plan().lines + small_plan().reserve}
    filler = multiprocessing.get_context("spawn").Process(target=run_fill, args=(folders[0],))
    filler.start()
    read, running = 0, True
    while running:
        running = filler.is_alive()  # once more after the end
        merge([folders[0]], folders[1])
        for folder in folders:
            data = Clips(folder)
            for batch in DataLoader(data, batch_size=4, num_workers=4, collate_fn=list) if len(data) else ():
                for name, _, frames in batch:
                    assert np.array_equal(frames, truth[name])
                    read += 1
    filler.join()
    assert filler.exitcode == 0 and read >= 2 * 240
    for folder in folders:
        assert len(CachedClips(folder)) == 240 and verify(folder) == []
