"""The EF recipe: subsets, arms, models, batches, and one small training from end to end."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.training import ORACLE, REAL, ef_trainer, tiny
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch.utils.data import Dataset, Subset

from echo_augment.augmentor import ClassicalAugment, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.phantom import counterfactual, load_phantoms, write_phantoms
from echo_augment.cache import EchoAugmentError, PlanLine
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.arms.specification import TrainingSet, clips_of, make_arm, no_teacher, source_of
from echo_augment.training_recipes.arms.unlabelled import WithUnlabelled
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.ef.models import R2Plus1DEF, make_model
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.training import predict, train_ef
from echo_augment.training_recipes.filling.fill import fill_from
from echo_augment.training_recipes.jobs import train_ef as job
from echo_augment.training_recipes.training.batches import DecodedEcho, channel_scale, train_batches
from echo_augment.training_recipes.training.optimiser import make_optimizer, make_scheduler
from echo_augment.training_recipes.training.settings import TrainerSettings
from echo_augment.training_recipes.training.subsets import choose_labelled, choose_validation, count_labels

ARMS = sorted(path.stem for path in (Path(__file__).parents[3] / "training_recipes/conf/arm").glob("*.yaml"))
ARMS.remove("peer")  # of clips that are not made here; it has tests of its own


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 14, num_frames=48, workers=1, splits=(0.6, 0.2, 0.2))


@pytest.fixture(scope="module")
def cache(root, tmp_path_factory) -> Path:
    """Oracle clips of all TRAIN motions."""
    folder = tmp_path_factory.mktemp("cache")
    fill_from(OracleGenerator.of(root, frames=6), folder, n=24, progress=False, say=lambda _: None)
    return folder


@pytest.fixture(scope="module")
def trained(root, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run = EFRun(
        **{"root": str(root), "arm": "oracle", "spec": ORACLE, "labels": 4, "seed": 1},
        **{
            "model": tiny(4, 4),
            "trainer": ef_trainer(),
            "val_at_least": 2,
            "caches": {"oracle": str(cache)},
            "device": "cpu",
        },
    )
    return run, out, train_ef(run, out, progress=False)


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


def test_decoded_samples_are_the_reader_s_own(root):
    settings = {"root": root, "length": 6, "period": 4, "pad": 12, "mean": 30.0, "std": 50.0}
    plain, kept = EchoNetDynamic(**settings), DecodedEcho(**settings, memory_mb=50)
    for epoch in (0, 1):
        plain.set_epoch(epoch)
        kept.set_epoch(epoch)
        for index in (0, 3):
            np.testing.assert_array_equal(plain[index][0], kept[index][0])
            assert plain[index][1] == kept[index][1]
    assert len(kept._kept) == 2


def test_windows_are_spread_over_the_video_and_the_same_from_memory(root):
    settings = {"root": root, "length": 6, "period": 4, "clips": "all"}
    everything = DecodedEcho(**settings).windows(0)
    assert everything.shape == (48 - 20, 3, 6, 112, 112)
    some = DecodedEcho(**settings, memory_mb=50).windows(0, 3)
    np.testing.assert_array_equal(some, everything[[0, 14, 27]])


def test_memory_is_bounded(root):
    one = 48 * 112 * 112 * 3 / 1e6
    data = DecodedEcho(root, length=6, period=4, memory_mb=1.5 * one)
    for index in range(4):
        data[index]
    assert len(data._kept) == 1


def test_channel_scale_normalises_train_clips(root):
    scale = channel_scale(str(root), samples=8, length=12, period=4)
    data = DecodedEcho(root, length=12, period=4, **scale)
    pixels = np.stack([data[index][0] for index in range(8)])
    assert np.abs(pixels.mean((0, 2, 3, 4))).max() < 0.05
    assert np.abs(pixels.std((0, 2, 3, 4)) - 1).max() < 0.05


class Numbers(Dataset):
    """Says which item was asked for in which epoch."""

    def __init__(self, length: int) -> None:
        self.length, self.epoch = length, -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[int, int]:
        return self.epoch, index


def test_batches_are_a_function_of_the_step():
    def take(start: int, count: int) -> list[tuple]:
        stream = train_batches(Numbers(10), 4, 7, 0)(start)
        return [tuple(part.tolist() for part in next(stream)) for _ in range(count)]

    whole = take(0, 6)
    assert [batch[0][0] for batch in whole] == [0, 0, 1, 1, 2, 2]
    assert all(len(set(batch[1])) == 4 for batch in whole)
    for start in (1, 2, 5):
        assert take(start, 1) == [whole[start]]
    assert whole[0][1] != whole[2][1]


def test_tiny_starts_near_the_mean_ef_from_its_seed_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    model, same, other = (make_model("tiny", {"widths": [4, 8]}, seed).eval() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    clips = torch.randn(2, 3, 8, 112, 112)
    with torch.no_grad():
        found, again, else_ = model(clips), same(clips), other(clips)
    assert found.shape == (2,)
    assert (found - 55.6).abs().max() < 20
    assert torch.equal(found, again)
    assert not torch.equal(found, else_)
    with pytest.raises(EchoAugmentError, match="huge"):
        make_model("huge", {}, 0)


def test_r2plus1d_starts_at_echonet_s_bias_and_says_when_it_has_no_kinetics_weights(monkeypatch):
    model = R2Plus1DEF(weights="random")
    assert float(model.net.fc.bias.detach()) == pytest.approx(55.6)
    assert model.net.fc.out_features == 1
    assert model.note == ""

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    assert "random weights" in R2Plus1DEF(weights="kinetics").note


def test_echonet_s_recipe_is_to_the_letter():
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", ["model=r2plus1d_18", "data.root=x", "out=y"])
    trainer = OmegaConf.to_container(cfg.trainer)
    found = {
        key: trainer[key] for key in ("epochs", "batch_size", "length", "period", "pad", "clip_norm", "test_clips")
    }
    wanted = {"epochs": 45, "batch_size": 20, "length": 32, "period": 2, "pad": 12, "clip_norm": 0.0}
    assert found == {**wanted, "test_clips": None}
    recipe = object_from(trainer, TrainerSettings)
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], recipe.optimizer)
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-4, 0.9, 1e-4)
    scheduler, rates = make_scheduler(optimizer, recipe.schedule, steps=90, per_epoch=2), []
    for _ in range(90):
        rates.append(group["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[29] == pytest.approx(1e-4)
    assert rates[30] == pytest.approx(1e-5)
    assert rates[60] == pytest.approx(1e-6)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_file_makes_a_dataset(name, root, cache):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", [f"arm={name}", "data.root=x", "out=y"])
    [(arm, spec)] = OmegaConf.to_container(cfg.arm).items()
    assert arm == name
    base = DecodedEcho(root, length=6, period=4)
    given = TrainingSet(
        real=Subset(base, [0, 1, 2, 3]),
        labelled=tuple(row.name for row in base.rows[:4]),
        caches={"synthetic": cache, "oracle": cache},
        seed=0,
        unlabelled=Subset(base, [4, 5, 6]),
        teach=lambda _, windows: np.full(3, 40.0 + windows),
    )
    dataset = make_arm(spec)(given)
    clip, ef = dataset[0]
    assert len(dataset) == 4
    assert clip.shape == (3, 6, 112, 112)
    assert clip.dtype == np.float32
    assert np.float32(ef) == ef
    kinds = {
        "classical": ClassicalAugment,
        "synthetic+classical": ClassicalAugment,
        "pseudo_label": WithUnlabelled,
        "mean_teacher": WithUnlabelled,
    }
    mixed = "synthetic" in name or name == "oracle"
    kind = kinds.get(name, SyntheticAugment if mixed else Subset)
    assert type(dataset) is kind
    assert (source_of(dataset) is None) == (clips_of(spec) is None)


def test_an_arm_sees_no_clip_whose_label_it_must_not_know(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:2])
    given = TrainingSet(real=Subset(base, [0, 1]), labelled=labelled, caches={"oracle": cache}, seed=0)
    source = source_of(make_arm(ORACLE)(given))
    assert 0 < len(source) < 24
    assert {clip.provenance.motion_donor for clip in (source[k] for k in range(len(source)))} <= set(labelled)
    assert [clip.ef for clip in (source[k] for k in range(len(source)))] == pytest.approx(source.ef.tolist())
    with pytest.raises(EchoAugmentError, match="none of its 24 clips"):
        make_arm(ORACLE)(replace(given, labelled=("nobody",)))


def test_fewer_clips_and_the_control_with_shuffled_labels(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:4])
    given = TrainingSet(real=Subset(base, [0, 1]), labelled=labelled, caches={"oracle": cache}, seed=0)
    whole, few = (source_of(make_arm({**ORACLE, **more})(given)) for more in ({}, {"most": 3}))
    assert len(few) == 3 and few.ef.tolist() == whole.ef[:3].tolist()
    mixed = source_of(make_arm({**ORACLE, "label": "shuffled"})(given))
    assert sorted(mixed.ef) == sorted(whole.ef) and mixed.ef.tolist() != whole.ef.tolist()
    assert [mixed[k].ef for k in range(len(mixed))] == pytest.approx(mixed.ef.tolist())
    np.testing.assert_array_equal(mixed[1].frames, whole[1].frames)
    for wrong in ({"most": 0}, {"label": "best"}):
        with pytest.raises(EchoAugmentError, match=str(*wrong.values())):
            make_arm({**ORACLE, **wrong})(given)


def test_clips_can_be_labelled_by_what_another_arm_s_net_reads(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:4])
    asked = []

    def reader(name):
        asked.append(name)
        return lambda clips: np.array([clip.ef + (3 if clip.ef > 50 else 30) for clip in clips])

    given = TrainingSet(real=Subset(base, [0]), labelled=labelled, caches={"oracle": cache}, seed=0, reader=reader)
    whole = source_of(make_arm(ORACLE)(given))
    taught = source_of(make_arm({**ORACLE, "label": "teacher", "teacher": "mine"})(given))
    raised = np.minimum(whole.ef + np.where(whole.ef > 50, 3, 30), 100)
    assert taught.ef.tolist() == pytest.approx(raised.tolist())
    assert taught[0].ef == pytest.approx(raised[0])
    assert taught[0].provenance.label_policy == "teacher(10)" and 0 < taught[0].confidence < 1
    agreed = source_of(make_arm({**ORACLE, "label": "consensus"})(given))
    assert agreed.ef.tolist() == pytest.approx([ef + 1.5 for ef in whole.ef if ef > 50])
    assert 0 < len(agreed) < len(whole), "clips without agreement are left out"
    assert asked == ["mine", "real"]
    with pytest.raises(EchoAugmentError, match="no confidence in any clip"):
        make_arm({**ORACLE, "label": "consensus", "tolerance": 0.1})(given)
    with pytest.raises(EchoAugmentError, match="learns from the net of the arm real"):
        make_arm({**ORACLE, "label": "teacher"})(replace(given, reader=no_teacher))


def test_a_training_with_a_teacher_s_labels_reads_them_from_the_clips(root, cache, trained, tmp_path):
    run, teacher, _ = trained
    again = replace(run, arm="taught", spec={**ORACLE, "label": "teacher", "teacher": "oracle"})
    result = train_ef(replace(again, teachers={"oracle": str(teacher)}), tmp_path / "taught", progress=False)
    assert result.test.mae > 0
    with pytest.raises(EchoAugmentError, match=r"teachers\.oracle=FOLDER"):
        train_ef(again, tmp_path / "none", progress=False)


def test_an_arm_without_its_cache_says_which(root):
    given = TrainingSet(real=Subset(DecodedEcho(root), [0]), labelled=("a",), caches={}, seed=0)
    with pytest.raises(EchoAugmentError, match="oracle clips"):
        make_arm(ORACLE)(given)
    with pytest.raises(EchoAugmentError, match="_target_"):
        make_arm({"p": 0.5})


def test_the_oracle_renders_the_counterfactual_with_the_motion_donor_s_label(root):
    phantoms, oracle = load_phantoms(root), OracleGenerator.of(root)
    train = {row.name: row.ef for row in read_table(root).split("train")}
    assert dict(oracle.motion_donors) == train
    one, other = list(train)[:2]
    first, again = oracle([PlanLine("c", one, other, 5), PlanLine("c", one, other, 5)])
    np.testing.assert_array_equal(first.frames, again.frames)
    assert first.ef == train[one]
    start = first.provenance.extra["start"]
    exact = counterfactual(phantoms[one], phantoms[other], num_frames=16, fps=12.5, start=start, seed=5)
    np.testing.assert_array_equal(first.frames, exact.frames)
    assert oracle([PlanLine("d", one, other, 6)])[0].provenance.extra["start"] != start
    with pytest.raises(EchoAugmentError, match="no phantom"):
        oracle([PlanLine("e", one, "0X1", 1)])


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


def test_the_job_writes_its_report(root, tmp_path, capsys):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.length=6", "trainer.batch_size=4", "model.settings.widths=[2,2]"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "labels=1/2", "val_at_least=1", "device=cpu"]
        job.run(compose("train-ef", overrides))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["job"] == "train-ef"
    assert report["label_fraction"] == pytest.approx(0.5)
    assert report["seeds"] == [0]
    assert report["arm"] == "real"
    assert str(tmp_path / "report.json") in capsys.readouterr().out


def test_the_job_wants_one_arm():
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", ["arm=[real,oracle]", "data.root=x", "out=y"])
    with pytest.raises(EchoAugmentError, match="real, oracle"):
        job.run(cfg)
