"""Datasets inside datasets: where an item is made, and whether two samples have one form."""

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import ConcatDataset, Subset

from echo_augment.augmentor.wrapping import describe, difference, leaves, locate, pass_epoch, tagged
from echo_augment.cache import EchoAugmentError


class Wrapper:
    def __init__(self, base):
        self.base = base


ONE, OTHER = FakeEcho(n=4), FakeEcho(n=3)
NESTED = Wrapper(ConcatDataset([Subset(ONE, [3, 1]), OTHER, ONE]))


@pytest.mark.parametrize(
    ("index", "leaf", "place"), [(0, ONE, 3), (1, ONE, 1), (2, OTHER, 0), (4, OTHER, 2), (5, ONE, 0)]
)
def test_an_item_is_found_in_its_innermost_dataset(index, leaf, place):
    found = locate(NESTED, index)
    assert found[0] is leaf and found[1] == place


def test_leaves_come_once_and_in_order():
    found = list(leaves(NESTED))
    assert found[0] is ONE and found[1] is OTHER and len(found) == 2


def test_the_epoch_reaches_every_innermost_dataset():
    one, other = FakeEcho(), FakeEcho()
    pass_epoch(Wrapper(ConcatDataset([Subset(one, [0]), other])), 3)
    assert one.epoch == other.epoch == 3


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        ((1, 2), [1, 2], "sample is tuple in the dataset and list"),
        ((1, "a"), (1, 2), r"sample\[1\] is str in the dataset and int"),
        ((1,), (1, 2), "has 1 parts in the dataset and 2"),
        ({"a": 1}, {"b": 1}, "has the keys"),
        (np.zeros(2, np.float32), np.zeros(2), "is float32 in the dataset and float64"),
        ([torch.zeros(2, 3)], [torch.zeros(2, 4)], r"sample\[0\] is \(2, 3\) in the dataset and \(2, 4\)"),
    ],
)
def test_the_first_difference_is_said_in_words(real, synthetic, words):
    assert words.replace("\\", "") in difference(real, synthetic)


def test_sizes_may_differ_where_the_form_allows_it():
    assert difference(np.zeros((2, 3)), np.zeros((5, 3)), shapes=False) is None
    assert difference(np.zeros((2, 3)), np.zeros(3), shapes=False) is not None


@pytest.mark.parametrize(
    ("sample", "expected"),
    [((1, 2), (1, 2, 0.5)), ([1], [1, 0.5]), ({"a": 1}, {"a": 1, "weight": 0.5})],
)
def test_a_weight_is_appended_in_the_form_of_the_sample(sample, expected):
    assert tagged(sample, np.float32(0.5), None) == expected


def test_a_sample_that_cannot_carry_more_is_named():
    with pytest.raises(EchoAugmentError, match="a sample of type int cannot carry weight and provenance"):
        tagged(3, np.float32(1), describe(None))


def test_a_clip_and_a_real_item_are_described_by_the_same_keys():
    made, real = describe(make_clip(3)), describe(None)
    assert made.keys() == real.keys() and (made["synthetic"], real["synthetic"]) == (True, False)
    assert made["motion_donor"] == "motion3" and real["confidence"] == 1.0
