"""How many trainings run side by side, their progress, and one that was done elsewhere."""

from fakes.benchmark import configure, load

from echo_augment.evaluation.benchmark.job import open_design, run_benchmark
from echo_augment.evaluation.benchmark.trainings import borrow, count_workers, run_all, steps_done


def test_workers():
    assert count_workers(3, 9, 1) == 3
    assert count_workers(8, 2, 1) == 2
    assert count_workers("auto", 9, None) == 1
    assert count_workers("auto", 99, 1) >= 1


def test_progress_is_read_from_the_log(tmp_path):
    assert steps_done(tmp_path) == 0
    (tmp_path / "fit.csv").write_text("step,loss\n20,3.5\n40,2.5\n")
    assert steps_done(tmp_path) == 40


def test_a_training_is_borrowed_only_if_it_is_the_same(root, tmp_path):
    settings = configure(
        f"out={tmp_path / 'a'}", f"data.root={root}", "labels=[3]", "seeds=[0]", "arm=[real,classical]"
    )
    run_benchmark(settings, "benchmark", load)
    task, design = open_design(settings, (0, 1))
    (first, run), (other, _) = (design.training(task.run, (0, 0), arm, spec, {}) for arm, spec in design.arms.items())
    borrow(run, tmp_path / "same", [tmp_path / "nothing", first])
    assert (tmp_path / "same" / "result.json").exists() and (tmp_path / "same" / "model.safetensors").exists()
    assert list(run_all({tmp_path / "same": run}, workers=1)) == [tmp_path / "same"]
    borrow(run, tmp_path / "other", [other])
    assert not (tmp_path / "other").exists()
