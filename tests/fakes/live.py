"""Generators for tests of live sources; at module level, so that a spawned process finds them."""

import hashlib
import os
import signal
import time

import numpy as np

from echo_augment.augmentor import LiveClips
from echo_augment.cache import EchoClip, PlanLine, Provenance

SHAPE = (16, 16, 16)
LINES = [PlanLine(f"p{k:02d}", f"motion{k}", "look", seed=k) for k in range(40)]


def picture(name: str) -> np.ndarray:
    """Frames ``(16, 16, 16)`` that follow from the clip's id, so that a torn clip shows."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).integers(1, 256, (16, 16, 16), dtype=np.uint8)


def render(lines, fingerprint="live1"):
    return [
        EchoClip(
            line.clip_id,
            picture(line.clip_id),
            12.5,
            ef=55.0,
            masks=picture(line.clip_id) > 128,
            provenance=Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint=fingerprint),
        )
        for line in lines
    ]


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.002)
    return met


def fast():
    return render


def slow():
    return lambda lines: time.sleep(0.3) or render(lines)


def fast_batches():
    """Some time for a batch, so that a kill strikes while the ring runs dry."""
    return lambda lines: time.sleep(0.02) or render(lines)


def never():
    return lambda lines: time.sleep(3600)


def broken():
    raise RuntimeError("no weights at nowhere")


def breaks_later():
    made = []

    def generate(lines):
        if made:
            raise MemoryError("out of memory on cuda:0")
        made.append(1)
        return render(lines)

    return generate


def dies():
    """Killed from outside, without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def too_large():
    return lambda lines: [EchoClip("big", np.tile(picture("big")[:3], (33, 1, 1)), 12.5) for _ in lines]


def live(factory=fast, **options):
    """A live source of `LINES`. `fork` where the start method does not matter: it is quick."""
    return LiveClips(factory, LINES, **{"slots": 8, "shape": SHAPE, "start_method": "fork", "nice": 0, **options})
