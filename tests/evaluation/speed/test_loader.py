"""Samples that are kept in memory are the dataset's own."""

import numpy as np

from echo_augment.augmentor import InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.cache import EchoClip
from echo_augment.evaluation.speed.loader import InMemory


def test_items_in_memory_look_like_the_data_set(videos):
    base = EchoNetDynamic(videos, "train", "EF", length=8, pad=4)
    kept = InMemory(base, 2)
    assert kept[1] is kept[1] and len(kept) == 2
    clip = EchoClip("c", np.full((20, 112, 112), 9, np.uint8), 50.0, ef=50)
    mixed = SyntheticAugment(kept, InMemoryClips([clip]), p=1.0)
    assert mixed[0][0].shape == base[0][0].shape
    assert SyntheticAugment(kept, InMemoryClips([clip]), p=0)[1] is kept[1]
