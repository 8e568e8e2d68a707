"""The key of a segmenter's training: it changes with the tracings, and is never that of an EF training."""

import json
from dataclasses import fields

from fakes.peers import write_set
from fakes.training import REAL, result, segmentation_trainer, tiny

from echo_augment.training_recipes.segmentation.run import SegmentationResult, SegmentationRun
from echo_augment.training_recipes.training.run import TrainingRun

ROWS = [("a", 40, "TRAIN"), ("v", 60, "VAL"), ("t", 70, "TEST")]


def run_on(root, kind=SegmentationRun):
    trainer = segmentation_trainer()
    return kind(root=str(root), arm="real", spec=REAL, labels=1, seed=1, model=tiny(), trainer=trainer)


def test_the_key_holds_the_tracings(tmp_path):
    root = write_set(tmp_path / "set", ROWS, traced=[("a", 3, 9)])
    before = run_on(root).key()
    assert run_on(root).key() == before
    tracings = root / "VolumeTracings.csv"
    tracings.write_text(tracings.read_text().replace("a,16,4", "a,16,5"))
    changed = run_on(root).key()
    tracings.unlink()
    assert len({before, changed, run_on(root).key()}) == 3


def test_the_key_is_never_that_of_another_task(tmp_path):
    run = run_on(write_set(tmp_path / "set", ROWS))
    assert TrainingRun.from_json(run.to_json()).key() != run.key()
    assert type(run).from_json(run.to_json()) == run and run.task == "segmentation"


def test_a_result_keeps_its_test_figures():
    test = {"dice": 0.9, "pooled": {"dice": 0.91}}
    found = SegmentationResult(**{**vars_of(result()), "test": test})
    assert SegmentationResult.from_json(json.loads(json.dumps(found.to_json()))) == found


def vars_of(one):
    return {field.name: getattr(one, field.name) for field in fields(one)}
