"""The ring: bounded, each clip served so often at most, and never a torn one."""

import os
from collections import Counter

import numpy as np
import pytest
import torch
from fakes import live as live_fakes
from fakes.echo import make_clip
from fakes.live import SHAPE, until

from echo_augment.augmentor.sources.ring import ClipRing
from echo_augment.cache.errors import EchoAugmentError

FORK = torch.multiprocessing.get_context("fork")


def test_a_clip_comes_out_as_it_went_in():
    ring = ClipRing(2, SHAPE, 1)
    for clip in (make_clip(3), make_clip(4, frames=9, masks=None, ef=float("nan"), provenance=None)):
        assert ring.put(clip)
        found = ring.take()
        assert np.array_equal(found.frames, clip.frames) and found.provenance == clip.provenance
        assert (found.clip_id, found.fps, found.ed_frame, found.confidence) == (clip.clip_id, 12.5, 2, 0.5)
        assert np.array_equal(found.ef, clip.ef, equal_nan=True)
        assert (found.masks is None) == (clip.masks is None)
        assert clip.masks is None or np.array_equal(found.masks, clip.masks)


def test_the_ring_is_bounded_and_serves_the_least_used_first():
    ring = ClipRing(2, SHAPE, 2)
    assert ring.take() is None
    assert [ring.put(make_clip(k)) for k in range(3)] == [True, True, False]
    served = [ring.take(turn=k).clip_id for k in range(4)]
    assert set(served[:2]) == set(served[2:]) == {"clip000", "clip001"}
    assert ring.take() is None and ring.available() == 0
    assert until(lambda: ring.put(make_clip(5))) and ring.take().clip_id == "clip005"


def test_a_slot_that_changes_while_it_is_read_is_not_served():
    ring = ClipRing(1, SHAPE, 5)
    ring.put(make_clip(0))
    ring._frames[0, 3, 3, 3] ^= 1
    assert ring.take() is None


def read_all(ring, seen, stop):
    found = []
    while not stop.is_set() or ring.available():
        clip = ring.take(os.getpid())
        if clip is not None:
            found.append((clip.clip_id, bool(np.array_equal(clip.frames, live_fakes.picture(clip.clip_id)))))
    seen.put(found)


def test_readers_in_a_race_never_exceed_the_reuse_nor_see_a_torn_clip():
    ring, seen, stop = ClipRing(3, SHAPE, 2), FORK.Queue(), FORK.Event()
    readers = [FORK.Process(target=read_all, args=(ring, seen, stop)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for clip in live_fakes.render(live_fakes.LINES):
        assert until(lambda clip=clip: ring.put(clip))
    stop.set()
    found = [item for _ in readers for item in seen.get(timeout=20)]
    for reader in readers:
        reader.join()
    assert all(whole for _, whole in found)
    served = Counter(name for name, _ in found)
    assert max(served.values()) <= 2 and len(served) > len(live_fakes.LINES) // 2


def test_a_clip_larger_than_a_slot_is_named():
    with pytest.raises(EchoAugmentError, match=r"\(17, 16, 16\), the ring holds \(16, 16, 16\)"):
        ClipRing(1, SHAPE, 1).put(make_clip(0, frames=17, masks=None))
