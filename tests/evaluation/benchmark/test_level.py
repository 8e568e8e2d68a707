"""Opening a benchmark's data set, and one number of its labels."""

import pytest
from fakes.benchmark import configure, load

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.caches import Caches
from echo_augment.evaluation.benchmark.level import open_design, run_level


def test_one_number_of_labels_trains_every_arm_and_seed_of_it_alone(root, tmp_path):
    settings = configure(f"out={tmp_path}", f"data.root={root}", "labels=[2,3]", "arm=[real,classical]", "seeds=[0]")
    task, design = open_design(settings, (0, 1))
    caches, results = run_level(task, design, Caches(design, task, tmp_path / "caches", load), 1, ())
    assert [folder.relative_to(tmp_path).as_posix() for folder in results] == [
        "runs/labels-3/real-seed0",
        "runs/labels-3/classical-seed0",
    ]
    assert caches == {(1, 0): {}}
    assert {one.labelled_hearts for one in results.values()} == {3}


def test_more_labels_than_videos_are_refused_before_any_training(root, tmp_path):
    with pytest.raises(EchoAugmentError, match="labels=99"):
        open_design(configure(f"out={tmp_path}", f"data.root={root}", "labels=[99]", "arm=[real]"), (0, 1))
