"""Settings of arms that are chosen on videos which are never reported."""

import shutil
from dataclasses import replace

import pytest
from fakes.benchmark import configure, load

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import trainings, tuning
from echo_augment.evaluation.benchmark.job import run_benchmark, run_share
from echo_augment.evaluation.benchmark.tuning import FOLDER, tune, with_teachers, word

PHANTOMS = "data:{seed:7,n:18,splits:[0.4,0.1,0.5],frames:36,format:2}"
GRID = "grid:{classical:{key:p,values:[0.25,1.0],also:[mixup.p]},synthetic:{key:p,values:[0.25,0.5]}}"


def settings_in(out, root, *more):
    given = [f"out={out}", f"data.root={root}", "labels=[3]", "arm=[real,classical,synthetic]", "trainer.steps=2"]
    return configure(*given, "tune={" + f"{PHANTOMS},{GRID},seeds:[0,1]" + "}", *more)


@pytest.fixture(scope="module")
def tuned(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned")
    settings = settings_in(out, root)
    return settings, out, run_benchmark(settings, "benchmark", load)


def test_grid_and_choice_are_in_the_report_and_the_choice_is_used(tuned):
    _, out, report = tuned
    classical, synthetic = report.tuning
    assert [(one.arm, one.key, one.also) for one in report.tuning] == [
        ("classical", "p", ("mixup.p",)),
        ("synthetic", "p", ()),
    ]
    for one, grid in ((classical, ["0.25", "1.0"]), (synthetic, ["0.25", "0.5"])):
        assert [value.value for value in one.values] == grid
        best = min(one.values, key=lambda value: value.figure)
        assert one.chosen == best.value
        assert len(best.per_seed) == 2 and sum(best.per_seed) / 2 == pytest.approx(best.figure)
        assert (one.labelled, one.videos) == (3, 9)
    chosen, _ = tune(tuned[0], load)
    assert [str(chosen.arm[name]["p"]) for name in ("classical", "synthetic")] == [classical.chosen, synthetic.chosen]
    assert report.config["arm"]["classical"]["p"] == 1.0, "the configuration is as it was asked for"
    page = (out / "report.md").read_text()
    assert "## What was tuned" in page and "| classical.p (and mixup.p) | 0.25: " in page


def test_no_video_of_the_tuning_is_one_of_the_report(tuned, root):
    _, out, report = tuned
    ours = {row.name for row in read_table(root).rows}
    assert not ours & {row.name for row in read_table(out / FOLDER / "phantom").rows}
    assert report.videos.test == 9


def test_a_killed_tuning_goes_on_and_chooses_the_same(tuned, root, tmp_path, monkeypatch):
    settings, _, report = tuned
    settings = replace(settings, out=str(tmp_path))
    left, train = 5, trainings.train_ef

    def dies(run, *given, **more):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return train(run, *given, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainings, "train_ef", dies)
        run_benchmark(settings, "benchmark", load)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(before) == 5
    again = run_benchmark(settings, "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [replace(one, data="") for one in again.tuning] == [replace(one, data="") for one in report.tuning]
    assert (again.arms, again.contrasts) == (report.arms, report.contrasts)


def test_processes_that_share_a_benchmark_tune_once(tuned, root, tmp_path, monkeypatch):
    settings, _, report = tuned
    settings, done = replace(settings, out=str(tmp_path)), []
    train = trainings.train_ef
    monkeypatch.setattr(trainings, "train_ef", lambda run, out, **more: done.append(out) or train(run, out, **more))
    assert [run_share(settings, (rank, 2), load) for rank in (0, 1)] == [3, 3]
    assert len(done) == len(set(done)) == 8 + 6, "two grids of two values and two seeds, then three arms"
    again = run_benchmark(settings, "benchmark", load)
    assert len(done) == 14
    assert (again.arms, again.contrasts) == (report.arms, report.contrasts)


def test_choices_of_another_benchmark_are_taken_over(tuned, root, tmp_path):
    _, out, report = tuned
    given = [f"out={tmp_path}", f"data.root={root}", "labels=[3]", "arm=[real,synthetic]"]
    settings = configure(*given, "tune={of:[" + str(out) + "]}")
    chosen, found = tune(settings, load)
    assert [(one.arm, one.chosen, one.taken_from) for one in found] == [
        (one.arm, one.chosen, str(out)) for one in report.tuning
    ]
    assert chosen.arm["synthetic"]["p"] == report.tuning[1].setting
    assert not list(tmp_path.rglob("result.json"))
    with pytest.raises(EchoAugmentError, match="Run that benchmark first"):
        tune(configure(*given, f"tune={{of:[{root}]}}"), load)


def test_a_tuning_set_with_a_video_of_the_report_is_refused(root, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(root, own)
    table = own / "FileList.csv"
    table.write_text(table.read_text().replace(",TEST", ",VAL").replace(",TRAIN", ",TEST").replace(",VAL", ",TRAIN"))
    settings = settings_in(tmp_path / "o", root, f"+tune.data.root={own}")
    with pytest.raises(EchoAugmentError, match="held-out"):
        run_benchmark(settings, "benchmark", load)


def test_a_tuning_set_with_a_test_video_of_a_further_set_is_refused(root, tmp_path):
    own = write_phantoms(tmp_path / "own", 8, seed=5, num_frames=36, workers=1, splits=(0.5, 0.1, 0.4), format=2)
    settings = settings_in(tmp_path / "o", root, f"+tune.data.root={own}", f"+test.B={own}")
    with pytest.raises(EchoAugmentError, match="held-out"):
        tune(settings, load)


def test_phantoms_are_written_before_the_generator_that_is_trained_on_them(tmp_path, monkeypatch):
    data = ["data.root=" + str(tmp_path / "later"), "data.n=8", "+data.frames=36", "+data.splits=[0.5,0.1,0.4]"]
    settings = settings_in(tmp_path / "o", tmp_path / "later", *data)
    settings = replace(settings, generator=replace(settings.generator, weights=None))

    def train(settings, root, out, seed):
        assert len(read_table(root).rows) == 8
        return out / "weights"

    monkeypatch.setattr(tuning, "own_generator", train)
    found = tuning.tuning_settings(settings, settings.tune, tmp_path / "o" / FOLDER)
    assert found.generator.weights == str(tmp_path / "o" / "weights")


def test_a_grid_of_an_arm_that_is_not_trained_is_refused(root, tmp_path):
    settings = settings_in(tmp_path, root, "+tune.grid.oracle={key:p,values:[0.1,0.2]}")
    with pytest.raises(EchoAugmentError, match="there is no arm oracle"):
        tune(settings, load)


def test_an_arm_brings_those_that_it_learns_from_and_values_have_names():
    arms = {"real": {}, "other": {}, "student": {"teacher": "real"}, "grandchild": {"teacher": "student"}}
    assert with_teachers("grandchild", arms) == ["real", "student", "grandchild"]
    assert with_teachers("other", arms) == ["other"]
    assert [word(value) for value in (None, 0.5, [0.5, 1])] == ["null", "0.5", "_0.5_1_"]
