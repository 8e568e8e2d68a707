"""The segmentation recipe: models, figures, the teacher, and one small training from end to end."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from fakes.segmentation import root, trained  # noqa: F401
from fakes.training import segmentation_trainer
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.data.phantom import load_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.segmentation.measures import pooled_dice, scales
from echo_augment.training_recipes.segmentation.training import (
    TARGETS,
    measure_traced,
    segmentation_loss,
    traced_masks,
    traced_videos,
    train_segmentation,
)
from echo_augment.training_recipes.training.optimiser import make_optimizer
from echo_augment.training_recipes.training.settings import TrainerSettings


def test_echonet_s_recipe_is_to_the_letter():
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-segmentation", ["model=deeplabv3_resnet50", "data.root=x", "out=y"])
    trainer = OmegaConf.to_container(cfg.trainer)
    found = {key: trainer[key] for key in ("epochs", "batch_size", "clip_norm", "validate_every")}
    assert found == {"epochs": 50, "batch_size": 20, "clip_norm": 0.0, "validate_every": None}
    assert trainer["schedule"]["every_epochs"] >= trainer["epochs"], "the rate is constant"
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], object_from(trainer, TrainerSettings).optimizer)
    group = optimizer.param_groups[0]
    assert type(optimizer) is torch.optim.SGD
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-5, 0.9, 0)
    assert cfg.model.settings.backbone == "random"


def test_the_loss_is_the_sum_over_pixels_halved_over_ed_and_es():
    class Flat(torch.nn.Module):
        def forward(self, frames):
            return frames[:, 0]

    large, small = torch.full((2, 3, 4, 4), 1.0), torch.full((2, 3, 4, 4), -2.0)
    ones, zeros = torch.ones(2, 4, 4), torch.zeros(2, 4, 4)
    found = segmentation_loss(Flat(), (None, (large, small, ones, zeros)), torch.device("cpu"), False)
    wanted = 32 * (np.log1p(np.exp(-1.0)) + np.log1p(np.exp(-2.0))) / 2
    assert float(found["loss"]) == pytest.approx(wanted, rel=1e-5)
    assert float(found["per_pixel"]) == pytest.approx(wanted / 32, rel=1e-5)


def test_hearts_and_masks_are_the_reader_s(root):
    hearts = traced_videos(root, "train")
    data = EchoNetDynamic(root, "train", TARGETS, length=1)
    assert list(hearts) == [row.name for row in data.rows]
    name = data.rows[2].name
    masks = traced_masks(root, [name, "nobody"])
    assert list(masks) == [name]
    np.testing.assert_array_equal(masks[name], data[2][1][2] > 0)
    millimetres = scales(root)
    assert millimetres[name] == load_phantoms(root)[name].appearance.mm_per_px


def test_masks_are_measured_on_the_traced_frames_of_test(root, tmp_path):
    data = EchoNetDynamic(root, "test", TARGETS, length=1, period=1)
    items = iter([data[place][1] for place in range(len(data.rows))])

    def knows(frames):
        large, small, *masks = next(items)
        assert frames.shape == (2, 112, 112) and np.abs(frames - np.stack([large[0], small[0]])).max() <= 0.5
        return np.stack(masks) > 0

    found = measure_traced(knows, find_files(root))
    assert list(found) == [row.name for row in data.rows] and {one["dice"] for one in found.values()} == {1.0}
    blind = measure_traced(lambda frames: np.zeros(frames.shape, bool), find_files(root))
    assert {one["dice"] for one in blind.values()} == {0.0}
    shutil.copytree(root, tmp_path / "bare")
    table = tmp_path / "bare" / "VolumeTracings.csv"
    lines = [line for line in table.read_text().splitlines() if not line.startswith(tuple(found))]
    table.write_text("\n".join(lines))
    with pytest.raises(EchoAugmentError, match="bare"):
        measure_traced(knows, find_files(tmp_path / "bare"))


def test_a_training_tests_every_test_heart_and_selects_on_val(trained, root):
    _, out, result = trained
    assert set(result.predictions) == {row.name for row in read_table(root).split("test")}
    hearts = list(result.predictions.values())
    assert result.test["dice"] == pytest.approx(np.mean([heart["dice"] for heart in hearts]))
    assert result.test["pooled"] == pytest.approx(pooled_dice(hearts))
    assert result.test["hd95_mm"] > 0
    assert [entry["step"] for entry in result.history] == [3, 6]
    assert result.best_step == min(result.history, key=lambda entry: entry["loss"])["step"]
    assert (result.labelled_hearts, result.validation_hearts) == (4, 2)
    assert not (out / "fit.ckpt").exists()
    picture = cv2.imread(str(out / "overlay.png"))
    assert picture.std() > 10
    green, red = picture[..., 1].astype(int) - picture[..., 2], picture[..., 2].astype(int) - picture[..., 0]
    assert (green > 80).sum() > 50, "the traced contours"
    assert red.max() > 80 or result.test["dice"] == 0, "the predicted contours"


def test_a_finished_training_is_read_another_is_refused_and_an_equal_one_gives_equal_figures(trained, tmp_path):
    run, out, result = trained
    assert train_segmentation(run, out, progress=False) == result
    assert train_segmentation(run, tmp_path / "fresh", progress=False).predictions == result.predictions
    for other in (replace(run, seed=2), replace(run, trainer=segmentation_trainer(batch_size=2))):
        with pytest.raises(EchoAugmentError, match="other settings"):
            train_segmentation(other, out, progress=False)
