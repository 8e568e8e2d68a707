"""Results as JSON and back: published keys, what is undefined, what is missing."""

import math

from echo_augment.evaluation.statistics.results import ArmEstimate, ArmFigures, Contrast, Gain, LevelFigures, Pooled

MAE = ArmEstimate(mean=9.0, ci=(8.0, 10.0), per_seed=(8.5, 9.5))
CELL = Contrast(diff=-1.0, ci=None, p=None, detectable=None, reason="3 test hearts")


def level() -> LevelFigures:
    arm = ArmFigures(figures={"mae": MAE}, pooled={"dice": Pooled(mean=0.9, per_seed=(0.9,))})
    return LevelFigures(
        label_fraction=0.5,
        labelled=3,
        arms={"real": arm},
        contrasts={"synthetic-real": {"mae": CELL}},
        recovered_gain=None,
        gains={"real": Gain(gain=0.5, ci=(0.2, 0.8)), "classical": None},
    )


def test_what_is_written_is_what_is_read():
    assert LevelFigures.from_json(level().to_json()) == level()


def test_figures_of_an_arm_stand_beside_each_other():
    assert level().to_json()["arms"]["real"] == {
        "mae": {"mean": 9.0, "ci": [8.0, 10.0], "per_seed": [8.5, 9.5]},
        "pooled": {"dice": {"mean": 0.9, "per_seed": [0.9]}},
    }


def test_optional_keys_are_left_out_and_null_ones_are_kept():
    assert CELL.to_json() == {"diff": -1.0, "ci": None, "p": None, "detectable": None, "reason": "3 test hearts"}
    assert level().to_json()["gains"]["classical"] is None


def test_an_undefined_figure_is_null_in_json():
    undefined = ArmEstimate(mean=math.nan, ci=None, per_seed=(math.nan, 1.0), reason="the true values do not differ")
    plain = undefined.to_json()
    assert (plain["mean"], plain["per_seed"]) == (None, [None, 1.0])
    back = ArmEstimate.from_json(plain)
    assert math.isnan(back.mean) and math.isnan(back.per_seed[0])
