"""A generator of beating speckle, with a donor that cannot be read and one that was skipped."""

import numpy as np

from echo_augment.cache import EchoAugmentError, EchoClip, Provenance
from echo_augment.cache.generator import SkippedDonor


class FakeGenerator:
    """Speckle that beats; a heart named H9 cannot be read."""

    motion_donors: dict[str, float] = {f"H{k}": 20.0 + 7 * k for k in range(10)}  # noqa: RUF012
    appearance_donors: list[str] = [f"H{k}" for k in range(12)]  # noqa: RUF012
    fingerprint, sampler, frames, height, width, fps = "fake", "ddim-2", 4, 32, 32, 12.5

    def __init__(self) -> None:
        self.skipped = [SkippedDonor("H99", "truncated")]
        self.made: list[str] = []

    def __call__(self, lines):
        self.made += [line.clip_id for line in lines]
        return [self.clip(line) for line in lines]

    def clip(self, line):
        if line.appearance_donor == "H9":
            raise EchoAugmentError("H9 has no frames")
        frames = np.random.default_rng(line.seed).integers(0, 120, (4, 32, 32), dtype=np.uint8)
        source = Provenance(line.motion_donor, line.appearance_donor, line.seed, line.sampler, fingerprint="fake")
        return EchoClip(line.clip_id, frames, 12.5, ef=self.motion_donors[line.motion_donor], provenance=source)
