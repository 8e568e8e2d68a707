"""What both training jobs do alike: the settings become a run, and the run a report."""

import json

import pytest
from fakes.training import REAL, ef_trainer, result, segmentation_trainer, tiny

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.training.job import report_run, run_of
from echo_augment.training_recipes.training.settings import EFTrainingSettings, TrainingSettings


def settings(root, kind=EFTrainingSettings, **changes):
    trainer = ef_trainer() if kind is EFTrainingSettings else segmentation_trainer()
    given = {"data": DataSettings(name="echonet", root=str(root)), "model": tiny(), "trainer": trainer}
    return kind(out=str(root / "out"), arm={"mine": REAL}, **(given | changes))


def test_a_run_is_told_all_that_the_job_is_told(tmp_path):
    told = {"labels": "1/8", "seed": 5, "val_at_least": 3, "caches": {"oracle": "c"}, "device": "cpu"}
    more = {"unlabelled": 7, "teachers": {"real": "t"}}
    run = run_of(EFRun, settings(tmp_path, **told, **more))
    assert isinstance(run, EFRun) and (run.root, run.arm, run.spec) == (str(tmp_path), "mine", REAL)
    assert {name: getattr(run, name) for name in (*told, *more)} == told | more
    assert (run.model, run.trainer) == (tiny(), ef_trainer())
    other = run_of(SegmentationRun, settings(tmp_path, TrainingSettings, **told))
    assert isinstance(other, SegmentationRun) and (other.unlabelled, other.teachers) == (None, {})


def test_phantoms_that_are_not_there_are_written_first(tmp_path):
    data = DataSettings(name="phantom", root=str(tmp_path / "set"), n=3, seed=1, frames=12)
    run = run_of(EFRun, settings(tmp_path, data=data))
    assert len(list((tmp_path / "set" / "Videos").glob("*.avi"))) == 3 and len(run.videos()) == 3


def test_a_job_without_a_data_set_says_which_setting_it_lacks(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"data\.root is null.*Add data\.root=FOLDER"):
        run_of(EFRun, settings(tmp_path, data=DataSettings(name="echonet", root=None)))


def test_the_report_says_what_was_trained_and_found(tmp_path):
    given = settings(tmp_path, seed=5)
    found = result(key="k", seed=5, arm="mine", labelled_hearts=3, train_hearts=12, skipped=[["a", "cut short"]])
    path = report_run(given, run_of(EFRun, given), found)
    assert path == tmp_path / "out" / "report.json"
    report = json.loads(path.read_text())
    assert (report["job"], report["task"], report["data"], report["arm"]) == ("train-ef", "ef", "echonet", "mine")
    assert report["label_fraction"] == 0.25 and report["seeds"] == [5] and report["skipped"] == [["a", "cut short"]]
    assert report["config"]["trainer"]["batch_size"] == 4 and "torch" in report["versions"]
    assert "key" not in report and "seed" not in report, "what decides the training stands in config and seeds"
