"""What decides an EF training and what it found: errors by hand, results of early versions, a recipe for clips."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from fakes.training import REAL, ef_trainer, result, segmentation_trainer, tiny

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.run import ClipForm, EFErrors, EFResult, EFRun


def test_errors_are_those_of_the_predictions():
    found = EFErrors.of(np.array([30.0, 50.0, 70.0]), np.array([33.0, 50.0, 64.0]))
    assert found.mae == 3.0 and found.rmse == pytest.approx(math.sqrt(15)) and found.r2 == pytest.approx(1 - 45 / 800)
    perfect = EFErrors.of(np.array([30.0, 50.0]), np.array([30.0, 50.0]))
    assert (perfect.mae, perfect.rmse, perfect.r2) == (0, 0, 1)
    middle = EFErrors.of(np.array([30.0, 50.0]), np.array([40.0, 40.0]))
    assert middle.r2 == 0, "no better than the mean"


@pytest.mark.parametrize("true", [[50.0], [50.0, 50.0]])
def test_without_any_spread_there_is_no_share_explained(true):
    assert math.isnan(EFErrors.of(np.array(true), np.array(true) + 1).r2)


def run_on(**changes):
    given = {"root": "r", "arm": "real", "spec": REAL, "labels": 2, "seed": 0, "model": tiny()}
    return EFRun(**{**given, "trainer": ef_trainer(), **changes})


def test_a_recipe_for_frames_is_refused():
    with pytest.raises(
        EchoAugmentError, match=r"trainer\.length is null, and EF is read from clips\. Give it in frames"
    ):
        run_on(trainer=segmentation_trainer())
    with pytest.raises(EchoAugmentError, match=r"trainer\.period is null"):
        run_on(trainer=ef_trainer(period=None))
    assert run_on().window == {"length": 6, "period": 4} and run_on().task == "ef"


def ef_result(**changes) -> EFResult:
    form = ClipForm(length=6, period=4, fps=50.0, size=[112, 112], mean=[30.0] * 3, std=[50.0] * 3)
    shared = {one.name: getattr(result(), one.name) for one in fields(result())}
    more = {"reader": form, "unlabelled_hearts": 2, "test": EFErrors(mae=5.0, rmse=6.0, r2=0.5)}
    return EFResult(**(shared | more | changes))


def test_a_result_survives_its_file():
    found = ef_result(predictions={"t": [50.0, 52.5]})
    assert EFResult.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_an_undefined_share_is_null_in_the_file_and_nan_again():
    found = ef_result(test=EFErrors(mae=5.0, rmse=5.0, r2=math.nan))
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["test"]["r2"] is None and math.isnan(EFResult.from_json(written).test.r2)


def test_results_of_early_versions_have_no_reader_and_no_unlabelled_videos():
    written = ef_result().to_json()
    del written["reader"], written["unlabelled_hearts"]
    found = EFResult.from_json(written)
    assert found.reader is None and found.unlabelled_hearts == 0 and found.test == ef_result().test
