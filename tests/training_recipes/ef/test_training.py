"""One small EF training from end to end: figures, selection on VAL, and nothing done twice."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes.ef import cache, root, trained  # noqa: F401
from fakes.training import REAL, ef_trainer

from echo_augment.augmentor.data import read_table
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.ef.predicting import predict
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.training.batches import DecodedEcho, channel_scale


def test_a_training_tests_every_test_heart_and_selects_on_val(trained, root):
    _, out, result = trained
    assert set(result.predictions) == {row.name for row in read_table(root).split("test")}
    errors = [abs(true - predicted) for true, predicted in result.predictions.values()]
    assert result.test.mae == pytest.approx(np.mean(errors))
    assert [entry["step"] for entry in result.history] == [3, 6]
    best = min(result.history, key=lambda entry: entry["mae"])
    assert result.best_step == best["step"]
    assert result.labelled_hearts == 4
    assert result.clips > 0
    assert result.validation_hearts == 2
    assert not (out / "fit.ckpt").exists()
    weights = make_model("tiny", {"widths": [4, 4]}, 0)
    from safetensors.torch import load_model

    load_model(weights, str(out / "model.safetensors"))
    scale = channel_scale(str(root), samples=3, length=6, period=4)
    test = DecodedEcho(root, "test", clips="all", length=6, period=4, **scale)
    found = predict(weights, test, [0], 2, torch.device("cpu"), False)
    assert found[0] == pytest.approx(result.predictions[test.rows[0].name][1], abs=1e-3)


def test_a_finished_training_is_read_and_an_equal_one_gives_equal_figures(trained, tmp_path):
    run, out, result = trained
    shutil.copytree(out, tmp_path / "moved")
    (tmp_path / "moved" / "model.safetensors").unlink()
    assert train_ef(run, tmp_path / "moved", progress=False) == result
    assert not (tmp_path / "moved" / "model.safetensors").exists(), "it trained again"
    again = train_ef(run, tmp_path / "fresh", progress=False)
    assert again.predictions == result.predictions


def test_a_folder_of_another_training_is_refused(trained):
    run, out, _ = trained
    for other in (replace(run, seed=2), replace(run, trainer=ef_trainer(pad=8)), replace(run, spec=REAL)):
        with pytest.raises(EchoAugmentError, match="other settings"):
            train_ef(other, out, progress=False)
