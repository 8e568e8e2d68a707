"""The segmentation recipe: models, figures, the teacher, and one small training from end to end."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fakes.training import REAL, segmentation_trainer
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.augmentor.data import EchoNetDynamic, read_table, read_video
from echo_augment.augmentor.data.phantom import load_phantoms, write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.jobs import train_segmentation as job
from echo_augment.training_recipes.segmentation.measures import hausdorff95, measure, pooled_dice, scales
from echo_augment.training_recipes.segmentation.models import make_segmentation_model
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.segmentation.teacher import load_segmenter
from echo_augment.training_recipes.segmentation.training import (
    TARGETS,
    segmentation_loss,
    traced_masks,
    traced_videos,
    train_segmentation,
)
from echo_augment.training_recipes.training.optimiser import make_optimizer
from echo_augment.training_recipes.training.run import TrainingRun
from echo_augment.training_recipes.training.settings import ModelSettings, TrainerSettings

MODEL = ModelSettings(name="unet", settings={"widths": [4, 8]})


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 14, num_frames=40, workers=1, splits=(0.6, 0.2, 0.2))


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run = SegmentationRun(
        **{"root": str(root), "arm": "real", "spec": REAL, "labels": 4, "seed": 1, "model": MODEL},
        **{"trainer": segmentation_trainer(), "val_at_least": 2, "device": "cpu"},
    )
    return run, out, train_segmentation(run, out, progress=False)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_hausdorff_distance_is_that_of_the_borders():
    one = square(10, 10, 12)
    assert hausdorff95(one, one) == 0
    assert hausdorff95(one, square(10, 15, 12)) == pytest.approx(5)
    assert hausdorff95(one, square(15, 15, 2)) == hausdorff95(square(15, 15, 2), one)
    assert hausdorff95(one, np.zeros_like(one)) == pytest.approx(np.hypot(40, 40))
    assert hausdorff95(np.zeros_like(one), np.zeros_like(one)) == 0
    spur = one.copy()
    spur[0:10, 15] = True  # ten pixels of 54 are off: more than 5 %
    lone = one.copy()
    lone[2, 15] = True  # one pixel is not
    assert hausdorff95(spur, one) > 5
    assert hausdorff95(lone, one) == 0


def test_figures_of_a_heart_and_of_all_pixels_together():
    true = np.stack([square(5, 5, 20), square(10, 10, 10)])
    shifted = np.stack([square(5, 9, 20), square(10, 10, 10)])
    found = measure(shifted, true, 60.0, 0.5)
    assert found["dice_ed"] == pytest.approx(16 / 20)
    assert found["dice_es"] == 1
    assert found["dice"] == pytest.approx(2 * (16 * 20 + 100) / (2 * (400 + 100)))
    assert found["hd95"] == pytest.approx(2) and found["hd95_mm"] == pytest.approx(1)
    assert found["ef_masks"] == pytest.approx(100 * (1 - 1 / 8), abs=1)
    assert "hd95_mm" not in measure(shifted, true, 60.0, None)
    large, small = {"pixels": [90, 200, 90, 200]}, {"pixels": [0, 20, 10, 20]}
    pooled = pooled_dice([large, small])
    assert pooled["dice"] == pytest.approx(2 * 190 / 440)
    assert pooled["dice_ed"] == pytest.approx(2 * 90 / 220)
    assert pooled["dice_es"] == pytest.approx(2 * 100 / 220)


def test_models_map_frames_to_logits_and_start_from_their_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = (make_segmentation_model("unet", {"widths": [4, 8]}, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    frames = torch.randn(2, 3, 50, 70)
    with torch.no_grad():
        assert one(frames).shape == (2, 50, 70)
        assert torch.equal(one(frames), same(frames))
        assert not torch.equal(one(frames), other(frames))
        assert make_segmentation_model("deeplabv3_resnet50", {}, 0).eval()(frames[:1]).shape == (1, 50, 70)
    for name, settings, message in (
        ("huge", {}, "huge"),
        ("unet", {"widths": [5]}, r"\[5\]"),
        ("deeplabv3_resnet50", {"backbone": "best"}, "best"),
    ):
        with pytest.raises(EchoAugmentError, match=message):
            make_segmentation_model(name, settings, 0)


def test_a_backbone_that_cannot_be_had_is_noted(monkeypatch):
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    assert "random weights" in make_segmentation_model("deeplabv3_resnet50", {"backbone": "imagenet"}, 0).note


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


def test_the_teacher_draws_what_was_tested(trained, root, monkeypatch):
    _, out, result = trained
    teacher = load_segmenter(out)
    assert teacher.labelled == tuple(result.labelled)
    data = EchoNetDynamic(root, "test", TARGETS, length=1)
    row = data.rows[0]
    frames = read_video(row.path)[0]
    whole = teacher(frames)
    monkeypatch.setattr("echo_augment.training_recipes.segmentation.teacher.largest_piece", lambda masks: masks)
    masks = teacher(frames)
    assert masks.shape == frames.shape and masks.dtype == np.bool_
    assert not (whole & ~masks).any(), "a piece of what the net drew"
    ed = data.frames[row.file_name][-1]
    true = data[0][1][2] > 0
    found = 2 * (masks[ed] & true).sum() / max(1, masks[ed].sum() + true.sum())
    assert found == pytest.approx(result.predictions[row.name]["dice_ed"], abs=0.01)
    halved = np.stack([cv2.resize(frame, (56, 56)) for frame in frames[:2]])
    assert teacher(halved).shape == (2, 56, 56)
    with pytest.raises(EchoAugmentError, match="float"):
        teacher(frames.astype(float))


def test_a_folder_without_a_whole_segmenter_says_so(trained, tmp_path):
    _, out, _ = trained
    with pytest.raises(EchoAugmentError, match=r"segmenter\.json: is missing"):
        load_segmenter(tmp_path)
    bad = tmp_path / "bad"
    shutil.copytree(out, bad)
    weights = bad / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(EchoAugmentError, match="bad"):
        load_segmenter(bad)
    card = json.loads((out / "segmenter.json").read_text())
    (bad / "segmenter.json").write_text(json.dumps({**card, "format": 99}))
    with pytest.raises(EchoAugmentError, match="format 99"):
        load_segmenter(bad)


def test_a_finished_training_is_read_another_is_refused_and_an_equal_one_gives_equal_figures(trained, tmp_path):
    run, out, result = trained
    assert train_segmentation(run, out, progress=False) == result
    assert train_segmentation(run, tmp_path / "fresh", progress=False).predictions == result.predictions
    for other in (replace(run, seed=2), replace(run, trainer=segmentation_trainer(batch_size=2))):
        with pytest.raises(EchoAugmentError, match="other settings"):
            train_segmentation(other, out, progress=False)
    assert TrainingRun.from_json(run.to_json()).key() != run.key()


def test_the_job_writes_its_report(root, tmp_path, capsys):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.batch_size=4", "model.settings.widths=[4,4]", "trainer.stats_clips=2"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "labels=1/2", "val_at_least=1", "device=cpu"]
        job.run(compose("train-segmentation", [*overrides, "arm=classical"]))
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["job"], report["task"], report["arm"]) == ("train-segmentation", "segmentation", "classical")
    assert report["label_fraction"] == pytest.approx(0.5)
    assert 0 <= report["test"]["pooled"]["dice"] <= 1
    assert str(tmp_path / "report.json") in capsys.readouterr().out
