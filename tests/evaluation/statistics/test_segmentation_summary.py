"""From measured masks to the figures of the report."""

import pytest
from fakes.report import masks_level, measured

from echo_augment.evaluation.statistics.segmentation_summary import ef_from_masks


@pytest.mark.parametrize("shift", [0.03, -0.03, 0.0])
def test_arms_differ_by_what_their_videos_differ(shift):
    found = masks_level({"real": 0.0, "synthetic": shift})
    assert found.contrast("synthetic-real", "dice").diff == pytest.approx(shift, abs=1e-9)
    assert found.arms["synthetic"].pooled["dice"].mean == pytest.approx(0.9)
    assert found.arms["synthetic"]["ef_mae"].mean == pytest.approx(abs(100 * shift), abs=1e-6)


def test_a_score_that_some_video_lacks_is_left_out():
    assert "hd95_mm" not in masks_level({"real": 0.0}).arms["real"].figures


def test_the_recovered_gain_is_the_oracle_s():
    found = masks_level({"real": 0.0, "synthetic": 0.01, "oracle": 0.04})
    assert found.recovered_gain == pytest.approx(0.25)
    assert found.gains["real"].gain == pytest.approx(0.25, abs=0.05)
    assert masks_level({"real": 0.0, "synthetic": 0.01, "oracle": -0.01}).recovered_gain is None


def test_ef_of_masks_is_of_the_videos_where_every_training_has_it():
    runs = {"real": measured(0.0), "synthetic": measured(0.02)}
    assert len(ef_from_masks(runs).videos) == 39, "of one video it is not known"
    unknown = {
        arm: {seed: {name: {**video, "ef_masks": None} for name, video in run.items()} for seed, run in by_seed.items()}
        for arm, by_seed in runs.items()
    }
    assert ef_from_masks(unknown) is None


def test_json_has_the_published_keys():
    arm = masks_level({"real": 0.0}).to_json()["arms"]["real"]
    assert set(arm) == {"pooled", "dice", "dice_ed", "dice_es", "hd95", "ef_mae"}
    assert set(arm["pooled"]) == {"dice", "dice_ed", "dice_es"}
