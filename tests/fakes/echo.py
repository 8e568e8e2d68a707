"""An Echo-like dataset without files, and clips, small enough for tests with many processes."""

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from echo_augment.cache import EchoClip, Provenance

SIDE = 16
VALUES = {
    "EF": lambda video, index: np.float32(20 + index),
    "EDV": lambda video, index: np.float32(100),
    "Filename": lambda video, index: f"real{index}.avi",
    "LargeIndex": lambda video, index: 7,
    "SmallIndex": lambda video, index: 20,
    "LargeFrame": lambda video, index: video[:, 0],
    "SmallFrame": lambda video, index: video[:, -1],
    "LargeTrace": lambda video, index: np.ones((SIDE, SIDE), np.float32),
    "SmallTrace": lambda video, index: np.zeros((SIDE, SIDE), np.float32),
}


class FakeEcho(Dataset[Any]):
    """Samples as ``echonet.datasets.Echo`` forms them; a pure function of index and epoch."""

    def __init__(self, n: int = 12, target_type: Any = "EF", split: str = "TRAIN", **changes: Any) -> None:
        self.split, self.n = split, n
        self.mean, self.std = np.array([30.0, 31.0, 32.0], np.float32), np.array([50.0, 49.0, 48.0], np.float32)
        self.length, self.max_length, self.period, self.clips = 8, 250, 4, 1
        self.pad: int | None = 3
        self.noise: float | None = None
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        self.target_transform: Any = None
        self.header = ["FileName", "EF", "FPS", "Split"]
        self.outcome = [[f"real{i}", 20.0 + i, 50, split] for i in range(n)]
        self.fnames = [f"real{i}.avi" for i in range(n)]
        self.epoch = 0
        vars(self).update(changes)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        length = min(self.length or 24, self.max_length or 10**9)
        count = 5 if self.clips == "all" else self.clips
        shape = (3, length, SIDE, SIDE) if self.clips == 1 else (count, 3, length, SIDE, SIDE)
        video = np.full(shape, (index + 100 * self.epoch) / 1000, np.float32)
        first = video if self.clips == 1 else video[0]
        target = [VALUES[name](first, index) for name in self.target_type]
        if not target:
            return video, target
        target = tuple(target) if len(target) > 1 else target[0]
        return video, target if self.target_transform is None else self.target_transform(target)

    __getitem__.echo_samples = True


def make_clip(seed: int, frames: int = 16, fps: float = 12.5, side: int = SIDE, **changes: Any) -> EchoClip:
    """A clip of noise with every label, EF ``20 + seed``."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "clip_id": f"clip{seed:03d}",
        "frames": rng.integers(1, 256, (frames, side, side), dtype=np.uint8),
        "fps": fps,
        "ef": float(20 + seed % 60),
        "ed_frame": 2,
        "es_frame": min(7, frames - 1),
        "confidence": 0.5,
        "masks": rng.random((frames, side, side)) < 0.3,
        "provenance": Provenance(f"motion{seed}", f"look{seed}", seed),
    }
    return EchoClip(**{**values, **changes})


TARGETS = sorted(set(VALUES) - {"EDV"})


def same(one, other):
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return np.array_equal(one, other)
