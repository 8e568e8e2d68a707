"""Clips in memory as a source."""

import numpy as np
import pytest

from echo_augment.augmentor import InMemoryClips
from echo_augment.cache import EchoClip, Provenance
from echo_augment.cache.errors import EchoAugmentError


def clip(k):
    frames = np.random.default_rng(k).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    return EchoClip(f"c{k}", frames, 12.5, ef=40.0 + k, provenance=Provenance(f"m{k}", "look", k, fingerprint="f1"))


def test_two_clips_with_one_id_are_refused():
    with pytest.raises(EchoAugmentError, match="two clips have the id 'c1'"):
        InMemoryClips([clip(1), clip(1)])
