"""Arms that learn from unlabelled hearts: pseudo labels of a teacher, agreement with a mean teacher."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.training import ef_trainer, tiny
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch.utils.data import Dataset, Subset

from echo_augment.augmentor import ClassicalAugment
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.trainings import run_all, waves
from echo_augment.training_recipes.arms.specification import TrainingSet, make_arm, teacher_of
from echo_augment.training_recipes.arms.unlabelled import WithUnlabelled, mean_teacher, pseudo_label
from echo_augment.training_recipes.ef import training as ef_training
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.teacher import known_videos, load_net
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.jobs import train_ef as _registers  # noqa: F401  its settings
from echo_augment.training_recipes.training import recipe as training
from echo_augment.training_recipes.training.batches import DecodedEcho
from echo_augment.training_recipes.training.run import finished


class Clips(Dataset):
    """Clips that are all one number, with an EF that nobody must see."""

    def __init__(self, values, ef) -> None:
        self.values, self.ef, self.epoch = values, ef, -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int):
        return np.full((3, 2, 4, 4), self.values[index], np.float32), np.float32(self.ef)


def arm(name: str) -> dict:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return OmegaConf.to_container(compose("train-ef", [f"arm={name}", "data.root=x", "out=y"]).arm)[name]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=36, workers=1, splits=(0.6, 0.2, 0.2), format=2
    )


def make_run(root: Path, name: str, **changes) -> EFRun:
    recipe = ef_trainer(steps=4, validate_every=2, test_clips=1, stats_clips=2)
    shared = {"model": tiny(2, 2, dropout=0.2), "trainer": recipe, "device": "cpu"}
    run = EFRun(root=str(root), arm=name, spec=arm(name), labels=4, seed=1, **shared)
    return replace(run, val_at_least=2, **changes)


@pytest.fixture(scope="module")
def teacher(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("real")
    train_ef(make_run(root, "real"), out, progress=False)
    return out


def test_unlabelled_items_carry_the_given_ef_and_never_their_own():
    mixed = WithUnlabelled(Clips([0.0] * 8, 50.0), Clips([1.0, 2.0, 3.0], 99.0), [10.0, 20.0, 30.0], p=0.5, seed=3)
    for epoch in range(3):
        mixed.set_epoch(epoch)
        items = [(float(clip.mean()), float(ef)) for clip, ef in (mixed[k] for k in range(len(mixed)))]
        assert {ef for value, ef in items if value == 0} == {50.0}
        assert all(ef == 10 * value for value, ef in items if value > 0)
        assert sum(value > 0 for value, _ in items) == 4
        assert {value for value, _ in items if value > 0} == {1.0, 2.0, 3.0}
    assert mixed.base.epoch == mixed.unlabelled.epoch == 2


def test_which_items_are_unlabelled_is_a_function_of_seed_and_epoch():
    def picked(seed: int, epoch: int) -> list[bool]:
        mixed = WithUnlabelled(Clips([0.0] * 40, 50.0), Clips([1.0], 99.0), [10.0], p=0.5, seed=seed)
        mixed.set_epoch(epoch)
        return [bool(mixed[k][0].mean() > 0) for k in range(40)]

    assert picked(0, 1) == picked(0, 1)
    assert picked(0, 1) != picked(0, 2)
    assert picked(0, 1) != picked(1, 1)


def test_with_all_labels_the_arms_are_real_and_without_the_recipe_s_help_an_error():
    real = Clips([0.0], 50.0)
    given = TrainingSet(real=real, labelled=("a",), caches={}, seed=0, unlabelled=Clips([], 0.0))
    assert pseudo_label(given) is real
    assert mean_teacher(given) is real
    with pytest.raises(EchoAugmentError, match="no unlabelled clips"):
        make_arm(arm("mean_teacher"))(replace(given, unlabelled=None))
    with pytest.raises(EchoAugmentError, match="net of the arm real"):
        pseudo_label(replace(given, unlabelled=Clips([1.0], 50.0)))


def test_pseudo_labels_are_what_the_teacher_reads(root, teacher, tmp_path, monkeypatch):
    seen = {}
    make = ef_training.make_arm

    def spy(spec):
        def inner(given):
            seen["dataset"] = make(spec)(given)
            return seen["dataset"]

        return inner

    monkeypatch.setattr(ef_training, "make_arm", spy)
    result = train_ef(make_run(root, "pseudo_label", teachers={"real": str(teacher)}), tmp_path, progress=False)
    dataset = seen["dataset"]
    names = [dataset.unlabelled.dataset.rows[k].name for k in dataset.unlabelled.indices]
    assert result.unlabelled_hearts == len(names) == result.train_hearts - 4
    assert not set(names) & set(result.labelled)
    real = json.loads((teacher / "result.json").read_text())
    assert set(result.labelled) == set(real["labelled"])
    assert (result.steps, result.batch_size) == (real["steps"], real["batch_size"])
    whole = ef_training.DecodedEcho(
        root, "train", target_type="EF", clips="all", **{k: real["reader"][k] for k in SCALE}
    )
    place = [row.name for row in whole.rows].index(names[0])
    with torch.no_grad():
        clips = torch.cat([clip for part in whole.windows(place, 5) for clip in part.clips(2)])
        read = load_net(teacher)(clips).mean()
    assert float(dataset.ef[0]) == pytest.approx(float(read), abs=1e-3)


SCALE = ("length", "period", "mean", "std")


def test_a_killed_mean_teacher_goes_on_to_the_same_net(root, tmp_path):
    run = make_run(root, "mean_teacher", unlabelled=3)
    whole = train_ef(run, tmp_path / "whole", progress=False)
    assert whole.unlabelled_hearts == 3
    saved = []

    class Killed(RuntimeError):
        pass

    predict, fit = ef_training.predict, training.fit

    def dies(*arguments, **settings):
        if saved:
            raise Killed
        saved.append(1)
        return predict(*arguments, **settings)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(training, "fit", lambda *given, **settings: fit(*given, **{**settings, "save_every": 1}))
        patch.setattr(ef_training, "predict", dies)
        train_ef(run, tmp_path / "killed", progress=False)
    assert torch.load(tmp_path / "killed" / "fit.ckpt", weights_only=True)["result"]["steps"] == 3
    again = train_ef(run, tmp_path / "killed", progress=False)
    assert again.predictions == whole.predictions
    net = load_net(tmp_path / "whole")
    assert not any(name.startswith(("student", "step")) for name in net.state_dict())


def test_what_an_arm_may_look_at_and_learn_from_is_part_of_the_run(root, teacher, tmp_path):
    run = make_run(root, "pseudo_label", teachers={"real": str(teacher)})
    other = tmp_path / "other"
    shutil.copytree(teacher, other)
    assert replace(run, teachers={"real": str(other)}).key() == run.key(), "the folder's place says nothing"
    changed = json.loads((other / "result.json").read_text()) | {"key": "another"}
    (other / "result.json").write_text(json.dumps(changed))
    assert replace(run, teachers={"real": str(other)}).key() != run.key()
    assert replace(run, unlabelled=2).key() != run.key()
    assert finished(make_run(root, "real", teachers={"real": str(other)}), teacher) is not None
    with pytest.raises(EchoAugmentError, match=r"result\.json: is missing"):
        replace(run, teachers={"real": str(tmp_path / "nowhere")}).key()
    with pytest.raises(EchoAugmentError, match="unlabelled must be"):
        replace(run, unlabelled=-1)


def test_teachers_are_trained_before_their_students(root, tmp_path):
    teacher, student = tmp_path / "real", tmp_path / "pseudo"
    runs = {student: make_run(root, "pseudo_label", teachers={"real": str(teacher)}), teacher: make_run(root, "real")}
    assert [list(wave) for wave in waves(runs)] == [[teacher], [student]]
    results = run_all(runs, workers=1)
    assert list(results) == [student, teacher]
    assert results[student].predictions != results[teacher].predictions
    loop = replace(runs[student], teachers={"real": str(student)})
    with pytest.raises(EchoAugmentError, match="teach each other"):
        waves({student: loop})


def test_a_teacher_that_knows_more_labels_than_its_student_may_is_refused(root, teacher, tmp_path):
    teachers = {"real": str(teacher)}  # of 4 labelled hearts
    with pytest.raises(EchoAugmentError, match=r"it learned the EF of .* which this run must not know"):
        train_ef(replace(make_run(root, "pseudo_label", teachers=teachers), labels=3), tmp_path, progress=False)
    assert len(known_videos(teacher)) == 4
    with pytest.raises(EchoAugmentError, match=r"nowhere.result\.json: does not say which videos.*finished training"):
        known_videos(tmp_path / "nowhere")
    taught = {**arm("synthetic"), "label": "teacher"}
    assert teacher_of(taught) == "real" and teacher_of(arm("synthetic")) is None


@pytest.mark.parametrize("missing", ["result.json", "settings.json", "model.safetensors"])
def test_a_broken_teacher_is_named(teacher, tmp_path, missing):
    shutil.copytree(teacher, tmp_path / "t")
    (tmp_path / "t" / missing).unlink()
    with pytest.raises(EchoAugmentError, match=missing):
        load_net(tmp_path / "t")
    (tmp_path / "t" / missing).write_text("{}")
    with pytest.raises(EchoAugmentError, match="teacher"):
        shutil.copy(teacher / "settings.json", tmp_path / "t" / "settings.json")
        (tmp_path / "t" / "model.safetensors").write_bytes(b"nothing")
        load_net(tmp_path / "t")


def test_an_arm_of_one_s_own_is_a_file(tmp_path):
    (tmp_path / "arm").mkdir()
    (tmp_path / "arm" / "mine.yaml").write_text(
        "mine:\n  _target_: echo_augment.training_recipes.arms.mean_teacher\n  p: 0.25\n"
    )
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", ["arm=mine", f"hydra.searchpath=[file://{tmp_path}]", "data.root=x", "out=y"])
    [(name, spec)] = OmegaConf.to_container(cfg.arm).items()
    given = TrainingSet(real=Clips([0.0] * 8, 50.0), labelled=(), caches={}, seed=0, unlabelled=Clips([1.0], 9.0))
    dataset = make_arm(spec)(given)
    assert name == "mine"
    assert sum(float(dataset[k][0].mean()) for k in range(8)) == 2


def test_unlabelled_items_take_another_tempo_where_their_videos_can_be_read_so():
    class Read(Clips):
        def at_tempo(self, index, tempo):
            clip, ef = self[index]
            return (clip + np.float32(tempo), ef), True

    mixed = WithUnlabelled(Clips([0.0] * 8, 50.0), Read([1.0], 99.0), [10.0], p=0.5, seed=3)
    found = [mixed.at_tempo(index, 1.1) for index in range(8)]
    assert all(bool(sample[0].max() > 2) == bool(sample[1] == 10) == read for sample, read in found)
    assert sum(read for _, read in found) == 4


def test_classical_augmentation_lies_over_labelled_and_unlabelled_items(root):
    base = Subset(DecodedEcho(root, length=6, period=4), [0, 1, 2, 3])
    given = TrainingSet(
        real=base, labelled=(), caches={}, seed=2, unlabelled=Subset(base, [3]), teach=lambda *_: [40.0]
    )
    strong = {"classical_p": 1.0, "classical_strength": "strong"}
    for make in (pseudo_label, mean_teacher):
        dataset = make(given, **strong)
        assert (type(dataset), type(dataset.base), dataset.strength) == (ClassicalAugment, WithUnlabelled, "strong")
        known = [float(dataset[index][1]) for index in range(4)]
        assert [ef for ef in known if ef != 40 and ef == ef] and len(set(known)) > 2
    none = replace(given, unlabelled=[])
    assert mean_teacher(none, **strong).base is base and mean_teacher(none) is base
