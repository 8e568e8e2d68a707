"""The declared rule by which the number of steps is chosen."""

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.judging.reenactment import Row
from echo_augment.training_recipes.judging.steps import StepRule, choose_steps


def row(steps, frechet, explained=0.5, cycle=0.1):
    zero = np.zeros(2)
    return Row(
        explained=zero + explained,
        psnr=zero,
        ssim=zero,
        cycle=zero + cycle,
        sharpness=zero,
        double_edges=zero,
        frechet=frechet,
        steps=steps,
    )


def chosen(*rows, **rule):
    return choose_steps({one.steps: one for one in rows}, StepRule(**rule))


def test_the_fewest_steps_near_the_best_distance_are_taken():
    curve = row(0, 10.0), row(1, 6.0), row(2, 5.1), row(4, 5.0), row(8, 4.9)
    assert chosen(*curve) == 2
    assert chosen(*curve, distance=0.0) == 8
    assert chosen(*curve, distance=2.0) == 0


def test_steps_that_cost_motion_do_not_compete_whatever_their_distance():
    curve = row(0, 10.0), row(1, 9.0), row(4, 1.0, cycle=0.13)
    assert chosen(*curve) == 1
    assert chosen(*curve, motion=0.05) == 4


def test_a_sample_may_explain_less_than_the_mean():
    assert chosen(row(0, 10.0), row(4, 1.0, explained=0.2)) == 4


def test_no_distance_chooses_nothing():
    with pytest.raises(EchoAugmentError, match="two videos or more"):
        chosen(row(0, None))


def test_a_negative_share_is_refused_by_name():
    with pytest.raises(EchoAugmentError, match=r"reenactment\.rule\.distance"):
        StepRule(distance=-0.1)
