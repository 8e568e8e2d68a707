from fractions import Fraction

import numpy as np
import pytest
from fakes.training import ef_trainer

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings
from echo_augment.training_recipes.training.settings import ModelSettings, TrainingSettings
from echo_augment.training_recipes.training.subsets import choose_labelled, count_labels


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


def test_a_job_refuses_it_before_any_work():
    def settings(labels):
        data, model = DataSettings(name="echonet", root="x"), ModelSettings(name="tiny")
        return TrainingSettings(out="o", data=data, model=model, trainer=ef_trainer(), arm={"real": {}}, labels=labels)

    assert settings(1).labels == 1
    with pytest.raises(EchoAugmentError, match="could mean one video or all"):
        settings(1.0)


def test_subsets_are_nested():
    assert choose_labelled("abcdefgh", 5, 3)[:2] == choose_labelled("hgfedcba", 2, 3)
