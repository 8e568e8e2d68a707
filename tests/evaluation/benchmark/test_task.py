"""What tasks share: predictions by arm and seed, and whose labels count."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes.report import level, whole
from fakes.training import result

from echo_augment.evaluation.benchmark.ef_task import EFTask
from echo_augment.evaluation.benchmark.segmentation_task import SegmentationTask
from echo_augment.evaluation.benchmark.task import by_arm, first_level, labelled_share
from echo_augment.evaluation.report.verdict import DICE, EF_ERROR
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.segmentation.run import SegmentationRun


def trained(arm: str, seed: int, labelled: int, **predictions):
    return result(arm=arm, seed=seed, labelled_hearts=labelled, train_hearts=40, predictions=predictions)


RESULTS = {
    Path(f"{arm}{seed}{labelled}"): trained(arm, seed, labelled, a=float(labelled))
    for arm, seed, labelled in [("real", 0, 4), ("full", 0, 40), ("real", 1, 4), ("real", 0, 16)]
}


def test_predictions_stand_by_arm_and_seed():
    found = by_arm([trained("real", 0, 4, a=1.0), trained("real", 1, 4, a=2.0), trained("oracle", 0, 4, a=3.0)])
    assert found == {"real": {0: {"a": 1.0}, 1: {"a": 2.0}}, "oracle": {0: {"a": 3.0}}}
    assert by_arm([]) == {}


def test_an_arm_that_knows_all_labels_does_not_say_how_many_there_are():
    assert labelled_share(RESULTS) == (4, 0.1)
    assert labelled_share({Path("f"): trained("full", 0, 40)}) == (40, 1.0)


def test_the_first_level_is_that_of_the_report_and_full():
    report = replace(whole([level(16, 1.0)]), labelled=4)
    assert [(one.arm, one.seed, one.labelled_hearts) for one in first_level(RESULTS, report)] == [
        ("real", 0, 4), ("full", 0, 40), ("real", 1, 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "run", "judged"), [(EFTask, EFRun, EF_ERROR), (SegmentationTask, SegmentationRun, DICE)]
)
def test_tasks_keep_their_caches_apart_and_know_their_figure(task, run, judged):
    one = task()
    assert one.run is run and one.judged is judged
    assert EFTask().prefix != SegmentationTask().prefix
