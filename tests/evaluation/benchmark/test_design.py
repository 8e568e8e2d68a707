"""The design of a benchmark: nested labels, labelled donors, a folder for every training, shares of the seeds."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes.benchmark import configure

from echo_augment.augmentor.data.layouts.finding import DataFiles
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.design import Design, choose_appearance_donors, choose_arms
from echo_augment.training_recipes.ef.run import EFRun


def test_names_of_arms_have_no_hyphen(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"'my-arm'.*no '-'"):
        choose_arms({"my-arm": {}}, tmp_path)


ARMS = {
    "real": {"_target_": "echo_augment.training_recipes.arms.real"},
    "synthetic": {"_target_": "echo_augment.training_recipes.arms.synthetic", "clips": "synthetic"},
    "oracle": {"_target_": "echo_augment.training_recipes.arms.synthetic", "clips": "oracle"},
    "pseudo_label": {"_target_": "echo_augment.training_recipes.arms.pseudo_label", "teacher": "real"},
}
NAMES = [f"v{k:02d}" for k in range(20)]


@pytest.fixture(scope="module")
def settings():
    return replace(configure("out=runs/x"), arm=ARMS, labels=[2, "1/4"], seeds=[0, 1, 2])


@pytest.fixture
def design(settings, tmp_path):
    (tmp_path / "phantoms.json").write_text("{}")
    return Design.of(settings, DataFiles(tmp_path), NAMES)


def test_arms_that_need_phantoms_are_left_out_with_a_word(tmp_path):
    notes, kept = choose_arms(ARMS, tmp_path)
    assert list(kept) == ["real", "synthetic", "pseudo_label"]
    assert notes == ["The arm oracle was left out: real videos have no exact counterfactual to render."]
    (tmp_path / "phantoms.json").write_text("{}")
    assert choose_arms(ARMS, tmp_path) == ([], ARMS)


def test_labelled_videos_are_nested_and_are_the_only_motion_donors(design):
    assert list(design.subsets) == [(place, seed) for place in range(2) for seed in range(3)]
    for seed in range(3):
        few, more = design.subsets[0, seed], design.subsets[1, seed]
        assert len(few) == 2 and len(more) == 5 and more[:2] == few
    assert design.subsets[0, 0] != design.subsets[0, 1]
    assert design.motion_donors == sorted({name for names in design.subsets.values() for name in names})
    assert set(design.appearance_donors.values()) == {None}


def test_appearance_comes_from_the_labelled_and_so_many_others(design):
    found = choose_appearance_donors(NAMES, design.subsets, 3)
    for subset, labelled in design.subsets.items():
        assert len(found[subset]) == len(labelled) + 3 and found[subset][: len(labelled)] == labelled
    assert sorted(choose_appearance_donors(NAMES, design.subsets, 99)[0, 0]) == NAMES
    assert choose_appearance_donors(NAMES, design.subsets, 0)[1, 2] == design.subsets[1, 2]


def test_processes_share_the_seeds_whole_and_each_once(settings, tmp_path):
    shares = [Design.of(settings, DataFiles(tmp_path), NAMES, (rank, 2)) for rank in range(2)]
    assert [one.at(1) for one in shares] == [[(1, 0), (1, 2)], [(1, 1)]]
    assert shares[0].subsets == shares[1].subsets


def test_only_clips_that_no_ready_cache_gives_are_made(design, settings):
    assert design.kinds() == ["oracle", "synthetic"]
    assert replace(design, settings=replace(settings, caches={"oracle": "there"})).kinds() == ["synthetic"]
    assert replace(design, arms={"real": ARMS["real"]}).kinds() == []


def test_every_training_has_its_folder_and_all_that_decides_it(design, settings):
    folder, run = design.training(EFRun, (1, 2), "pseudo_label", ARMS["pseudo_label"], {"oracle": "c"})
    assert folder == Path("runs/x/runs/labels-1_4/pseudo_label-seed2") == design.folder((1, 2), "pseudo_label")
    assert (run.labels, run.seed, run.arm, run.caches) == ("1/4", 2, "pseudo_label", {"oracle": "c"})
    assert (run.model, run.trainer, run.device) == (settings.model, settings.trainer, "cpu")
    assert run.teachers == {"real": "runs/x/runs/labels-1_4/real-seed2"}, "of the same labels and seed"
    assert design.training(EFRun, (0, 0), "real", ARMS["real"], {})[1].teachers == {}
    folders = {design.folder(subset, arm) for subset in design.subsets for arm in ARMS}
    assert len(folders) == 6 * 4


def test_an_arm_whose_teacher_is_not_trained_is_refused(design):
    alone = replace(design, arms={"pseudo_label": ARMS["pseudo_label"]})
    with pytest.raises(EchoAugmentError, match=r"learns from the net of the arm real, which is not trained here"):
        alone.training(EFRun, (0, 0), "pseudo_label", ARMS["pseudo_label"], {})


def test_more_labels_than_videos_are_refused(settings, tmp_path):
    with pytest.raises(EchoAugmentError, match="labels=21 asks for 21 labelled videos, TRAIN has 20"):
        Design.of(replace(settings, labels=[21]), DataFiles(tmp_path), NAMES)


def test_an_arm_trains_with_a_network_and_a_rate_of_its_own(settings, tmp_path):
    model = {"name": "pretrained", "settings": {"layout": "discovr", "weights": "random"}}
    own = {**ARMS["real"], "model": model, "trainer": {"optimizer": {"name": "adamw", "lr": 0.5}}}
    design = Design.of(replace(settings, arm={**ARMS, "own": own}), DataFiles(tmp_path), NAMES)
    _, run = design.training(EFRun, (0, 0), "own", own, {})
    _, usual = design.training(EFRun, (0, 0), "real", ARMS["real"], {})
    assert (run.model.name, run.model.settings, run.trainer.optimizer.lr) == ("pretrained", model["settings"], 0.5)
    assert usual.model == settings.model and usual.trainer == settings.trainer
    assert (run.trainer.steps, run.trainer.batch_size) == (usual.trainer.steps, usual.trainer.batch_size)
