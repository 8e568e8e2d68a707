from fractions import Fraction

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.training.subsets import choose_labelled, choose_validation, count_labels


@pytest.mark.parametrize(
    ("labels", "count"),
    [(1, 1), ("1", 1), (4, 4), (4.0, 4), (0.5, 10), ("1/8", 2), (0.001, 1), (0.999, 20), ("all", 20), (20, 20)],
)
def test_numbers_shares_and_all(labels, count):
    assert count_labels(labels, 20) == count


@pytest.mark.parametrize("labels", [1.0, "1.0", "1/1", "20/20", 1e0, "1e0", np.float32(1), Fraction(1, 1) * 1.0])
def test_one_point_nought_could_be_one_or_all(labels):
    with pytest.raises(EchoAugmentError, match=r"could mean one video or all\. Give labels=1 for one, labels=all"):
        count_labels(labels, 20)


@pytest.mark.parametrize("labels", [0, -1, 0.0, 1.5, "25%", "none", True, float("nan"), float("inf"), "1/0", "", None])
def test_what_is_no_number_of_videos(labels):
    with pytest.raises(EchoAugmentError, match=r"labels must be a number of videos, a share or 'all'"):
        count_labels(labels, 20)


def test_more_than_there_are():
    with pytest.raises(EchoAugmentError, match=r"labels=21 asks for 21 labelled videos, TRAIN has 20"):
        count_labels(21, 20)


def test_subsets_are_nested():
    assert choose_labelled("abcdefgh", 5, 3)[:2] == choose_labelled("hgfedcba", 2, 3)


@pytest.mark.parametrize(("labels", "count"), [(16, 16), (0.25, 16), ("1/8", 8), ("all", 64), (1, 1), ("1/640", 1)])
def test_labels_are_a_number_a_share_or_all(labels, count):
    assert count_labels(labels, 64) == count


@pytest.mark.parametrize("labels", [0, -1, 65, "many", 1.5, "1/0"])
def test_wrong_labels_are_refused_with_their_value(labels):
    with pytest.raises(EchoAugmentError, match=str(labels)):
        count_labels(labels, 64)


def test_labelled_hearts_are_nested_redrawn_by_seed_and_blind_to_order():
    names = [f"h{k}" for k in range(40)]
    few, more = choose_labelled(names, 8, 3), choose_labelled(names, 16, 3)
    assert more[:8] == few
    assert choose_labelled(names[::-1], 8, 3) == few
    assert set(choose_labelled(names, 8, 4)) != set(few)


def test_validation_is_in_proportion_but_not_below_the_minimum():
    names = [f"v{k}" for k in range(40)]
    assert len(choose_validation(names, 0.5, 4, 0)) == 20
    assert len(choose_validation(names, 0.01, 4, 0)) == 4
    assert len(choose_validation(names, 0.01, 100, 0)) == 40


@pytest.mark.parametrize("labels", ["2/1", "9/2", "16/8"])
def test_a_fraction_above_one_is_no_number_of_videos(labels):
    with pytest.raises(EchoAugmentError, match="labels must be a number of videos, a share or 'all'"):
        count_labels(labels, 100)
    assert count_labels(2.0, 100) == 2
