"""What the process of a live source does with plan lines, gates and failures."""

from itertools import islice

import numpy as np
import pytest
from fakes.echo import make_clip

from echo_augment.augmentor.sources.process import Status, clips_of
from echo_augment.augmentor.sources.recipe import Pairing
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import as_gates, image_gate


class Donors:
    motion_donors, appearance_donors = {"a": 50.0, "b": 60.0, "c": 30.0}, ["a", "b", "c", "d"]
    sampler, fingerprint = "ddim-8", "f"


def test_gates_are_asked_and_too_many_failures_in_a_row_end_it():
    lines = islice(Pairing().lines(Donors), 200)
    status, dark = Status(), EchoClip("dark", np.zeros((16, 16, 16), np.uint8), 12.5)
    with pytest.raises(EchoAugmentError, match=r"64 plan lines in a row gave no clip.* clip '.*': image: black"):
        list(clips_of(lambda some: [dark] * len(some), lines, as_gates([image_gate]), status, 5))
    assert status.skipped == 64


def test_a_generator_that_gives_too_few_clips_is_an_error():
    status = Status()
    with pytest.raises(RuntimeError, match="the generator gave 1 clips for 2 plan lines"):
        list(clips_of(lambda some: [make_clip(0)], Pairing().lines(Donors), (), status, 2))
