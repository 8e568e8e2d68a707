"""What a cached sample costs, against the floor and against decoding video; and readers that go on while others write.

pytest -s -m slow tests/augmentor/sources/test_cached_speed.py
"""

import multiprocessing
import time

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from echo_augment.augmentor import CachedClips, VideoFormat
from echo_augment.augmentor.data import write_video
from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.cache import EchoClip, Provenance, StoreWriter, fill, make_plan, merge, verify

FORMAT = VideoFormat(length=32, period=2, fps=50.0, mean=32.7, std=49.9)
FRAMES, CLIPS = 64, 24


def make_clips():
    rng = np.random.default_rng(0)
    hearts = [sample_phantom(k) for k in range(2)]
    videos = [render(heart.motion, heart.appearance, frames=FRAMES).frames for heart in hearts]
    for k in range(CLIPS):
        frames = np.roll(videos[k % 2], int(rng.integers(9)), axis=2)
        yield EchoClip(f"c{k:03d}", frames, 50.0, 50.0, provenance=Provenance("m", "a", k, fingerprint="f"))


def echonet_sample(path):
    """The clip of ``echonet.datasets.Echo``: every frame is decoded and normalised, then 32 are taken."""
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = np.stack([cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(count)])
    whole = frames.transpose((3, 0, 1, 2)).astype(np.float32)
    whole -= 32.7
    whole /= 49.9
    return whole[:, 2 * np.arange(32)]


@pytest.mark.slow
def test_speed_of_a_cached_sample(tmp_path, capsys):
    clips = list(make_clips())
    with StoreWriter(tmp_path / "cache", fingerprint="f") as writer:
        for clip in clips:
            writer.add(clip)
    source = CachedClips(tmp_path / "cache")
    raw = np.lib.format.open_memmap(tmp_path / "raw.npy", "w+", np.uint8, (CLIPS, FRAMES, 112, 112))
    for k, clip in enumerate(clips):
        raw[k] = clip.frames
    raw.flush()
    raw = np.load(tmp_path / "raw.npy", mmap_mode="r")
    videos = [tmp_path / "clip.avi", tmp_path / "long.avi"]
    write_video(videos[0], clips[0].frames, 50)
    write_video(videos[1], np.concatenate([clip.frames for clip in clips[:3]]), 50)
    every_second = np.arange(0, FRAMES, 2)
    uses = {
        "floor: memmap, normalise": lambda k: FORMAT.normalise(raw[k, ::2]),
        "read_frames, normalise": lambda k: FORMAT.normalise(source.store.read_frames(k, every_second)),
        "CachedClips, VideoFormat": lambda k: FORMAT(source[k], np.random.default_rng(k)),
        "echonet, AVI of 64 frames": lambda k: echonet_sample(videos[0]),
        "echonet, AVI of 192 frames": lambda k: echonet_sample(videos[1]),
    }
    times = {name: [] for name in uses}
    for turn in range(6 * CLIPS):
        for name, use in uses.items():
            if turn < CLIPS or "echonet" not in name:
                started = time.process_time()  # of this process: other work on the machine does not count
                use(turn * 7 % CLIPS)
                times[name].append(time.process_time() - started)
    floor, read, training, short, long = (float(np.median(values)) * 1e3 for values in times.values())
    with capsys.disabled():
        for name, value in zip(uses, (floor, read, training, short, long), strict=True):
            print(f"\n{name:28s} {value:7.3f} ms, {value / floor:6.2f} floors, {value / read:6.1f} reads", end="")
        print()
    assert read / floor <= 1.6
    assert long / read >= 40


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
